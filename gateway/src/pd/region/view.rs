//! Look-ups and scans in a tenant's logical key space.
//!
//! Keys are in encoded form, as PD's clients send them: `""` and the encoding of no bytes both mean
//! the start of the key space, as an end `""` means its end.

use mesh_keyspace::{Form, Keyspace, LogicalKey, Position};
use mesh_proto::types::pdpb;

use super::clip::clip;
use super::source::{Refusal, RegionSource};

/// One tenant's regions.
pub(super) struct RegionView<'a, S> {
    pub(super) keyspace: &'a Keyspace,
    pub(super) source: S,
}

impl<S: RegionSource> RegionView<'_, S> {
    /// The region that holds the logical `key`. Past the end it is the tenant's last region.
    pub(super) async fn holding(&self, key: &[u8]) -> Result<Option<pdpb::Region>, Refusal> {
        let mut physical = Vec::new();
        let found = match self.keyspace.locate(Form::Encoded, key, &mut physical)? {
            Position::At => self.source.holding(physical).await?,
            Position::PastEnd => self.ending_at(physical).await?,
        };
        self.clipped(found)
    }

    /// The region before the one that holds the logical `key`; none before the first.
    pub(super) async fn before(&self, key: &[u8]) -> Result<Option<pdpb::Region>, Refusal> {
        let Some(current) = self.holding(key).await? else {
            return Ok(None);
        };
        let start = start_key(&current);
        let mut end = Vec::new();
        if start.is_empty() || !self.keyspace.locate_end(Form::Encoded, start, &mut end)? {
            return Ok(None);
        }
        let found = self.ending_at(end).await?;
        self.clipped(found)
    }

    /// Regions that hold something of the logical `start..end`, at most `limit` if that is positive.
    pub(super) async fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        limit: i32,
    ) -> Result<Vec<pdpb::Region>, Refusal> {
        let mut found = Found::new(limit);
        self.scan_into(start, end, &mut found).await?;
        Ok(found.regions)
    }

    /// [`RegionView::scan`] over several ranges in key order; a region is told once.
    pub(super) async fn scan_all(
        &self,
        ranges: &[pdpb::KeyRange],
        limit: i32,
    ) -> Result<Vec<pdpb::Region>, Refusal> {
        let mut found = Found::new(limit);
        for range in ranges {
            if !found.covers(&range.end_key) {
                self.scan_into(&range.start_key, &range.end_key, &mut found)
                    .await?;
            }
        }
        Ok(found.regions)
    }

    async fn scan_into(&self, start: &[u8], end: &[u8], found: &mut Found) -> Result<(), Refusal> {
        let mut position = Vec::new();
        let at = self.keyspace.locate(Form::Encoded, start, &mut position)?;
        let image =
            self.keyspace
                .encode_range(Form::Encoded, LogicalKey(start), LogicalKey(end))?;
        // A start between the parts or past the last one lies in a region that no part's range
        // touches, and so does a range of no keys.
        if at == Position::PastEnd || image.is_empty() {
            let first = self.holding(start).await?;
            found.extend(first.into_iter().filter(|region| begins_below(region, end)));
        }
        for (first, past) in image.into_parts() {
            let Some(left) = found.left() else {
                return Ok(());
            };
            // The region that ends one part may be the one that begins the next: asked for one
            // more, the scan still fills the limit.
            let left = if left > 0 {
                left.saturating_add(1)
            } else {
                left
            };
            for region in self.source.scan(first, past, left).await? {
                found.extend(self.clipped(Some(region))?);
            }
        }
        // An end between a part's name and its first key leaves that part out of the image, though
        // the part's first region begins below it.
        if found.left().is_some()
            && let Some(next) = found.uncovered(end)
        {
            found.extend(self.holding(&next).await?);
        }
        Ok(())
    }

    /// The region that holds the greatest physical key below `end`.
    async fn ending_at(&self, end: Vec<u8>) -> Result<Option<pdpb::Region>, Refusal> {
        let found = self.source.holding(end.clone()).await?;
        match found {
            Some(region) if start_key(&region) < end.as_slice() => Ok(Some(region)),
            Some(_) | None => self.source.before(end).await,
        }
    }

    fn clipped(&self, region: Option<pdpb::Region>) -> Result<Option<pdpb::Region>, Refusal> {
        Ok(match region {
            Some(region) => clip(self.keyspace, region)?,
            None => None,
        })
    }
}

/// What a scan has found so far, in key order.
struct Found {
    limit: usize,
    regions: Vec<pdpb::Region>,
}

impl Found {
    fn new(limit: i32) -> Found {
        Found {
            limit: usize::try_from(limit).unwrap_or(0),
            regions: Vec::new(),
        }
    }

    /// How many more are wanted, zero for "all"; `None` when there are enough.
    fn left(&self) -> Option<i32> {
        if self.limit == 0 {
            return Some(0);
        }
        let left = self
            .limit
            .checked_sub(self.regions.len())
            .filter(|left| *left > 0)?;
        i32::try_from(left).ok()
    }

    /// Adds regions that are not there yet. The storage cluster may split or merge between two
    /// questions: what was already covered is left out, so that bounds never go back.
    fn extend(&mut self, regions: impl IntoIterator<Item = pdpb::Region>) {
        for region in regions {
            if self.left().is_some() && !self.covers_start_of(&region) {
                self.regions.push(region);
            }
        }
    }

    fn covers_start_of(&self, region: &pdpb::Region) -> bool {
        let Some(last) = self.regions.last() else {
            return false;
        };
        let end = end_key(last);
        end.is_empty() || start_key(region) < end
    }

    /// Where the regions found end, if that is below `end`.
    fn uncovered(&self, end: &[u8]) -> Option<Vec<u8>> {
        let covered = end_key(self.regions.last()?);
        let is_short = !covered.is_empty() && (end.is_empty() || covered < end);
        is_short.then(|| covered.to_vec())
    }

    /// Whether a range that begins at or after all earlier ones and ends at `end` is covered
    /// already.
    fn covers(&self, end: &[u8]) -> bool {
        self.regions.last().is_some_and(|last| {
            let covered = end_key(last);
            covered.is_empty() || (!end.is_empty() && end <= covered)
        })
    }
}

fn start_key(region: &pdpb::Region) -> &[u8] {
    region.region.as_ref().map_or(&[], |meta| &meta.start_key)
}

fn end_key(region: &pdpb::Region) -> &[u8] {
    region.region.as_ref().map_or(&[], |meta| &meta.end_key)
}

fn begins_below(region: &pdpb::Region, end: &[u8]) -> bool {
    end.is_empty() || start_key(region) < end
}

#[cfg(test)]
mod tests;
