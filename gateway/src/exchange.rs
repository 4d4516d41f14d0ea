//! What one request leaves behind for its answer.

use mesh_keyspace::Keyspace;

use crate::metrics::Metrics;
use crate::physical_table_id::Columns;

/// What both key phases work with: whose keys, and where to count.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The tenant's codec.
    pub keyspace: &'a Keyspace,
    /// Metric families.
    pub metrics: &'a Metrics,
}

/// A region as a request's context names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegionRef {
    /// Region id.
    pub id: u64,
    /// Configuration version of the epoch.
    pub conf_ver: u64,
    /// Key range version of the epoch.
    pub version: u64,
}

/// Made by decorating a request, used by undecorating its answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Columns of a coprocessor answer, when it holds physical table ids.
    pub columns: Option<Columns>,
    /// The `data` of a coprocessor answer is no tipb SelectResponse: `ANALYZE` and checksums.
    pub other_data: bool,
    /// The request names no key, so only its region bounds what it touches: it may be forwarded
    /// only when the region is known to lie inside the tenant.
    pub bounded_by_region: Option<RegionRef>,
}

impl Exchange {
    /// Whether the answer needs anything of the request.
    pub fn is_remembered(&self) -> bool {
        self.columns.is_some() || self.other_data
    }
}
