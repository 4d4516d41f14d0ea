use bytes::Bytes;
use mesh_proto::types::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
};
use mesh_proto::types::mvccpb::KeyValue;
use proptest::prelude::*;

use super::*;

const PREFIX: &str = "/tidb-mesh-data/00000007/";

fn space() -> Namespace {
    Namespace::new(PREFIX)
}

fn request(request: Request) -> RequestOp {
    RequestOp {
        request: Some(request),
    }
}

fn response(response: Response) -> ResponseOp {
    ResponseOp {
        response: Some(response),
    }
}

fn key() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 1..6).prop_map(Bytes::from)
}

fn end() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..3).prop_map(Bytes::from)
}

/// Requests of any shape, nested three deep.
fn request_op() -> impl Strategy<Value = RequestOp> {
    let leaf = prop_oneof![
        (key(), end()).prop_map(|(key, range_end)| {
            request(Request::RequestRange(RangeRequest {
                key,
                range_end,
                ..Default::default()
            }))
        }),
        (key(), 0i64..4).prop_map(|(key, lease)| {
            request(Request::RequestPut(PutRequest {
                key,
                lease,
                ..Default::default()
            }))
        }),
        (key(), end()).prop_map(|(key, range_end)| {
            let delete = DeleteRangeRequest {
                key,
                range_end,
                ..Default::default()
            };
            request(Request::RequestDeleteRange(delete))
        }),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        let ops = || prop::collection::vec(inner.clone(), 0..3);
        (prop::collection::vec((key(), end()), 0..2), ops(), ops()).prop_map(
            |(compares, success, failure)| {
                let compare = compares.into_iter().map(|(key, range_end)| Compare {
                    key,
                    range_end,
                    ..Default::default()
                });
                let compare = compare.collect();
                request(Request::RequestTxn(TxnRequest {
                    compare,
                    success,
                    failure,
                }))
            },
        )
    })
}

/// Every key and end of an operation, and its leases.
fn seen(op: &RequestOp, keys: &mut Vec<(Bytes, Bytes)>, leases: &mut BTreeSet<i64>) {
    match op.request.as_ref().unwrap() {
        Request::RequestRange(range) => keys.push((range.key.clone(), range.range_end.clone())),
        Request::RequestPut(put) => {
            keys.push((put.key.clone(), Bytes::new()));
            leases.insert(put.lease);
        }
        Request::RequestDeleteRange(delete) => {
            keys.push((delete.key.clone(), delete.range_end.clone()));
        }
        Request::RequestTxn(txn) => {
            for compare in &txn.compare {
                keys.push((compare.key.clone(), compare.range_end.clone()));
            }
            for op in txn.success.iter().chain(&txn.failure) {
                seen(op, keys, leases);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_key_at_every_depth_is_mapped_and_every_lease_reported(op in request_op()) {
        let (mut before, mut leases) = (Vec::new(), BTreeSet::new());
        seen(&op, &mut before, &mut leases);
        let mut txn = TxnRequest { success: vec![op], ..Default::default() };
        let reported = map(&space(), &mut txn).unwrap();
        let (mut after, mut same) = (Vec::new(), BTreeSet::new());
        seen(&txn.success[0], &mut after, &mut same);
        prop_assert_eq!(reported, leases);
        prop_assert_eq!(before.len(), after.len());
        for ((key, end), (low, high)) in before.iter().zip(&after) {
            prop_assert_eq!(low, &space().map_key(key).unwrap());
            prop_assert_eq!(high, &space().map_end(end));
        }
    }
}

fn pair(key: &str) -> KeyValue {
    KeyValue {
        key: Bytes::copy_from_slice(key.as_bytes()),
        ..Default::default()
    }
}

/// An answer of every kind, the last one nested, all with the same key.
fn answer(key: &str) -> TxnResponse {
    let nested = TxnResponse {
        responses: vec![response(Response::ResponseDeleteRange(
            DeleteRangeResponse {
                prev_kvs: vec![pair(key)],
                ..Default::default()
            },
        ))],
        ..Default::default()
    };
    let put = PutResponse {
        prev_kv: Some(pair(key)),
        ..Default::default()
    };
    let range = RangeResponse {
        kvs: vec![pair(key), pair(key)],
        ..Default::default()
    };
    TxnResponse {
        responses: vec![
            response(Response::ResponseRange(range)),
            response(Response::ResponsePut(put)),
            response(Response::ResponseTxn(nested)),
        ],
        ..Default::default()
    }
}

#[test]
fn answers_are_stripped_at_every_depth() {
    let mut given = answer(&format!("{PREFIX}a"));
    strip(&space(), &mut given).unwrap();
    assert_eq!(given, answer("a"));
}

#[test]
fn one_foreign_key_at_any_depth_is_a_fault() {
    for spoiled in 0..3 {
        let mut given = answer(&format!("{PREFIX}a"));
        given.responses[spoiled] = answer("/tidb-mesh-data/00000008/a").responses[spoiled].clone();
        assert!(strip(&space(), &mut given).is_err(), "{spoiled}");
    }
}

#[test]
fn what_is_not_understood_does_not_pass() {
    let mut txn = TxnRequest {
        failure: vec![RequestOp { request: None }],
        ..Default::default()
    };
    assert!(map(&space(), &mut txn).is_err());
    let mut answer = TxnResponse {
        responses: vec![ResponseOp { response: None }],
        ..Default::default()
    };
    assert!(strip(&space(), &mut answer).is_err());
    let mut txn = TxnRequest {
        compare: vec![Compare::default()],
        ..Default::default()
    };
    assert!(map(&space(), &mut txn).is_err(), "an empty key");
}

#[test]
fn leases_of_one_transaction_are_bounded() {
    let put = |lease| {
        request(Request::RequestPut(PutRequest {
            key: "a".into(),
            lease,
            ..Default::default()
        }))
    };
    let mut txn = TxnRequest {
        success: (1..=128).map(put).collect(),
        ..Default::default()
    };
    assert_eq!(map(&space(), &mut txn.clone()).unwrap().len(), 128);
    txn.failure.push(put(129));
    assert!(map(&space(), &mut txn).is_err());
}
