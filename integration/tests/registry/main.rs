//! The registry against a real PD.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod claims;
mod fencing;
mod following;
mod outages;
mod pd;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use mesh_tenants::{EtcdClient, Registry, Replica, TenantName};

pub async fn registry(pd: &pd::Pd, ports: RangeInclusive<u16>) -> Registry {
    Registry::new(EtcdClient::connect(&[pd.endpoint()]).await.unwrap(), ports)
}

pub async fn replica(pd: &pd::Pd) -> Replica {
    let etcd = EtcdClient::connect(&[pd.endpoint()]).await.unwrap();
    Replica::join(etcd, Duration::from_secs(10), Duration::from_secs(1))
        .await
        .unwrap()
}

pub fn name(text: &str) -> TenantName {
    text.parse().unwrap()
}

pub fn stores(ids: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    ids.into_iter().collect()
}
