//! Which regions lie wholly inside a tenant.
//!
//! Requests that name a region but no key (resolving all locks of a transaction, flashback) reach
//! everything in it. They pass only for a region that is known, by PD, to hold nothing of anybody
//! else at the epoch that the request names. A store refuses a request whose epoch is not its own,
//! so bounds that go with the named epoch are the bounds the request acts on; a newer epoch in PD
//! means that the store refuses it, an older one that nothing is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_keyspace::{Form, Keyspace, Visibility};
use mesh_proto::types::{metapb, pdpb};

use super::source::{PdRegions, Refusal};
use crate::fault::Fault;
use crate::tenant::Tenant;
use crate::upstream::Pd;

/// Verdicts kept; at this many all are forgotten, which costs a question each.
const MOST_VERDICTS: usize = 1 << 16;

/// Tells, and remembers, whether regions lie wholly inside a tenant.
pub struct RegionOwnership {
    pd: Arc<Pd>,
    verdicts: Mutex<HashMap<Named, bool>>,
}

/// A region's bounds as somebody may own them: they change with the version only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Named {
    keyspace: Keyspace,
    region_id: u64,
    version: u64,
}

impl RegionOwnership {
    /// With nothing remembered.
    pub fn new(pd: Arc<Pd>) -> RegionOwnership {
        RegionOwnership {
            pd,
            verdicts: Mutex::default(),
        }
    }

    /// Whether the region, at `epoch` (configuration version, version) or later, is known to lie
    /// wholly inside the tenant.
    ///
    /// # Errors
    /// As [`Pd::call`].
    pub async fn inside(
        &self,
        tenant: &Tenant,
        region_id: u64,
        epoch: (u64, u64),
    ) -> Result<bool, Fault> {
        let keyspace = tenant.keyspace;
        let named = Named {
            keyspace,
            region_id,
            version: epoch.1,
        };
        if let Some(verdict) = self.remembered(&named) {
            return Ok(verdict);
        }
        let Some(meta) = self.region(region_id).await? else {
            return Ok(false);
        };
        let version = meta.region_epoch.as_ref().map_or(0, |epoch| epoch.version);
        if version < named.version {
            return Ok(false);
        }
        let inside = keyspace
            .contains_region(Form::Encoded, &meta.start_key, &meta.end_key)
            .unwrap_or(false);
        self.remember(Named { version, ..named }, inside);
        Ok(inside)
    }

    /// Whether the tenant has a key in the region.
    pub(in crate::pd) async fn visible(
        &self,
        keyspace: &Keyspace,
        region_id: u64,
    ) -> Result<bool, Fault> {
        let Some(meta) = self.region(region_id).await? else {
            return Ok(false);
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
            .unwrap_or(Visibility::Invisible);
        Ok(seen == Visibility::Visible)
    }

    async fn region(&self, region_id: u64) -> Result<Option<metapb::Region>, Fault> {
        let header = self.pd.header().await?;
        let source = PdRegions {
            pd: &self.pd,
            header,
            need_buckets: false,
        };
        match source.by_id(region_id).await {
            Ok(found) => Ok(found.and_then(|pdpb::Region { region, .. }| region)),
            Err(Refusal::Told(_)) => Ok(None),
            Err(Refusal::Fault(fault)) => Err(fault),
        }
    }

    fn remembered(&self, named: &Named) -> Option<bool> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.get(named).copied()
    }

    fn remember(&self, named: Named, inside: bool) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= MOST_VERDICTS {
            verdicts.clear();
        }
        verdicts.insert(named, inside);
    }
}
