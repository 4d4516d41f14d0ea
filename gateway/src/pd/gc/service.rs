//! The RPCs of the newer generation, and what both generations share.

use std::sync::Arc;

use mesh_proto::types::pdpb;
use mesh_tenants::{Registry, Scope};

use super::holds::Holds;
use super::ledger::{Changed, Ledger, unix_now};
use super::state::{Barrier, Blocker, GcError, GcState, Timestamp, UnixSeconds};
use super::storage::StorageGc;
use crate::config::Config;
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::pd::{header, request, tso};
use crate::tenant::Tenant;
use crate::upstream::Pd;

/// The keyspace id that clients without a keyspace send.
pub(super) const NO_KEYSPACE: u32 = u32::MAX;

/// Answers for every RPC about garbage collection.
pub(in crate::pd) struct Gc {
    pub(super) pd: Arc<Pd>,
    pub(super) registry: Arc<Registry>,
    pub(super) config: Arc<Config>,
    pub(super) ledger: Ledger,
    pub(super) storage: StorageGc,
    pub(super) holds: Holds,
}

impl Gc {
    pub(in crate::pd) fn new(pd: Arc<Pd>, registry: Arc<Registry>, config: Arc<Config>) -> Gc {
        let ledger = Ledger::new(registry.etcd().clone());
        let storage = StorageGc::new(pd.clone());
        let holds = Holds::new(storage.clone(), ledger.clone(), config.tenancy.gc_ttl);
        Gc {
            pd,
            registry,
            config,
            ledger,
            storage,
            holds,
        }
    }

    /// Begins a tenant that has no data yet: from now on the storage keeps what it will write.
    pub(in crate::pd) async fn register(&self, scope: Scope) -> Result<(), Fault> {
        let now = tso::now(&self.pd).await?;
        self.holds.begin(scope, now).await.map(|_| ())
    }

    /// Ends a tenant whose data is gone.
    pub(in crate::pd) async fn unregister(&self, scope: Scope) -> Result<(), Fault> {
        self.holds.end(scope).await
    }

    /// Keeps nothing for a tenant that is not served for a while.
    pub(in crate::pd) async fn pause(&self, scope: Scope) -> Result<(), Fault> {
        self.holds.pause(scope).await
    }

    /// Before a paused tenant is served again: it catches up with what was collected meanwhile.
    pub(in crate::pd) async fn resume(&self, scope: Scope) -> Result<(), Fault> {
        self.holds.renew(scope).await.map(|_| ())
    }

    /// Before a tenant is answered anything: the storage keeps what it needs.
    pub(in crate::pd) async fn ensure_held(&self, tenant: &Tenant) -> Result<(), Fault> {
        self.holds.ensure(scope_of(tenant)).await
    }

    pub(in crate::pd) async fn state(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetGcStateRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        if let Err(text) = own_scope(&tenant, request.keyspace_scope.as_ref()) {
            let header = failed(header, text);
            return Ok(grpc::unary(&pdpb::GetGcStateResponse {
                header,
                gc_state: None,
            }));
        }
        let state = self.read(&tenant).await?;
        let told = told_state(&state, request.keyspace_scope, request.exclude_gc_barriers);
        Ok(grpc::unary(&pdpb::GetGcStateResponse {
            header,
            gc_state: Some(told),
        }))
    }

    pub(in crate::pd) async fn all_states(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetAllKeyspacesGcStatesRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let state = self.read(&tenant).await?;
        let own = told_state(&state, None, request.exclude_gc_barriers);
        Ok(grpc::unary(&pdpb::GetAllKeyspacesGcStatesResponse {
            header,
            gc_states: vec![own],
            global_gc_barriers: Vec::new(),
        }))
    }

    pub(in crate::pd) async fn advance_txn(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::AdvanceTxnSafePointRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let advance = match own_scope(&tenant, request.keyspace_scope.as_ref()) {
            Err(text) => Err(text.to_owned()),
            Ok(()) => {
                let advance = |state: &mut GcState, oldest, now| {
                    state.advance_txn(request.target, oldest, now)
                };
                self.change(&tenant, advance)
                    .await?
                    .outcome
                    .map_err(|fault| fault.to_string())
            }
        };
        Ok(grpc::unary(&match advance {
            Err(text) => pdpb::AdvanceTxnSafePointResponse {
                header: failed(header, text),
                ..Default::default()
            },
            Ok(advance) => pdpb::AdvanceTxnSafePointResponse {
                header,
                old_txn_safe_point: advance.old,
                new_txn_safe_point: advance.new,
                blocker_description: advance.blocker.map_or_else(String::new, description),
            },
        }))
    }

    pub(in crate::pd) async fn advance_gc(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::AdvanceGcSafePointRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let advance = match own_scope(&tenant, request.keyspace_scope.as_ref()) {
            Err(text) => Err(text.to_owned()),
            Ok(()) => {
                let advance = |state: &mut GcState, _, _| state.advance_gc(request.target);
                self.change(&tenant, advance)
                    .await?
                    .outcome
                    .map_err(|fault| fault.to_string())
            }
        };
        Ok(grpc::unary(&match advance {
            Err(text) => pdpb::AdvanceGcSafePointResponse {
                header: failed(header, text),
                ..Default::default()
            },
            Ok(old) => pdpb::AdvanceGcSafePointResponse {
                header,
                old_gc_safe_point: old,
                new_gc_safe_point: request.target,
            },
        }))
    }

    pub(in crate::pd) async fn set_barrier(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::SetGcBarrierRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let id = request.barrier_id;
        let set = match own_scope(&tenant, request.keyspace_scope.as_ref()) {
            Err(text) => Err(text.to_owned()),
            Ok(()) => {
                let set = |state: &mut GcState, _, now| {
                    state.set_barrier(&id, request.barrier_ts, request.ttl_seconds, now)
                };
                self.change(&tenant, set)
                    .await?
                    .outcome
                    .map_err(|fault| fault.to_string())
            }
        };
        Ok(grpc::unary(&match set {
            Err(text) => {
                let header = failed(header, text);
                pdpb::SetGcBarrierResponse {
                    header,
                    new_barrier_info: None,
                }
            }
            Ok(barrier) => {
                let new_barrier_info = Some(told_barrier(&id, &barrier, unix_now()));
                pdpb::SetGcBarrierResponse {
                    header,
                    new_barrier_info,
                }
            }
        }))
    }

    pub(in crate::pd) async fn delete_barrier(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::DeleteGcBarrierRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let id = request.barrier_id;
        let deleted = match own_scope(&tenant, request.keyspace_scope.as_ref()) {
            Err(text) => Err(text.to_owned()),
            Ok(()) => {
                let delete = |state: &mut GcState, _, _| state.delete_barrier(&id);
                self.change(&tenant, delete)
                    .await?
                    .outcome
                    .map_err(|fault| fault.to_string())
            }
        };
        Ok(grpc::unary(&match deleted {
            Err(text) => {
                let header = failed(header, text);
                pdpb::DeleteGcBarrierResponse {
                    header,
                    deleted_barrier_info: None,
                }
            }
            Ok(barrier) => {
                let now = unix_now();
                let deleted = barrier.map(|barrier| told_barrier(&id, &barrier, now));
                pdpb::DeleteGcBarrierResponse {
                    header,
                    deleted_barrier_info: deleted,
                }
            }
        }))
    }

    /// A tenant's state, caught up with what the storage collected.
    pub(super) async fn read(&self, tenant: &Tenant) -> Result<GcState, Fault> {
        let scope = scope_of(tenant);
        match self.ledger.read(scope).await? {
            Some(state) if state.is_held(unix_now()) => Ok(state),
            Some(_) | None => self.holds.renew(scope).await,
        }
    }

    /// Changes a tenant's state, then tells those who act on it: older servers of the tenant about
    /// the txn safe point, the storage about what need not be kept any more.
    pub(super) async fn change<T>(
        &self,
        tenant: &Tenant,
        mut operation: impl FnMut(&mut GcState, Option<Timestamp>, UnixSeconds) -> Result<T, GcError>
        + Send,
    ) -> Result<Changed<T>, Fault> {
        let scope = scope_of(tenant);
        self.read(tenant).await?;
        let oldest = self.ledger.oldest_transaction(scope).await?;
        let now = unix_now();
        let changed = self
            .ledger
            .change(scope, |state| operation(state, oldest, now))
            .await?;
        let (before, after) = (&changed.before, &changed.after);
        if after.txn_safe_point > before.txn_safe_point {
            self.ledger
                .save_txn_safe_point(scope, after.txn_safe_point)
                .await?;
        }
        if after.gc_safe_point > before.gc_safe_point
            && let Err(fault) = self.holds.renew(scope).await
        {
            // The storage keeps more than needed until the background tells it.
            tracing::warn!(%scope, error = %fault, "hold not moved");
        }
        Ok(changed)
    }
}

/// Mode and id of a tenant.
pub(super) fn scope_of(tenant: &Tenant) -> Scope {
    Scope {
        mode: tenant.mode(),
        id: tenant.id(),
    }
}

/// A tenant names itself, or nothing.
pub(super) fn own_keyspace(tenant: &Tenant, id: u32) -> Result<(), &'static str> {
    let is_own = tenant.mode() == mesh_keyspace::Mode::Keyspace && id == tenant.id().get();
    if id == NO_KEYSPACE || is_own {
        return Ok(());
    }
    Err("[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist")
}

fn own_scope(tenant: &Tenant, scope: Option<&pdpb::KeyspaceScope>) -> Result<(), &'static str> {
    match scope.and_then(|scope| scope.keyspace.as_ref()) {
        None => Ok(()),
        Some(pdpb::keyspace_scope::Keyspace::KeyspaceId(id)) => own_keyspace(tenant, *id),
        Some(pdpb::keyspace_scope::Keyspace::KeyspaceIdentity(_)) => {
            Err("keyspace identities belong to API V3")
        }
    }
}

fn failed(
    header: Option<pdpb::ResponseHeader>,
    text: impl Into<String>,
) -> Option<pdpb::ResponseHeader> {
    header::failed(header, pdpb::ErrorType::Unknown, text)
}

fn told_state(
    state: &GcState,
    scope: Option<pdpb::KeyspaceScope>,
    without_barriers: bool,
) -> pdpb::GcState {
    let now = unix_now();
    let barriers = state.barriers.iter().filter(|_| !without_barriers);
    let none = pdpb::keyspace_scope::Keyspace::KeyspaceId(NO_KEYSPACE);
    let unnamed = pdpb::KeyspaceScope {
        keyspace: Some(none),
    };
    pdpb::GcState {
        keyspace_scope: Some(scope.unwrap_or(unnamed)),
        is_keyspace_level_gc: false,
        txn_safe_point: state.txn_safe_point,
        gc_safe_point: state.gc_safe_point,
        gc_barriers: barriers
            .map(|(id, barrier)| told_barrier(id, barrier, now))
            .collect(),
    }
}

fn told_barrier(id: &str, barrier: &Barrier, now: UnixSeconds) -> pdpb::GcBarrierInfo {
    pdpb::GcBarrierInfo {
        barrier_id: id.to_owned(),
        barrier_ts: barrier.ts,
        ttl_seconds: barrier.ttl(now),
    }
}

fn description(blocker: Blocker) -> String {
    match blocker {
        Blocker::Barrier(id) => format!("gc barrier {id:?}"),
        Blocker::OldestTransaction => "oldest running transaction".to_owned(),
    }
}
