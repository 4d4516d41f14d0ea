//! A small client of etcd's v3 API, as PD embeds it.
//!
//! Why our own: see `docs/decisions/0002-etcd-client.md`. What must stay true:
//! - a write whose fate is unknown is reported as [`EtcdError::Uncertain`] and never repeated
//!   here; only the caller knows whether repeating is safe,
//! - reads move on to the next endpoint by themselves,
//! - every unary call ends within [`Timeouts::request`] per attempt.

mod calls;
mod error;
mod json;
mod pool;
mod watch;

pub use calls::EtcdClient;
pub use error::EtcdError;
pub use json::{Expect, Swap, Versioned};
pub(crate) use json::{decode, encode};
pub use pool::{Dial, InTheClear, Timeouts};
pub use watch::{Watch, WatchBatch, WatchEvent};

use mesh_proto::types::etcdserverpb as message;
use mesh_proto::types::mvccpb;
use message::compare::{CompareResult, CompareTarget, TargetUnion};
use message::request_op::Request as Operation;

/// A key with its value and revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// Key.
    pub key: Vec<u8>,
    /// Value; empty when only keys were asked for.
    pub value: Vec<u8>,
    /// Revision of the key's creation.
    pub create_revision: i64,
    /// Revision of the key's last change.
    pub mod_revision: i64,
    /// Lease that the key dies with; 0 for none.
    pub lease: i64,
}

impl From<mvccpb::KeyValue> for KeyValue {
    fn from(kv: mvccpb::KeyValue) -> Self {
        KeyValue {
            key: kv.key.into(),
            value: kv.value.into(),
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            lease: kv.lease,
        }
    }
}

/// Which keys a call is about: one key, or all keys with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    key: Vec<u8>,
    end: Vec<u8>,
}

impl Range {
    /// Exactly one key.
    pub fn key(key: impl Into<Vec<u8>>) -> Range {
        Range {
            key: key.into(),
            end: Vec::new(),
        }
    }

    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Range {
        let key = prefix.into();
        let end = prefix_end(&key);
        Range { key, end }
    }
}

/// First key after all keys with `prefix`: its last byte below 0xff plus one, the rest cut off.
/// Without such a byte the range is open, which etcd writes as one zero byte.
fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    vec![0]
}

/// All keys of a range as of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeOutcome {
    /// Pairs in key order.
    pub kvs: Vec<KeyValue>,
    /// Revision of the store that the answer was read at.
    pub revision: i64,
}

/// Condition of a transaction, about one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Compare(message::Compare);

impl Compare {
    /// The key does not exist.
    pub fn absent(key: impl Into<Vec<u8>>) -> Compare {
        Compare::equal(
            key.into(),
            CompareTarget::Create,
            TargetUnion::CreateRevision(0),
        )
    }

    /// The key exists.
    pub fn present(key: impl Into<Vec<u8>>) -> Compare {
        let exists = TargetUnion::CreateRevision(0);
        Compare::of(
            key.into(),
            CompareResult::Greater,
            CompareTarget::Create,
            exists,
        )
    }

    /// The key was last changed at `revision`.
    pub fn unchanged_since(key: impl Into<Vec<u8>>, revision: i64) -> Compare {
        Compare::equal(
            key.into(),
            CompareTarget::Mod,
            TargetUnion::ModRevision(revision),
        )
    }

    /// The key was created at `revision` and was not deleted since: what a lock's holder adds to a
    /// transaction to fence it.
    pub fn created_at(key: impl Into<Vec<u8>>, revision: i64) -> Compare {
        Compare::equal(
            key.into(),
            CompareTarget::Create,
            TargetUnion::CreateRevision(revision),
        )
    }

    fn equal(key: Vec<u8>, target: CompareTarget, against: TargetUnion) -> Compare {
        Compare::of(key, CompareResult::Equal, target, against)
    }

    fn of(
        key: Vec<u8>,
        result: CompareResult,
        target: CompareTarget,
        against: TargetUnion,
    ) -> Compare {
        Compare(message::Compare {
            result: result.into(),
            target: target.into(),
            key: key.into(),
            target_union: Some(against),
            ..message::Compare::default()
        })
    }
}

/// One step of a transaction's branch.
#[derive(Debug, Clone, PartialEq)]
pub struct Op(message::RequestOp);

impl Op {
    /// Reads.
    pub fn range(range: Range) -> Op {
        Op::of(Operation::RequestRange(range_request(range, false)))
    }

    /// Writes without a lease.
    pub fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Op {
        Op::put_leased(key, value, 0)
    }

    /// Writes; the key dies with the lease.
    pub fn put_leased(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>, lease: i64) -> Op {
        Op::of(Operation::RequestPut(put_request(
            key.into(),
            value.into(),
            lease,
        )))
    }

    /// Deletes.
    pub fn delete(range: Range) -> Op {
        Op::of(Operation::RequestDeleteRange(delete_request(range)))
    }

    fn of(operation: Operation) -> Op {
        Op(message::RequestOp {
            request: Some(operation),
        })
    }
}

fn range_request(range: Range, keys_only: bool) -> message::RangeRequest {
    message::RangeRequest {
        key: range.key.into(),
        range_end: range.end.into(),
        keys_only,
        ..message::RangeRequest::default()
    }
}

fn put_request(key: Vec<u8>, value: Vec<u8>, lease: i64) -> message::PutRequest {
    message::PutRequest {
        key: key.into(),
        value: value.into(),
        lease,
        ..message::PutRequest::default()
    }
}

fn delete_request(range: Range) -> message::DeleteRangeRequest {
    message::DeleteRangeRequest {
        key: range.key.into(),
        range_end: range.end.into(),
        ..message::DeleteRangeRequest::default()
    }
}

/// A transaction: if all conditions hold, `then` is done, otherwise `or_else`; both atomically.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Txn {
    compare: Vec<message::Compare>,
    then: Vec<message::RequestOp>,
    or_else: Vec<message::RequestOp>,
}

impl Txn {
    /// Largest number of conditions, and of steps of a branch, that etcd takes by default.
    pub const MAX_OPS: usize = 128;

    /// An empty transaction.
    pub fn new() -> Txn {
        Txn::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, compare: Compare) -> Txn {
        self.compare.push(compare.0);
        self
    }

    /// Adds a step for the case that all conditions hold.
    #[must_use]
    pub fn then(mut self, op: Op) -> Txn {
        self.then.push(op.0);
        self
    }

    /// Adds a step for the case that a condition fails.
    #[must_use]
    pub fn or_else(mut self, op: Op) -> Txn {
        self.or_else.push(op.0);
        self
    }
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnOutcome {
    /// Whether the conditions held.
    pub succeeded: bool,
    /// Revision of the store after the transaction.
    pub revision: i64,
    /// Answers of the branch's reads, in their order; writes leave none.
    pub reads: Vec<Vec<KeyValue>>,
}

/// A lease as granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Id.
    pub id: i64,
    /// Time to live.
    pub ttl: std::time::Duration,
}

#[cfg(test)]
mod tests {
    use super::prefix_end;

    #[test]
    fn the_end_of_a_prefix_carries() {
        assert_eq!(prefix_end(b"/a/"), b"/a0");
        assert_eq!(prefix_end(b"a\xff\xff"), b"b");
        assert_eq!(prefix_end(b"\xff"), b"\0");
        assert_eq!(prefix_end(b""), b"\0");
    }
}
