//! Stores as a tenant sees them: the same stores under the gateway's addresses.
//!
//! A store's own addresses never pass. A store that the tenant has no address for yet is not
//! listed; asked for by id it is "not available yet", since a client takes "not found" for a
//! store that is gone for good.

use std::sync::Arc;

use mesh_proto::types::{metapb, pdpb};

use super::{header, request};
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::tenant::Tenant;
use crate::upstream::{self, Pd};

/// Answers for GetStore and GetAllStores.
pub(super) struct StoreList {
    pd: Arc<Pd>,
}

impl StoreList {
    pub(super) fn new(pd: Arc<Pd>) -> StoreList {
        StoreList { pd }
    }

    pub(super) async fn one(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetStoreRequest>(call).await?;
        let mut answer: pdpb::GetStoreResponse =
            self.pd.call("/pdpb.PD/GetStore", &request).await?;
        answer.stats = answer.stats.map(without_regions);
        if let Some(store) = answer.store.take() {
            if is_hidden(&store) {
                answer = not_found(answer, store.id);
            } else {
                let id = store.id;
                answer.store =
                    Some(under_our_address(&tenant, store).ok_or_else(|| no_address(id))?);
            }
        }
        Ok(grpc::unary(&answer))
    }

    pub(super) async fn all(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetAllStoresRequest>(call).await?;
        let mut answer: pdpb::GetAllStoresResponse =
            self.pd.call("/pdpb.PD/GetAllStores", &request).await?;
        let stores = answer.stores.into_iter().filter(|store| !is_hidden(store));
        answer.stores = stores
            .filter_map(|store| under_our_address(&tenant, store))
            .collect();
        Ok(grpc::unary(&answer))
    }
}

fn is_hidden(store: &metapb::Store) -> bool {
    upstream::is_tiflash(store) || store.state() == metapb::StoreState::Tombstone
}

/// PD's words: clients drop the store's peers when they read them.
fn not_found(answer: pdpb::GetStoreResponse, id: u64) -> pdpb::GetStoreResponse {
    let text = format!("invalid store ID {id}, not found");
    let header = header::failed(answer.header, pdpb::ErrorType::Unknown, text);
    pdpb::GetStoreResponse {
        header,
        ..pdpb::GetStoreResponse::default()
    }
}

/// Load of the whole store is told; which regions of whom cause it is not.
fn without_regions(stats: pdpb::StoreStats) -> pdpb::StoreStats {
    pdpb::StoreStats {
        peer_stats: Vec::new(),
        damaged_regions_id: Vec::new(),
        snapshot_stats: Vec::new(),
        dfs: Vec::new(),
        ..stats
    }
}

fn no_address(id: u64) -> Fault {
    Fault::Unavailable(format!("store {id} has no address for this tenant yet"))
}

fn under_our_address(tenant: &Tenant, store: metapb::Store) -> Option<metapb::Store> {
    let address = tenant.store_address(store.id)?;
    Some(metapb::Store {
        peer_address: address.clone(),
        address,
        // Where a store serves HTTP is not reachable through the gateway; neither is its disk.
        status_address: String::new(),
        deploy_path: String::new(),
        ..store
    })
}
