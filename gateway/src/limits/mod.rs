//! What a tenant may take of this process, by the limits in its record.

mod seats;

pub use seats::{Seat, Seats};

use std::sync::Arc;

use mesh_tenants::Limits;

/// One tenant's way in.
pub struct Gate {
    /// Connections.
    pub seats: Arc<Seats>,
    /// Connections by configuration, when the record sets no limit.
    connections: usize,
}

impl Gate {
    /// A tenant without limits but the configuration's on connections.
    pub fn new(connections: usize) -> Gate {
        Gate {
            seats: Arc::new(Seats::new(connections)),
            connections,
        }
    }

    /// Sets the limits; what goes on already is bounded by them from now on.
    pub fn set(&self, limits: &Limits) {
        let connections = limits
            .connections
            .and_then(|n| usize::try_from(n.get()).ok());
        self.seats
            .set_limit(connections.unwrap_or(self.connections));
    }
}
