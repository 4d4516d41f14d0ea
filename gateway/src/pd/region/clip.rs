//! One region, from the storage cluster's bounds to the tenant's.

use bytes::Bytes;
use mesh_keyspace::{Form, Keyspace, Visibility};
use mesh_proto::types::{metapb, pdpb};

use crate::fault::Fault;

/// The region with the tenant's bounds and buckets, or nothing when the tenant has no key in it.
pub(super) fn clip(
    keyspace: &Keyspace,
    mut region: pdpb::Region,
) -> Result<Option<pdpb::Region>, Fault> {
    let Some(meta) = region.region.as_mut() else {
        return Ok(None);
    };
    let (mut start, mut end) = (Vec::new(), Vec::new());
    let seen = keyspace
        .clip_region(
            Form::Encoded,
            &meta.start_key,
            &meta.end_key,
            &mut start,
            &mut end,
        )
        .map_err(|fault| Fault::BadAnswer(format!("bounds of region {}: {fault}", meta.id)))?;
    if seen == Visibility::Invisible {
        return Ok(None);
    }
    meta.start_key = start.into();
    meta.end_key = end.into();
    region.buckets = region
        .buckets
        .and_then(|buckets| clip_buckets(keyspace, buckets));
    Ok(Some(region))
}

/// Buckets only speed a client up, so ones that can't be mapped are left out.
fn clip_buckets(keyspace: &Keyspace, mut buckets: metapb::Buckets) -> Option<metapb::Buckets> {
    let mut keys = Vec::new();
    keyspace.clip_buckets(&buckets.keys, &mut keys).ok()?;
    if keys.is_empty() {
        return None;
    }
    if keys.len() != buckets.keys.len() {
        // Counted per bucket, by position.
        buckets.stats = None;
    }
    buckets.keys = keys.into_iter().map(Bytes::from).collect();
    Some(buckets)
}
