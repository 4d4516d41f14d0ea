//! Service `KV`: keys mapped on the way in, stripped on the way out; leases checked.

use bytes::Bytes;
use mesh_proto::types::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
    TxnRequest, TxnResponse,
};

use super::{Session, choices, encoded, lease, txn as transaction};
use crate::fault::Fault;

pub(super) const RANGE: &str = "/etcdserverpb.KV/Range";
pub(super) const PUT: &str = "/etcdserverpb.KV/Put";
pub(super) const DELETE_RANGE: &str = "/etcdserverpb.KV/DeleteRange";
pub(super) const TXN: &str = "/etcdserverpb.KV/Txn";

pub(super) async fn range(session: &Session, mut request: RangeRequest) -> Result<Bytes, Fault> {
    choices::of_range(&request)?;
    session
        .namespace
        .map_range(&mut request.key, &mut request.range_end)?;
    let mut answer: RangeResponse = session.call(RANGE, &request).await?;
    session.namespace.strip_all(&mut answer.kvs)?;
    Ok(encoded(&answer))
}

pub(super) async fn put(session: &Session, mut request: PutRequest) -> Result<Bytes, Fault> {
    request.key = session.namespace.map_key(&request.key)?;
    lease::require(session, [request.lease]).await?;
    let mut answer: PutResponse = session.call(PUT, &request).await?;
    session.namespace.strip_all(&mut answer.prev_kv)?;
    Ok(encoded(&answer))
}

pub(super) async fn delete_range(
    session: &Session,
    mut request: DeleteRangeRequest,
) -> Result<Bytes, Fault> {
    session
        .namespace
        .map_range(&mut request.key, &mut request.range_end)?;
    let mut answer: DeleteRangeResponse = session.call(DELETE_RANGE, &request).await?;
    session.namespace.strip_all(&mut answer.prev_kvs)?;
    Ok(encoded(&answer))
}

pub(super) async fn txn(session: &Session, mut request: TxnRequest) -> Result<Bytes, Fault> {
    let leases = transaction::map(&session.namespace, &mut request)?;
    lease::require(session, leases).await?;
    let mut answer: TxnResponse = session.call(TXN, &request).await?;
    transaction::strip(&session.namespace, &mut answer)?;
    Ok(encoded(&answer))
}
