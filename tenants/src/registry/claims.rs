//! Claims: keys that exist to be compared against.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::etcd::{Compare, EtcdClient, EtcdError, Op, Range, Txn, encode};
use crate::{PortClaim, TenantName, paths};

pub(super) fn claim_store_ports(
    txn: Txn,
    tenant: &TenantName,
    ports: &BTreeMap<u64, u16>,
) -> Result<Txn, EtcdError> {
    let claim = |txn, (store, port): (&u64, &u16)| claim_port(txn, tenant, Some(*store), *port);
    ports.iter().try_fold(txn, claim)
}

pub(super) fn claim_port(
    txn: Txn,
    tenant: &TenantName,
    store: Option<u64>,
    port: u16,
) -> Result<Txn, EtcdError> {
    let key = paths::port(port);
    let claim = port_claim(tenant, store);
    Ok(txn
        .when(Compare::absent(key.clone()))
        .then(Op::put(key, encode(&claim)?)))
}

pub(super) fn port_claim(tenant: &TenantName, store: Option<u64>) -> PortClaim {
    PortClaim {
        tenant: tenant.clone(),
        store,
    }
}

/// The numbers that the keys with a prefix end in.
pub(super) async fn numbers<N: FromStr + Ord>(
    etcd: &EtcdClient,
    prefix: &str,
) -> Result<BTreeSet<N>, EtcdError> {
    let keys = etcd.keys(Range::prefix(prefix)).await?.kvs;
    keys.iter()
        .map(|kv| number_after(&kv.key, prefix))
        .collect()
}

/// A key that is no number could be a claim that we don't understand: not ours to ignore.
pub(super) fn number_after<N: FromStr>(key: &[u8], prefix: &str) -> Result<N, EtcdError> {
    let text = key
        .strip_prefix(prefix.as_bytes())
        .and_then(|rest| std::str::from_utf8(rest).ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed(key, &"the key does not end in a number"))
}

pub(super) fn malformed(key: &[u8], why: &dyn std::fmt::Display) -> EtcdError {
    EtcdError::Malformed(format!("{}: {why}", String::from_utf8_lossy(key)))
}
