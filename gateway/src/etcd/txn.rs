//! Transactions nest: a branch may hold transactions. The walk goes as deep as the message does,
//! and the decoder bounds that depth.

use std::collections::BTreeSet;

use mesh_proto::types::etcdserverpb::{
    Compare, RequestOp, ResponseOp, TxnRequest, TxnResponse, request_op::Request,
    response_op::Response,
};
use tonic::Status;

use super::choices;
use super::namespace::Namespace;
use crate::fault::Fault;

/// Distinct leases in one transaction; each may cost a question to etcd. etcd allows this many
/// operations by default.
const MAX_LEASES: usize = 128;

/// Maps every key of a transaction in place and tells which leases it would attach keys to.
pub(super) fn map(space: &Namespace, txn: &mut TxnRequest) -> Result<BTreeSet<i64>, Fault> {
    let mut leases = BTreeSet::new();
    map_into(space, txn, &mut leases)?;
    if leases.len() > MAX_LEASES {
        let text = "etcdserver: too many operations in txn request";
        return Err(Status::invalid_argument(text).into());
    }
    Ok(leases)
}

/// Strips every key of a transaction's answer in place.
pub(super) fn strip(space: &Namespace, answer: &mut TxnResponse) -> Result<(), Fault> {
    answer
        .responses
        .iter_mut()
        .try_for_each(|op| strip_op(space, op))
}

fn map_into(
    space: &Namespace,
    txn: &mut TxnRequest,
    leases: &mut BTreeSet<i64>,
) -> Result<(), Fault> {
    txn.compare
        .iter_mut()
        .try_for_each(|compare| map_compare(space, compare))?;
    txn.success
        .iter_mut()
        .try_for_each(|op| map_op(space, op, leases))?;
    txn.failure
        .iter_mut()
        .try_for_each(|op| map_op(space, op, leases))
}

/// A compare's target (a lease id among them) is a number or a value of the tenant's own keys:
/// nothing to map.
fn map_compare(space: &Namespace, compare: &mut Compare) -> Result<(), Fault> {
    choices::of_compare(compare)?;
    space.map_range(&mut compare.key, &mut compare.range_end)
}

fn map_op(space: &Namespace, op: &mut RequestOp, leases: &mut BTreeSet<i64>) -> Result<(), Fault> {
    match &mut op.request {
        Some(Request::RequestRange(range)) => {
            choices::of_range(range)?;
            space.map_range(&mut range.key, &mut range.range_end)
        }
        Some(Request::RequestPut(put)) => {
            put.key = space.map_key(&put.key)?;
            leases.insert(put.lease);
            Ok(())
        }
        Some(Request::RequestDeleteRange(delete)) => {
            space.map_range(&mut delete.key, &mut delete.range_end)
        }
        Some(Request::RequestTxn(nested)) => map_into(space, nested, leases),
        None => Err(Fault::BadRequest(
            "etcd: a transaction with an unknown operation".to_owned(),
        )),
    }
}

fn strip_op(space: &Namespace, op: &mut ResponseOp) -> Result<(), Fault> {
    match &mut op.response {
        Some(Response::ResponseRange(range)) => space.strip_all(&mut range.kvs),
        Some(Response::ResponsePut(put)) => space.strip_all(&mut put.prev_kv),
        Some(Response::ResponseDeleteRange(delete)) => space.strip_all(&mut delete.prev_kvs),
        Some(Response::ResponseTxn(nested)) => strip(space, nested),
        None => Err(Fault::BadAnswer(
            "etcd: an operation without an answer".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
