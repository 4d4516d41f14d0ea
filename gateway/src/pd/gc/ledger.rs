//! Where tenants' GC states are kept, and changed by compare-and-swap: beside the registry, in
//! PD's etcd, so that any replica of the gateway may serve any call.

use std::time::{SystemTime, UNIX_EPOCH};

use mesh_tenants::etcd::{EtcdClient, Expect, Range, Swap, Versioned};
use mesh_tenants::{EtcdError, Scope, data_prefix, paths};

use super::state::{GcError, GcState, Timestamp, UnixSeconds};
use crate::fault::Fault;

/// Attempts at a swap; others of the same tenant's servers are the only ones in the way.
const SWAPS: usize = 20;
/// Where each server of a tenant tells its oldest running transaction, in decimal.
const OLDEST_TRANSACTIONS: &str = "/tidb/server/minstartts/";
/// Where older servers, and newer ones beside older PDs, read the txn safe point, in decimal.
const SAVED_SAFE_POINT: &str = "/tidb/store/gcworker/saved_safe_point";

/// GC states of all tenants.
#[derive(Clone)]
pub(super) struct Ledger {
    etcd: EtcdClient,
}

/// What a change came to.
pub(super) struct Changed<T> {
    /// What the operation answered.
    pub(super) outcome: Result<T, GcError>,
    /// Before.
    pub(super) before: GcState,
    /// After.
    pub(super) after: GcState,
}

impl Ledger {
    pub(super) fn new(etcd: EtcdClient) -> Ledger {
        Ledger { etcd }
    }

    /// A tenant's state, if it has one.
    pub(super) async fn read(&self, scope: Scope) -> Result<Option<GcState>, Fault> {
        Ok(self.versioned(scope).await?.map(|found| found.value))
    }

    /// Writes the first state of a tenant, unless there is one; answers what is there then.
    pub(super) async fn begin(&self, scope: Scope, state: GcState) -> Result<GcState, Fault> {
        let key = paths::gc(scope);
        match self.etcd.swap_json(&key, Expect::Absent, &state).await {
            Ok(Swap::Done { .. }) => Ok(state),
            Ok(Swap::Lost(Some(found))) => Ok(found.value),
            Ok(Swap::Lost(None)) | Err(EtcdError::Uncertain { .. }) => self.existing(scope).await,
            Err(fault) => Err(etcd_fault(&fault)),
        }
    }

    /// Changes a tenant's state. `change` may run more than once, each time on the latest state;
    /// nothing is written when it changes nothing.
    pub(super) async fn change<T>(
        &self,
        scope: Scope,
        mut change: impl FnMut(&mut GcState) -> Result<T, GcError> + Send,
    ) -> Result<Changed<T>, Fault> {
        let key = paths::gc(scope);
        for _ in 0..SWAPS {
            let found = self.versioned(scope).await?;
            let found = found.ok_or_else(|| no_state(scope))?;
            let before = found.value;
            let mut after = before.clone();
            let outcome = change(&mut after);
            if after == before {
                return Ok(Changed {
                    outcome,
                    before,
                    after,
                });
            }
            let expect = Expect::Revision(found.revision);
            match self.etcd.swap_json(&key, expect, &after).await {
                Ok(Swap::Done { .. }) => {
                    return Ok(Changed {
                        outcome,
                        before,
                        after,
                    });
                }
                // Every operation may be repeated: safe points only grow, barriers are named.
                Ok(Swap::Lost(_)) | Err(EtcdError::Uncertain { .. }) => {}
                Err(fault) => return Err(etcd_fault(&fault)),
            }
        }
        Err(Fault::Unavailable(format!(
            "GC state of {scope} changes too often"
        )))
    }

    /// Forgets a tenant.
    pub(super) async fn forget(&self, scope: Scope) -> Result<(), Fault> {
        let forgotten = self.etcd.delete(Range::key(paths::gc(scope))).await;
        forgotten.map(|_| ()).map_err(|fault| etcd_fault(&fault))
    }

    /// The oldest running transaction that any server of the tenant has told.
    pub(super) async fn oldest_transaction(
        &self,
        scope: Scope,
    ) -> Result<Option<Timestamp>, Fault> {
        let prefix = own_key(scope, OLDEST_TRANSACTIONS);
        let told = self
            .etcd
            .range(Range::prefix(prefix))
            .await
            .map_err(|fault| etcd_fault(&fault))?;
        let told = told.kvs.iter().filter_map(|kv| decimal(&kv.value));
        // A server without a transaction tells zero or the greatest number, by its age.
        Ok(told.filter(|ts| *ts != 0).min())
    }

    /// Raises what older servers read as the txn safe point. Lowering it is their own affair.
    pub(super) async fn save_txn_safe_point(
        &self,
        scope: Scope,
        ts: Timestamp,
    ) -> Result<(), Fault> {
        let key = own_key(scope, SAVED_SAFE_POINT);
        let saved = self
            .etcd
            .get(key.clone())
            .await
            .map_err(|fault| etcd_fault(&fault))?;
        let saved = saved.and_then(|kv| decimal(&kv.value)).unwrap_or(0);
        if saved < ts {
            let written = self.etcd.put(key, ts.to_string(), 0).await;
            written.map_err(|fault| etcd_fault(&fault))?;
        }
        Ok(())
    }

    async fn existing(&self, scope: Scope) -> Result<GcState, Fault> {
        self.read(scope).await?.ok_or_else(|| no_state(scope))
    }

    async fn versioned(&self, scope: Scope) -> Result<Option<Versioned<GcState>>, Fault> {
        self.etcd
            .get_json(&paths::gc(scope))
            .await
            .map_err(|fault| etcd_fault(&fault))
    }
}

/// Seconds since the epoch, now.
pub(super) fn unix_now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        UnixSeconds::try_from(since.as_secs()).unwrap_or(UnixSeconds::MAX)
    })
}

/// A key that the tenant's servers use, as it is in PD's etcd.
fn own_key(scope: Scope, key: &str) -> String {
    format!("{}{key}", data_prefix(scope.mode, scope.id))
}

fn decimal(value: &[u8]) -> Option<Timestamp> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

fn no_state(scope: Scope) -> Fault {
    Fault::Unavailable(format!("tenant {scope} has no GC state"))
}

/// The text names endpoints, which are for the log and not for tenants.
fn etcd_fault(fault: &EtcdError) -> Fault {
    tracing::debug!(error = %fault, "GC state not reached");
    Fault::Unavailable("GC state can't be reached".to_owned())
}
