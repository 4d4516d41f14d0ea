//! The stores of the storage cluster, followed in PD.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mesh_proto::types::{metapb, pdpb};
use tokio::sync::Notify;

use super::{Dialer, Pd};
use crate::fault::Fault;

/// How often PD is asked; a store that moves is also asked for at once by [`Stores::refresh`].
const POLL: Duration = Duration::from_secs(5);

/// One TiKV store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Id in PD.
    pub id: u64,
    /// `host:port` of its gRPC server.
    pub address: String,
    /// TiKV version it reports.
    pub version: String,
}

/// Live list of stores by id. TiFlash stores and tombstones are not in it.
pub struct Stores {
    pd: Arc<Pd>,
    table: ArcSwap<BTreeMap<u64, Store>>,
    changed: Notify,
}

impl Stores {
    /// An empty list; filled by [`Stores::refresh`] and [`Stores::follow`].
    pub fn new(pd: Arc<Pd>) -> Stores {
        Stores {
            pd,
            table: ArcSwap::default(),
            changed: Notify::new(),
        }
    }

    /// The stores as last seen.
    pub fn all(&self) -> Arc<BTreeMap<u64, Store>> {
        self.table.load_full()
    }

    /// How stores are reached.
    pub fn dialer(&self) -> &Dialer {
        self.pd.dialer()
    }

    /// Address of a store as last seen.
    pub fn address(&self, id: u64) -> Option<String> {
        self.table
            .load()
            .get(&id)
            .map(|store| store.address.clone())
    }

    /// Ends when the list changes.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Asks PD now.
    ///
    /// # Errors
    /// As [`Pd::call`].
    pub async fn refresh(&self) -> Result<(), Fault> {
        let request = pdpb::GetAllStoresRequest {
            header: self.pd.header().await?,
            exclude_tombstone_stores: true,
        };
        let answer: pdpb::GetAllStoresResponse =
            self.pd.call("/pdpb.PD/GetAllStores", &request).await?;
        let table: BTreeMap<u64, Store> = answer
            .stores
            .into_iter()
            .filter(|store| !is_tiflash(store))
            .map(|store| {
                (
                    store.id,
                    Store {
                        id: store.id,
                        address: store.address,
                        version: store.version,
                    },
                )
            })
            .collect();
        if **self.table.load() != table {
            self.table.store(Arc::new(table));
            self.changed.notify_waiters();
        }
        Ok(())
    }

    /// Asks PD for ever.
    pub async fn follow(&self) {
        loop {
            if let Err(fault) = self.refresh().await {
                tracing::warn!(error = %fault, "stores not refreshed");
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Whether a store is a TiFlash node, which reads table ids and schemas that it would not find
/// under a tenant's keys.
pub fn is_tiflash(store: &metapb::Store) -> bool {
    store
        .labels
        .iter()
        .any(|label| label.key == "engine" && label.value.starts_with("tiflash"))
}
