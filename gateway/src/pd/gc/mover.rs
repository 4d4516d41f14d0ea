//! Moving the storage cluster's own safe point, where no TiDB lives on it directly.
//!
//! With a tenant zero its TiDB moves it and nobody else may. Without one the stores would collect
//! nothing, ever, so one of the gateways does: up to the least of what tenants need. PD never lets
//! a safe point go back, so two that believe to be the one only do the work twice.

use std::time::Duration;

use mesh_tenants::etcd::{Compare, EtcdClient, Op, Txn};
use mesh_tenants::{EtcdError, paths};

use super::state::Timestamp;
use super::storage::StorageGc;
use crate::fault::Fault;

/// `/tidb-mesh/v1/gc-mover`: held by the gateway that moves the safe point.
fn office() -> String {
    format!("{}gc-mover", paths::ROOT)
}

/// The gateway that may move the safe point.
pub(super) struct Mover {
    etcd: EtcdClient,
    storage: StorageGc,
    term: Duration,
    lease: Option<i64>,
    moved_to: Timestamp,
}

impl Mover {
    /// Not elected yet. `term` is how long an election holds without renewal.
    pub(super) fn new(etcd: EtcdClient, storage: StorageGc, term: Duration) -> Mover {
        Mover {
            etcd,
            storage,
            term,
            lease: None,
            moved_to: 0,
        }
    }

    /// Moves the safe point to `target` if this gateway is the one.
    pub(super) async fn move_to(&mut self, target: Timestamp) -> Result<(), Fault> {
        if target <= self.moved_to || !self.is_elected().await? {
            return Ok(());
        }
        self.moved_to = self.storage.collect_up_to(target).await?;
        tracing::info!(safe_point = self.moved_to, "storage's GC safe point moved");
        Ok(())
    }

    async fn is_elected(&mut self) -> Result<bool, Fault> {
        if let Some(lease) = self.lease {
            match self.etcd.lease_keep_alive(lease).await {
                Ok(_) => return Ok(true),
                Err(EtcdError::LeaseExpired) => self.lease = None,
                Err(fault) => return Err(unavailable(&fault)),
            }
        }
        let lease = self
            .etcd
            .lease_grant(self.term)
            .await
            .map_err(|fault| unavailable(&fault))?;
        let stand = Txn::new()
            .when(Compare::absent(office()))
            .then(Op::put_leased(office(), "", lease.id));
        let outcome = self
            .etcd
            .txn(stand)
            .await
            .map_err(|fault| unavailable(&fault))?;
        if outcome.succeeded {
            self.lease = Some(lease.id);
        } else {
            self.etcd
                .lease_revoke(lease.id)
                .await
                .map_err(|fault| unavailable(&fault))?;
        }
        Ok(outcome.succeeded)
    }
}

fn unavailable(fault: &EtcdError) -> Fault {
    Fault::Unavailable(format!("election of the GC mover: {fault}"))
}
