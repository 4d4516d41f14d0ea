//! PD as a tenant sees it: everything on its gRPC port but the embedded etcd.
//!
//! A tenant's PD has one member, the gateway; stores with the gateway's addresses; regions that
//! cover the tenant's key space and nothing else; its own garbage collection, configuration items
//! and resource groups. Timestamps are the one thing that is truly shared.
//!
//! What must stay true: no answer names a key, region, address or name of anybody else, and no
//! request makes PD act on one. RPCs that are not named here are not served, whatever the table
//! says.

mod gc;
mod header;
mod health;
mod keyspaces;
mod members;
mod meta_storage;
mod own_values;
mod plain;
mod region;
mod relay;
mod request;
mod resource_groups;
mod stores;
mod tso;

pub use members::{MEMBER_ID, MEMBER_NAME};
pub use region::RegionOwnership;

use std::sync::Arc;

use mesh_tenants::{Registry, Scope};
use tokio_util::sync::CancellationToken;
use tonic::Response;

use crate::config::Config;
use crate::fault::Fault;
use crate::grpc::{Call, Frames};
use crate::tenant::Tenant;
use crate::upstream::{Pd, Stores};

/// Serves the PD port of every tenant.
pub struct PdService {
    pd: Arc<Pd>,
    members: members::Members,
    stores: stores::StoreList,
    regions: region::Regions,
    splits: region::Splits,
    plain: plain::Plain,
    gc: gc::Gc,
    own_values: own_values::OwnValues,
    keyspaces: keyspaces::Keyspaces,
    meta_storage: meta_storage::MetaStorage,
    resource_groups: resource_groups::ResourceGroups,
}

impl PdService {
    /// A service before the storage cluster's PD.
    pub fn new(
        pd: Arc<Pd>,
        _stores: Arc<Stores>,
        registry: Arc<Registry>,
        config: Arc<Config>,
    ) -> PdService {
        PdService {
            members: members::Members::new(pd.clone()),
            stores: stores::StoreList::new(pd.clone()),
            regions: region::Regions::new(pd.clone()),
            splits: region::Splits::new(pd.clone()),
            plain: plain::Plain::new(pd.clone()),
            gc: gc::Gc::new(pd.clone(), registry.clone(), config),
            own_values: own_values::OwnValues::new(pd.clone(), registry),
            keyspaces: keyspaces::Keyspaces::new(pd.clone()),
            meta_storage: meta_storage::MetaStorage::new(pd.clone()),
            resource_groups: resource_groups::ResourceGroups::new(pd.clone()),
            pd,
        }
    }

    /// Begins a tenant that has no data yet: from now on the storage keeps what it will write. To
    /// be called before the tenant is served; calling it again changes nothing.
    ///
    /// # Errors
    /// When PD or its etcd can't be reached.
    pub async fn register(&self, tenant: &Tenant) -> Result<(), Fault> {
        self.gc
            .register(Scope {
                mode: tenant.mode(),
                id: tenant.id(),
            })
            .await
    }

    /// Ends a tenant whose data is gone: nothing is kept for it any longer.
    ///
    /// # Errors
    /// When PD or its etcd can't be reached.
    pub async fn unregister(&self, scope: Scope) -> Result<(), Fault> {
        self.gc.unregister(scope).await
    }

    /// Keeps nothing for a tenant while it is suspended: its old snapshots go.
    ///
    /// # Errors
    /// When PD or its etcd can't be reached.
    pub async fn pause(&self, scope: Scope) -> Result<(), Fault> {
        self.gc.pause(scope).await
    }

    /// Ends a pause, before the tenant is served: its safe points are raised to what was collected
    /// meanwhile.
    ///
    /// # Errors
    /// When PD or its etcd can't be reached.
    pub async fn resume(&self, scope: Scope) -> Result<(), Fault> {
        self.gc.resume(scope).await
    }

    /// Renews what the storage keeps for tenants, until `shutdown`.
    pub async fn run_gc(&self, shutdown: CancellationToken) {
        self.gc.run(shutdown).await;
    }

    /// Serves one call.
    ///
    /// # Errors
    /// [`Fault::UnknownRpc`] for a call that is not served, otherwise what the client is to see.
    pub async fn serve(&self, call: Call) -> Result<Response<Frames>, Fault> {
        match call.rpc.service {
            "pdpb.PD" => {
                self.gc.ensure_held(&call.tenant).await?;
                self.serve_pd(call).await
            }
            "keyspacepb.Keyspace" => self.serve_keyspaces(call).await,
            "meta_storagepb.MetaStorage" => self.serve_meta_storage(call).await,
            "resource_manager.ResourceManager" => self.serve_resource_groups(call).await,
            "grpc.health.v1.Health" if call.rpc.method == "Check" => Ok(health::serving()),
            _ => Err(unserved(&call)),
        }
    }

    async fn serve_pd(&self, call: Call) -> Result<Response<Frames>, Fault> {
        match call.rpc.method {
            "GetMembers" => self.members.members(call).await,
            "GetClusterInfo" => self.members.cluster_info(call).await,
            "Tso" => tso::serve(&self.pd, call).await,
            "GetMinTS" => self.plain.min_ts(call).await,
            "GetClusterConfig" => self.plain.cluster_config(call).await,
            "IsBootstrapped" => self.plain.is_bootstrapped(call).await,
            "IsSnapshotRecovering" => self.plain.is_recovering(call).await,
            "GetStore" => self.stores.one(call).await,
            "GetAllStores" => self.stores.all(call).await,
            "GetRegion" => self.regions.by_key(call).await,
            "GetPrevRegion" => self.regions.before(call).await,
            "GetRegionByID" => self.regions.by_id(call).await,
            "ScanRegions" => self.regions.scan(call).await,
            "BatchScanRegions" => self.regions.batch_scan(call).await,
            "QueryRegion" => Ok(self.regions.query(call)),
            "SplitRegions" => self.splits.split(call).await,
            "SplitAndScatterRegions" => self.splits.split_and_scatter(call).await,
            "ScatterRegion" => self.splits.scatter(call).await,
            "GetOperator" => self.splits.operator(call).await,
            "LoadGlobalConfig" => self.own_values.load_config(call).await,
            "StoreGlobalConfig" => self.own_values.store_config(call).await,
            "WatchGlobalConfig" => self.own_values.watch_config(call).await,
            "GetExternalTimestamp" => self.own_values.external_ts(call).await,
            "SetExternalTimestamp" => self.own_values.set_external_ts(call).await,
            _ => self.serve_gc(call).await,
        }
    }

    async fn serve_gc(&self, call: Call) -> Result<Response<Frames>, Fault> {
        match call.rpc.method {
            "GetGCSafePoint" => self.gc.get(call).await,
            "UpdateGCSafePoint" => self.gc.update(call).await,
            "UpdateServiceGCSafePoint" => self.gc.update_service(call).await,
            "GetGCSafePointV2" => self.gc.get_v2(call).await,
            "UpdateGCSafePointV2" => self.gc.update_v2(call).await,
            "UpdateServiceSafePointV2" => self.gc.update_service_v2(call).await,
            "GetAllGCSafePointV2" => self.gc.get_all_v2(call).await,
            "GetGCState" => self.gc.state(call).await,
            "GetAllKeyspacesGCStates" => self.gc.all_states(call).await,
            "AdvanceTxnSafePoint" => self.gc.advance_txn(call).await,
            "AdvanceGCSafePoint" => self.gc.advance_gc(call).await,
            "SetGCBarrier" => self.gc.set_barrier(call).await,
            "DeleteGCBarrier" => self.gc.delete_barrier(call).await,
            _ => Err(unserved(&call)),
        }
    }

    async fn serve_keyspaces(&self, call: Call) -> Result<Response<Frames>, Fault> {
        match call.rpc.method {
            "GetAllKeyspaces" => self.keyspaces.all(call).await,
            "LoadKeyspace" => self.keyspaces.by_name(call).await,
            "LoadKeyspaceByID" => self.keyspaces.by_id(call).await,
            _ => Err(unserved(&call)),
        }
    }

    async fn serve_meta_storage(&self, call: Call) -> Result<Response<Frames>, Fault> {
        match call.rpc.method {
            "Get" => self.meta_storage.get(call).await,
            "Watch" => self.meta_storage.watch(call).await,
            _ => Err(unserved(&call)),
        }
    }

    async fn serve_resource_groups(&self, call: Call) -> Result<Response<Frames>, Fault> {
        match call.rpc.method {
            "ListResourceGroups" => self.resource_groups.list(call).await,
            "GetResourceGroup" => self.resource_groups.get(call).await,
            "AddResourceGroup" | "ModifyResourceGroup" => self.resource_groups.put(call).await,
            "DeleteResourceGroup" => self.resource_groups.delete(call).await,
            "AcquireTokenBuckets" => self.resource_groups.acquire(call).await,
            _ => Err(unserved(&call)),
        }
    }
}

fn unserved(call: &Call) -> Fault {
    Fault::UnknownRpc {
        path: call.rpc.path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
