//! Which tenant a connection belongs to.
//!
//! What must stay true: all that names a tenant must name the same one, or the connection is
//! refused; rules are asked only when nothing names one; and nothing found is refused too.

mod explain;
mod table;

use std::net::IpAddr;
use std::sync::Arc;

pub use explain::{Explanation, Question};
pub use table::{RoutedTenant, Table};

/// Connection attribute by which a client may name its tenant.
pub const TENANT_ATTRIBUTE: &[u8] = b"mesh_tenant";

/// What is known of a connection when it logs in.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Tenant of the listener.
    pub listener_tenant: Option<&'a str>,
    /// Port of the listener.
    pub port: u16,
    /// Host name that the TLS client asked for.
    pub sni: Option<&'a str>,
    /// User as the client wrote it.
    pub user: &'a [u8],
    /// Schema, empty for none.
    pub schema: &'a [u8],
    /// Connection attributes.
    pub attributes: &'a [(Vec<u8>, Vec<u8>)],
    /// Where the client is.
    pub from: IpAddr,
}

/// What named a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The listener's address.
    Port,
    /// The host name of TLS.
    Sni,
    /// `tenant.user`.
    UserPrefix,
    /// `user@tenant`.
    UserSuffix,
    /// The connection attribute.
    Attribute,
}

/// Why a connection belongs where it does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// These named the tenant, and no other.
    Claims(Vec<Claim>),
    /// The rule at this place in the list, counted from one.
    Rule(usize),
}

/// Where a connection goes.
#[derive(Debug, Clone)]
pub struct Route {
    /// The tenant.
    pub tenant: Arc<RoutedTenant>,
    /// The user as TiDB shall see it.
    pub user: Vec<u8>,
    /// Why.
    pub reason: Reason,
}

/// Why a connection goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Two names of tenants that differ.
    #[error("the connection names two tenants, {0} and {1}")]
    Disagreement(String, String),
    /// A listener, host name or attribute that names no tenant here.
    #[error("there is no tenant {0}")]
    UnknownTenant(String),
    /// Nothing names a tenant.
    #[error(
        "the connection names no tenant: log in as 'tenant.user', or use the tenant's own address"
    )]
    NoTenant,
}

#[cfg(test)]
mod tests;
