//! A tenant as the data path sees it: its codec, its etcd prefix and the gateway addresses that
//! stand for PD and the stores.
//!
//! Made from a registry record, never changed: a changed record makes a new `Tenant`, and calls
//! that began under the old one end under it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use mesh_keyspace::{Keyspace, Mode, TenantId};
use mesh_tenants::{Scope, State};

use crate::fault::Fault;

/// The tenant's present state, for those that outlive a change of its record.
pub type TenantCell = Arc<ArcSwap<Tenant>>;

/// How clients reach the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// One host; each tenant's PD and stores have ports of their own.
    Ports {
        /// Host.
        host: String,
        /// Whether they are spoken to with TLS.
        tls: bool,
    },
    /// One port; each tenant's PD and stores have names of their own. Always with TLS.
    Names {
        /// What all names end with.
        domain: String,
        /// Port.
        port: u16,
    },
}

impl Addresses {
    /// Ports of one host, without TLS.
    pub fn in_the_clear(host: &str) -> Addresses {
        Addresses::Ports {
            host: host.to_owned(),
            tls: false,
        }
    }

    fn scheme(&self) -> &'static str {
        match self {
            Addresses::Ports { tls: false, .. } => "http",
            Addresses::Ports { tls: true, .. } | Addresses::Names { .. } => "https",
        }
    }
}

/// Identity and addresses of one tenant.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Registered name.
    pub name: String,
    /// Codec of the tenant's keys.
    pub keyspace: Keyspace,
    /// How clients reach the gateway.
    pub addresses: Addresses,
    /// Port that stands for PD.
    pub pd_port: u16,
    /// Port that stands for each store, by store id.
    pub store_ports: BTreeMap<u64, u16>,
    /// Where in its life the tenant is.
    pub state: State,
    /// When the tenant was created: an id that was used before belonged to another tenant.
    pub created_at: SystemTime,
}

/// What a tenant keeps for its whole life, whatever it is called.
pub type Identity = (Scope, SystemTime);

impl Tenant {
    /// Mode of the tenant's keyspace.
    pub fn mode(&self) -> Mode {
        self.keyspace.mode()
    }

    /// Id of the tenant within its mode.
    pub fn id(&self) -> TenantId {
        self.keyspace.id()
    }

    /// Mode and id.
    pub fn scope(&self) -> Scope {
        Scope {
            mode: self.mode(),
            id: self.id(),
        }
    }

    /// What stays the same for the tenant's life and is nobody else's, ever.
    pub fn identity(&self) -> Identity {
        (self.scope(), self.created_at)
    }

    /// Whether the tenant is answered at all.
    ///
    /// # Errors
    /// [`Fault::NotServed`], which names the state.
    pub fn served(&self) -> Result<(), Fault> {
        match self.state {
            State::Active => Ok(()),
            state => Err(Fault::NotServed {
                tenant: self.name.clone(),
                state: state.as_str(),
            }),
        }
    }

    /// `host:port` that a client takes as its PD address.
    pub fn pd_address(&self) -> String {
        self.address("pd", self.pd_port)
    }

    /// The same as a URL.
    pub fn pd_url(&self) -> String {
        format!("{}://{}", self.addresses.scheme(), self.pd_address())
    }

    /// `host:port` that stands for a store, if the tenant has one for it.
    pub fn store_address(&self, store_id: u64) -> Option<String> {
        let port = self.store_ports.get(&store_id)?;
        Some(self.address(&format!("store-{store_id}"), *port))
    }

    /// Whether the tenant has names of its own instead of ports.
    pub fn shares_a_port(&self) -> bool {
        matches!(self.addresses, Addresses::Names { .. })
    }

    fn address(&self, role: &str, own_port: u16) -> String {
        match &self.addresses {
            Addresses::Ports { host, .. } => format!("{host}:{own_port}"),
            Addresses::Names { domain, port } => format!("{role}.{}.{domain}:{port}", self.name),
        }
    }

    /// Prefix of the tenant's keys in PD's etcd, slash-terminated and of fixed width:
    /// `/tidb-mesh-data/<8 hex digits: mode and id>/`.
    pub fn etcd_prefix(&self) -> String {
        mesh_tenants::data_prefix(self.mode(), self.id())
    }
}
