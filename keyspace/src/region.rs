//! Regions and buckets as a tenant sees them.
//!
//! Clipped regions must tile: clients walk a key range region by region and loop for ever on a gap.
//! Neighbours' boundaries must not show: outside the tenant there is only "".

use crate::place::Place;
use crate::{Bound, Form, KeyError, Keyspace, PhysicalKey};

/// Whether a region holds any of the tenant's key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Yes; the outputs are its logical bounds.
    Visible,
    /// No; the outputs are left as they were.
    Invisible,
}

impl Keyspace {
    /// Appends the logical bounds of the physical region `start..end` ("" is infinite on both
    /// sides, in and out).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for an encoded boundary inside the tenant; the outputs are left as
    /// they were.
    pub fn clip_region(
        &self,
        form: Form,
        start: &[u8],
        end: &[u8],
        out_start: &mut Vec<u8>,
        out_end: &mut Vec<u8>,
    ) -> Result<Visibility, KeyError> {
        let low = self.place_of_physical(form, start)?;
        let high = self.place_of_region_end(form, end)?;
        if !low.is_below(&high) {
            return Ok(Visibility::Invisible);
        }
        low.write_logical(form, out_start);
        high.write_logical(form, out_end);
        Ok(Visibility::Visible)
    }

    /// Whether the whole physical region lies inside one of the tenant's ranges, so that a request
    /// that names no key can reach nobody else through it.
    ///
    /// # Errors
    /// None so far: bounds are compared, not decoded.
    pub fn contains_region(&self, form: Form, start: &[u8], end: &[u8]) -> Result<bool, KeyError> {
        Ok(!end.is_empty()
            && self.parts().any(|part| {
                let (first, past) = part.bounds(form);
                first.as_slice() <= start && end <= past.as_slice()
            }))
    }

    /// Appends a region's encoded bucket boundaries as the tenant sees them: first the logical
    /// region start, last the logical region end, ascending in between. Nothing when the region is
    /// invisible or `keys` has fewer than two boundaries.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for a boundary inside the tenant; `out` is left as it was.
    pub fn clip_buckets<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), KeyError> {
        self.clip_buckets_in(Form::Encoded, keys, out)
    }

    /// [`Keyspace::clip_buckets`] for boundaries of either form: regions of raw clients on an
    /// API V1 cluster are not encoded.
    ///
    /// # Errors
    /// As there.
    pub fn clip_buckets_in<K: AsRef<[u8]>>(
        &self,
        form: Form,
        keys: impl IntoIterator<Item = K>,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), KeyError> {
        let keys: Vec<K> = keys.into_iter().collect();
        let [first, inner @ .., last] = keys.as_slice() else {
            return Ok(());
        };
        let (mut start, mut end) = (Vec::new(), Vec::new());
        let seen = self.clip_region(form, first.as_ref(), last.as_ref(), &mut start, &mut end)?;
        if seen == Visibility::Invisible {
            return Ok(());
        }
        let mut clipped = vec![start];
        for key in inner {
            let mut logical = Vec::new();
            let bound = self.lower_bound(form, PhysicalKey(key.as_ref()), &mut logical)?;
            let ascends = clipped.last().is_some_and(|previous| *previous < logical);
            let below_end = bound == Bound::Key && (end.is_empty() || logical < end);
            if ascends && below_end {
                clipped.push(logical);
            }
        }
        clipped.push(end);
        out.append(&mut clipped);
        Ok(())
    }

    fn place_of_region_end<'k>(&'k self, form: Form, end: &'k [u8]) -> Result<Place<'k>, KeyError> {
        if end.is_empty() {
            Ok(Place::End)
        } else {
            self.place_of_physical(form, end)
        }
    }
}
