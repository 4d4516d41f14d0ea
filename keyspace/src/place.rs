//! Where any byte string lies relative to a tenant's parts. Bounds, look-ups and region clipping
//! are all told in these terms, for every mode.
//!
//! Logical and physical space have the same places in the same order:
//!
//! ```text
//! Before(m) | Inside(m) … | Before(t) | Inside(t) … | End
//! ```
//!
//! so a bound is mapped by finding its place in one space and naming that place in the other. This
//! is what makes clamping monotone on all byte strings.

use crate::layout::Part;
use crate::view::View;
use crate::{Edge, Form, KeyError, Keyspace, PhysicalKey};

/// Where the physical key that a look-up should use lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The output is a physical position inside the tenant: ask for the region that holds it.
    At,
    /// The output is the exclusive physical end of a part of the tenant (of the tenant itself,
    /// except between the two parts of `table` mode): ask for the region that holds the greatest
    /// key below it.
    PastEnd,
}

/// Answer of [`Keyspace::lower_bound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The output is the logical key; nothing was appended when it is the tenant's start.
    Key,
    /// The tenant has nothing at or above.
    End,
}

/// A place in key order.
#[derive(Clone, Copy)]
pub(crate) enum Place<'k> {
    /// Below every key of the part, and above those of the part before.
    Before(&'k Part),
    /// At a key of the part's prefix, longer than the prefix itself.
    Inside(&'k Part, View<'k>),
    /// Above every key of the tenant.
    End,
}

impl Keyspace {
    /// Tells where the logical position `key` (any bytes; "" is the first) is to be looked up, and
    /// appends the physical key to `out`. A region that answers the look-up, clipped by
    /// [`Keyspace::clip_region`], holds `key`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn locate(&self, form: Form, key: &[u8], out: &mut Vec<u8>) -> Result<Position, KeyError> {
        let place = self.place_of_start(form, key)?;
        // Between two parts: a key below the seam's name belongs to the part before.
        if let Place::Before(part) = place
            && let Some(previous) = self.part_before(part)
            && key < form_of(&part.seam, form).as_slice()
        {
            out.extend_from_slice(previous.bounds(form).1);
            return Ok(Position::PastEnd);
        }
        self.write_start(&place, form, out);
        Ok(match place {
            Place::Before(_) | Place::Inside(..) => Position::At,
            Place::End => Position::PastEnd,
        })
    }

    /// Maps `key` as an exclusive upper logical bound ("" is unbounded): appends the exclusive
    /// physical end of what lies below it, so that the region holding the greatest key below the
    /// output is the one a reverse look-up wants. `false`, and no output, when nothing of the
    /// tenant lies below.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn locate_end(&self, form: Form, key: &[u8], out: &mut Vec<u8>) -> Result<bool, KeyError> {
        match self.place_of_end(form, key)? {
            Place::Before(part) => {
                let Some(previous) = self.part_before(part) else {
                    return Ok(false);
                };
                out.extend_from_slice(previous.bounds(form).1);
            }
            Place::Inside(part, view) => view.replace_prefix(&part.logical, &part.physical, out),
            Place::End => out.extend_from_slice(self.last_part().bounds(form).1),
        }
        Ok(true)
    }

    /// Appends the least logical key whose image is at or above `p`; nothing for the tenant's
    /// start. Between the parts of `table` mode that is the bare `t`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`], only for an encoded `p` inside the tenant's bounds: what others
    /// keep outside them is none of the tenant's business.
    pub fn lower_bound(
        &self,
        form: Form,
        p: PhysicalKey<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Bound, KeyError> {
        let place = self.place_of_physical(form, p.0)?;
        place.write_logical(form, out);
        Ok(match place {
            Place::Before(_) | Place::Inside(..) => Bound::Key,
            Place::End => Bound::End,
        })
    }

    /// Place of an inclusive logical lower bound; empty is unbounded.
    pub(crate) fn place_of_start<'k>(
        &'k self,
        form: Form,
        key: &'k [u8],
    ) -> Result<Place<'k>, KeyError> {
        if key.is_empty() {
            return Ok(Place::Before(self.first_part()));
        }
        Ok(self.place_of_logical(View::parse(form, key)?))
    }

    /// Place of an exclusive logical upper bound; empty is unbounded.
    pub(crate) fn place_of_end<'k>(
        &'k self,
        form: Form,
        key: &'k [u8],
    ) -> Result<Place<'k>, KeyError> {
        if key.is_empty() {
            return Ok(Place::End);
        }
        Ok(self.place_of_logical(View::parse(form, key)?))
    }

    fn place_of_logical<'k>(&'k self, key: View<'k>) -> Place<'k> {
        for part in self.parts() {
            if key.starts_with(&part.logical) {
                return Place::within(part, key, &part.logical);
            }
            if key.head() < part.logical.as_slice() {
                return Place::Before(part);
            }
        }
        Place::End
    }

    /// Place of a physical position. Bytes outside the tenant's bounds are only compared; an end
    /// keeps the width of its prefix, so there are short byte strings below a part's end that do
    /// not start with its prefix: they come after the part.
    pub(crate) fn place_of_physical<'k>(
        &'k self,
        form: Form,
        p: &'k [u8],
    ) -> Result<Place<'k>, KeyError> {
        for part in self.parts() {
            let (start, end) = part.bounds(form);
            if p <= start.as_slice() {
                return Ok(Place::Before(part));
            }
            if p < end.as_slice() {
                let view = View::parse(form, p)?;
                if view.starts_with(&part.physical) {
                    return Ok(Place::within(part, view, &part.physical));
                }
            }
        }
        Ok(Place::End)
    }

    /// Appends the physical position of an inclusive lower bound.
    pub(crate) fn write_start(&self, place: &Place<'_>, form: Form, out: &mut Vec<u8>) {
        match place {
            Place::Before(part) => out.extend_from_slice(part.bounds(form).0),
            Place::Inside(part, view) => view.replace_prefix(&part.logical, &part.physical, out),
            Place::End => out.extend_from_slice(self.last_part().bounds(form).1),
        }
    }

    fn part_before(&self, part: &Part) -> Option<&Part> {
        self.parts()
            .take_while(|other| other.order < part.order)
            .last()
    }
}

impl<'k> Place<'k> {
    fn within(part: &'k Part, key: View<'k>, prefix: &Edge) -> Self {
        if key.raw_len() == prefix.len() {
            Place::Before(part)
        } else {
            Place::Inside(part, key)
        }
    }

    /// Number of the place, keys inside one part not told apart.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Place::Before(part) => part.order * 2,
            Place::Inside(part, _) => part.order * 2 + 1,
            Place::End => u8::MAX,
        }
    }

    /// Whether something fits between the two places, both taken from the same space.
    pub(crate) fn is_below(&self, other: &Place<'_>) -> bool {
        match (self, other) {
            (Place::Inside(one, low), Place::Inside(two, high)) if one.order == two.order => {
                low.bytes() < high.bytes()
            }
            _ => self.rank() < other.rank(),
        }
    }

    /// Appends the logical name of a place in physical space; nothing for both ends.
    pub(crate) fn write_logical(&self, form: Form, out: &mut Vec<u8>) {
        match self {
            Place::Before(part) => out.extend_from_slice(&form_of(&part.seam, form)),
            Place::Inside(part, view) => view.replace_prefix(&part.physical, &part.logical, out),
            Place::End => {}
        }
    }
}

/// A seam's name in `form`; the empty name is empty in both.
fn form_of(seam: &Edge, form: Form) -> Edge {
    match form {
        Form::Encoded if !seam.is_empty() => seam.encoded(),
        Form::Raw | Form::Encoded => *seam,
    }
}
