//! Tenant registry, kept in the storage cluster's own PD etcd.
//!
//! It exists so that the gateway has no state of its own: any number of replicas share one truth
//! about who the tenants are, and it lives and is backed up with the data it describes. What must
//! stay true is said where it is enforced: [`Registry`] for claims and states, [`paths`] for the
//! key space, [`TenantTable`] for what a follower may see.

mod allocate;
mod error;
pub mod etcd;
mod follow;
mod limits;
mod name;
pub mod paths;
mod record;
mod registry;
mod replica;
mod scope;
mod table;

pub use error::RegistryError;
pub use etcd::{EtcdClient, EtcdError};
pub use limits::Limits;
pub use name::{BadTenantName, TenantName};
pub use paths::data_prefix;
pub use record::{IdClaim, PortClaim, Record, State, TenantZero};
pub use registry::{Creation, Registry};
pub use replica::{Claim, Replica};
pub use scope::Scope;
pub use table::TenantTable;
