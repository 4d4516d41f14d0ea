//! What the registry answers when it can't do what was asked.

use std::ops::RangeInclusive;

use mesh_keyspace::Mode;

use crate::{EtcdError, State, TenantName};

/// A registry operation that took no effect, except where [`EtcdError::Uncertain`] says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The name is taken by a tenant of another mode.
    #[error("tenant {name} exists in mode {existing}, not {asked}; a mode never changes")]
    OtherMode {
        /// Name.
        name: TenantName,
        /// Its mode.
        existing: Mode,
        /// The mode that was asked for.
        asked: Mode,
    },
    /// There is no such tenant.
    #[error("there is no tenant {0}")]
    NotFound(TenantName),
    /// Another tenant has the name.
    #[error("there is a tenant {0} already")]
    NameTaken(TenantName),
    /// The tenant's state does not lead to the one asked for.
    #[error("tenant {name} is {from} and can't become {to}")]
    Transition {
        /// Name.
        name: TenantName,
        /// Its state.
        from: State,
        /// The state that was asked for.
        to: State,
    },
    /// The tenant's state does not allow the operation.
    #[error("tenant {name} is {state}")]
    WrongState {
        /// Name.
        name: TenantName,
        /// Its state.
        state: State,
    },
    /// The id still belongs to a registered tenant, or to none.
    #[error("id {0} is not reserved: only the id of a tenant that is gone can be released")]
    NotReserved(crate::Scope),
    /// Every id of the mode is in use or reserved.
    #[error("all ids of mode {0} are taken")]
    IdsExhausted(Mode),
    /// The port range is too small.
    #[error(
        "{needed} more ports are needed and port_range {}-{} has not as many left",
        range.start(),
        range.end()
    )]
    PortsExhausted {
        /// Configured range.
        range: RangeInclusive<u16>,
        /// How many were needed at once.
        needed: usize,
    },
    /// Other gateways changed the same keys every time.
    #[error("other gateways kept changing the registry; try again")]
    Contended,
    /// etcd.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
}

impl RegistryError {
    /// Whether the same operation may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            RegistryError::Contended => true,
            RegistryError::Etcd(error) => error.is_transient(),
            RegistryError::OtherMode { .. }
            | RegistryError::NotFound(_)
            | RegistryError::NameTaken(_)
            | RegistryError::Transition { .. }
            | RegistryError::WrongState { .. }
            | RegistryError::NotReserved(_)
            | RegistryError::IdsExhausted(_)
            | RegistryError::PortsExhausted { .. } => false,
        }
    }
}
