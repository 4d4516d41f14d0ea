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
        // A store's HTTP server is not reachable through the gateway: TiDB gets our address, where
        // HTTP is refused, because it takes a store's host from here when the rest is loopback.
        status_address: address.clone(),
        address,
        // Neither is its disk.
        deploy_path: String::new(),
        ..store
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pd::tests::tenant;

    fn store(id: u64) -> metapb::Store {
        metapb::Store {
            id,
            address: "10.0.0.1:20160".to_owned(),
            peer_address: "10.0.0.1:20170".to_owned(),
            status_address: "10.0.0.1:20180".to_owned(),
            deploy_path: "/data".to_owned(),
            version: "8.1.0".to_owned(),
            ..metapb::Store::default()
        }
    }

    #[test]
    fn no_real_address_shows() {
        let told = under_our_address(&tenant(), store(1)).unwrap();
        assert_eq!(told.address, "127.0.0.1:20001");
        assert_eq!(told.peer_address, "127.0.0.1:20001");
        assert_eq!(told.status_address, "127.0.0.1:20001");
        assert!(told.deploy_path.is_empty());
        assert_eq!(told.version, "8.1.0");
        assert!(under_our_address(&tenant(), store(2)).is_none());
    }

    #[test]
    fn tiflash_and_tombstones_are_hidden() {
        let label = metapb::StoreLabel {
            key: "engine".to_owned(),
            value: "tiflash".to_owned(),
        };
        assert!(is_hidden(&metapb::Store {
            labels: vec![label],
            ..store(1)
        }));
        let state = metapb::StoreState::Tombstone.into();
        assert!(is_hidden(&metapb::Store { state, ..store(1) }));
        assert!(!is_hidden(&store(1)));
    }

    #[test]
    fn a_hidden_store_is_not_found_in_words_that_clients_know() {
        let told = not_found(pdpb::GetStoreResponse::default(), 5);
        assert!(told.store.is_none() && told.stats.is_none());
        let header = header::good(7);
        let answer = pdpb::GetStoreResponse {
            header,
            ..Default::default()
        };
        let text = not_found(answer, 5).header.unwrap().error.unwrap().message;
        assert!(text.contains("invalid store ID") && text.contains("not found"));
    }
}
