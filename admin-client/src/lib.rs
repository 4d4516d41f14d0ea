//! The gateway's admin API: its types, and a client of it.
//!
//! The command line and the operator reach the tenant registry through this API only; nobody but
//! the gateway touches etcd. The JSON forms here are a contract: members are added, never changed.

mod client;
mod error;
mod types;

pub use client::{AdminClient, Change, read_token};
pub use error::ClientError;
pub use mesh_keyspace::Mode;
pub use types::{
    CreateTenant, DiskUse, ErrorBody, ErrorCode, ErrorDetail, KeyRange, Limits, ModeChoice,
    Planned, Rates, RenameTenant, Store, Tenant, TenantList, TenantState, UnknownModeChoice, Usage,
};
