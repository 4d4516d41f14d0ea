//! The registry against a real PD.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod claims;
mod following;
mod outages;
mod pd;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use mesh_tenants::{EtcdClient, Registry, TenantName};

pub async fn registry(pd: &pd::Pd, ports: RangeInclusive<u16>) -> Registry {
    Registry::new(EtcdClient::connect(&[pd.endpoint()]).await.unwrap(), ports)
}

pub fn name(text: &str) -> TenantName {
    text.parse().unwrap()
}

pub fn stores(ids: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    ids.into_iter().collect()
}
