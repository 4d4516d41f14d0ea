//! Ranges: the tenant's own, and the image of a request's.
//!
//! A request's range has one image per part of the tenant. A request is served by one region and
//! none spans two parts, so the wire carries one of the images; who must not lose the other one
//! looks at [`Parts`].

use crate::layout::Part;
use crate::place::Place;
use crate::{Edge, Form, KeyError, Keyspace, LogicalKey};

/// A half-open physical range of a tenant, raw form, neither side empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PhysicalRange {
    /// First key.
    pub start: Edge,
    /// First key after the range.
    pub end: Edge,
}

/// A tenant's ranges in key order: one or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeSet {
    ranges: [PhysicalRange; 2],
    len: usize,
}

/// How many non-empty parts the image of a range has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parts {
    /// Nothing of the tenant lies in the range.
    Zero,
    /// The range written is the whole image.
    One,
    /// The range written is half of the image.
    Two,
}

/// The whole image of a range: up to two non-empty physical ranges in key order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeImage {
    parts: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Keyspace {
    /// The tenant's ranges, raw form. No other tenant of any mode has a key in them.
    pub fn ranges(&self) -> RangeSet {
        let range = |part: &Part| PhysicalRange {
            start: part.physical,
            end: part.end,
        };
        let (first, last) = (range(self.first_part()), range(self.last_part()));
        RangeSet {
            ranges: [first, last],
            len: self.parts().count(),
        }
    }

    /// The whole image of `start..end`; an empty side is unbounded.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn encode_range(
        &self,
        form: Form,
        start: LogicalKey<'_>,
        end: LogicalKey<'_>,
    ) -> Result<RangeImage, KeyError> {
        let low = self.place_of_start(form, start.0)?;
        let high = self.place_of_end(form, end.0)?;
        let image = |part| {
            let (mut start, mut end) = (Vec::new(), Vec::new());
            write_span(part, (&low, &high), form, &mut start, &mut end);
            (start, end)
        };
        let parts = self
            .parts()
            .filter(|part| overlaps(part, &low, &high))
            .map(image)
            .collect();
        Ok(RangeImage { parts })
    }

    /// Appends the one physical range that a request for the logical `start..end` (lower, upper)
    /// carries: the first non-empty part, or the last one of a `reverse` request. An empty image
    /// gives a range of no keys at the tenant's position nearest to `start`. Neither output is ever
    /// empty, so it can't be taken for an unbounded side.
    ///
    /// # Errors
    /// [`KeyError::Malformed`]; the outputs are left as they were.
    #[expect(
        clippy::too_many_arguments,
        reason = "a range in and a range out, without allocation"
    )]
    pub fn encode_range_into(
        &self,
        form: Form,
        reverse: bool,
        start: &[u8],
        end: &[u8],
        out_start: &mut Vec<u8>,
        out_end: &mut Vec<u8>,
    ) -> Result<Parts, KeyError> {
        let low = self.place_of_start(form, start)?;
        let high = self.place_of_end(form, end)?;
        let mut hit = self.parts().filter(|part| overlaps(part, &low, &high));
        let (first, second) = (hit.next(), hit.next());
        let chosen = if reverse { second.or(first) } else { first };
        match chosen {
            Some(part) => write_span(part, (&low, &high), form, out_start, out_end),
            None => self.write_nothing(form, start, out_start, out_end)?,
        }
        Ok(match (first, second) {
            (None, _) => Parts::Zero,
            (Some(_), None) => Parts::One,
            (Some(_), Some(_)) => Parts::Two,
        })
    }

    fn write_nothing(
        &self,
        form: Form,
        start: &[u8],
        out_start: &mut Vec<u8>,
        out_end: &mut Vec<u8>,
    ) -> Result<(), KeyError> {
        let written = out_start.len();
        self.locate(form, start, out_start)?;
        out_end.extend_from_slice(out_start.get(written..).unwrap_or_default());
        Ok(())
    }
}

/// Whether `low..high` holds something of the part.
fn overlaps(part: &Part, low: &Place<'_>, high: &Place<'_>) -> bool {
    let inside = part.order * 2 + 1;
    low.rank() <= inside && inside <= high.rank() && low.is_below(high)
}

/// Appends what `bounds` leave of the part, which they overlap.
fn write_span(
    part: &Part,
    bounds: (&Place<'_>, &Place<'_>),
    form: Form,
    out_start: &mut Vec<u8>,
    out_end: &mut Vec<u8>,
) {
    let (start, end) = part.bounds(form);
    write_side(part, bounds.0, start, out_start);
    write_side(part, bounds.1, end, out_end);
}

/// A bound inside the part is mapped, one outside it becomes the part's own.
fn write_side(part: &Part, bound: &Place<'_>, own: &Edge, out: &mut Vec<u8>) {
    match bound {
        Place::Inside(at, view) if at.order == part.order => {
            view.replace_prefix(&part.logical, &part.physical, out);
        }
        Place::Before(_) | Place::Inside(..) | Place::End => out.extend_from_slice(own),
    }
}

impl RangeSet {
    /// The ranges in key order.
    pub fn as_slice(&self) -> &[PhysicalRange] {
        self.ranges.get(..self.len).unwrap_or_default()
    }

    /// The ranges in key order.
    pub fn iter(&self) -> std::slice::Iter<'_, PhysicalRange> {
        self.as_slice().iter()
    }
}

impl IntoIterator for RangeSet {
    type Item = PhysicalRange;
    type IntoIter = std::iter::Take<std::array::IntoIter<PhysicalRange, 2>>;

    fn into_iter(self) -> Self::IntoIter {
        self.ranges.into_iter().take(self.len)
    }
}

impl<'a> IntoIterator for &'a RangeSet {
    type Item = &'a PhysicalRange;
    type IntoIter = std::slice::Iter<'a, PhysicalRange>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Parts {
    /// The number of parts.
    pub fn count(self) -> usize {
        match self {
            Parts::Zero => 0,
            Parts::One => 1,
            Parts::Two => 2,
        }
    }
}

impl RangeImage {
    /// Start and exclusive end of each part, in key order.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.parts
            .iter()
            .map(|(start, end)| (start.as_slice(), end.as_slice()))
    }

    /// Start and exclusive end of each part, in key order.
    pub fn into_parts(self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.parts
    }

    /// Whether nothing of the tenant lies in the range.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}
