//! BatchCommands frames as TiDB and a store send them, of the sizes that are measured.

use anyhow::Result;
use bytes::Bytes;
use mesh_keyspace::Keyspace;
use mesh_proto::types::coprocessor;
use mesh_proto::types::kvrpcpb::{
    BatchGetRequest, BatchGetResponse, Context, ExecDetailsV2, GetRequest, GetResponse, KvPair,
    Mutation, PrewriteRequest, PrewriteResponse, TimeDetail,
};
use mesh_proto::types::metapb::{Peer, RegionEpoch};
use mesh_proto::types::tikvpb::batch_commands_request::{Request, request::Cmd};
use mesh_proto::types::tikvpb::batch_commands_response::{Response, response};
use mesh_proto::types::tikvpb::{BatchCommandsRequest, BatchCommandsResponse};
use prost::Message as _;

use super::peer::decorate_key;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From TiDB to a store.
    Request,
    /// Back.
    Response,
}

impl Direction {
    /// Full name of the message of a frame's entries.
    pub(super) fn entry(self) -> &'static str {
        match self {
            Self::Request => "tikvpb.BatchCommandsRequest.Request",
            Self::Response => "tikvpb.BatchCommandsResponse.Response",
        }
    }
}

/// A frame to be rewritten.
pub(super) struct Frame {
    pub(super) name: &'static str,
    pub(super) direction: Direction,
    pub(super) is_coprocessor: bool,
    /// Keys that have to be mapped.
    pub(super) keys: usize,
    pub(super) bytes: Bytes,
}

/// All frames of about `size` bytes; answers carry `keyspace`'s keys.
pub(super) fn all(size: usize, keyspace: &Keyspace) -> Result<Vec<Frame>> {
    let request = |name, keys_in: fn(usize) -> usize, build: fn(usize) -> Cmd, batch: bool| {
        grown(size, |count| {
            let cmds = if batch {
                vec![build(1); count]
            } else {
                vec![build(count)]
            };
            let keys = if batch {
                count * keys_in(1)
            } else {
                keys_in(count)
            };
            request_frame(name, keys, cmds)
        })
    };
    let mut frames = vec![
        request("Get", |_| 1, |_| get(), true),
        request("Prewrite", |mutations| mutations + 1, prewrite, false),
        request(
            "Coprocessor",
            |ranges| ranges * 2,
            coprocessor_request,
            false,
        ),
        request("BatchGet", |keys| keys, batch_get, false),
    ];
    frames.push(grown(size, |count| {
        response_frame("Get answer", 0, vec![got(); count])
    }));
    let prewritten = |count| response_frame("Prewrite answer", 0, vec![prewritten(); count]);
    frames.push(grown(size, prewritten));
    let rows = |count| response_frame("Coprocessor answer", 0, vec![rows(count)]);
    frames.push(grown(size, rows));
    let (mut pairs, count) = (Vec::new(), size / 64 + 1);
    for number in 0..count {
        let mut key = row_key(number as u64);
        decorate_key(keyspace, &mut key)?;
        pairs.push(KvPair {
            key,
            value: Bytes::from_static(&[0x77; 96]),
            ..KvPair::default()
        });
    }
    frames.push(grown(size, |count| {
        let pairs = pairs.iter().take(count).cloned().collect();
        let answer = BatchGetResponse {
            pairs,
            ..BatchGetResponse::default()
        };
        response_frame(
            "BatchGet answer",
            count,
            vec![response::Cmd::BatchGet(answer)],
        )
    }));
    Ok(frames)
}

/// The largest frame that is not above `size`, or the smallest there is.
fn grown(size: usize, build: impl Fn(usize) -> Frame) -> Frame {
    let mut best = build(1);
    for count in 2.. {
        let next = build(count);
        if next.bytes.len() > size {
            break;
        }
        best = next;
    }
    best
}

fn request_frame(name: &'static str, keys: usize, cmds: Vec<Cmd>) -> Frame {
    let request_ids = (100_000..).take(cmds.len()).collect();
    let is_coprocessor = cmds.iter().any(|cmd| matches!(cmd, Cmd::Coprocessor(_)));
    let requests = cmds
        .into_iter()
        .map(|cmd| Request { cmd: Some(cmd) })
        .collect();
    let client_send_time_ns = 1_700_000_000_000_000_000;
    let frame = BatchCommandsRequest {
        requests,
        request_ids,
        client_send_time_ns,
    };
    let bytes = frame.encode_to_vec().into();
    Frame {
        name,
        direction: Direction::Request,
        is_coprocessor,
        keys,
        bytes,
    }
}

fn response_frame(name: &'static str, keys: usize, cmds: Vec<response::Cmd>) -> Frame {
    let request_ids = (100_000..).take(cmds.len()).collect();
    let is_coprocessor = cmds
        .iter()
        .any(|cmd| matches!(cmd, response::Cmd::Coprocessor(_)));
    let responses = cmds
        .into_iter()
        .map(|cmd| Response { cmd: Some(cmd) })
        .collect();
    let frame = BatchCommandsResponse {
        responses,
        request_ids,
        ..BatchCommandsResponse::default()
    };
    let bytes = frame.encode_to_vec().into();
    Frame {
        name,
        direction: Direction::Response,
        is_coprocessor,
        keys,
        bytes,
    }
}

/// What TiDB 9 fills in for an ordinary statement.
fn context() -> Context {
    Context {
        region_id: 1234,
        region_epoch: Some(RegionEpoch {
            conf_ver: 5,
            version: 77,
        }),
        peer: Some(Peer {
            id: 1235,
            store_id: 1,
            ..Peer::default()
        }),
        max_execution_duration_ms: 60_000,
        resource_group_tag: Bytes::from_static(&[0x5a; 36]),
        request_source: "external_Select".to_owned(),
        cluster_id: 7_300_000_000_000_000_000,
        ..Context::default()
    }
}

fn row_key(row: u64) -> Bytes {
    let mut key = b"t".to_vec();
    key.extend(0x8000_0000_0000_0068_u64.to_be_bytes());
    key.extend(b"_r");
    key.extend((0x8000_0000_0000_0000_u64 + row).to_be_bytes());
    key.into()
}

fn rows_from(count: usize) -> impl Iterator<Item = Bytes> {
    (1..).take(count).map(row_key)
}

fn get() -> Cmd {
    Cmd::Get(GetRequest {
        context: Some(context()),
        key: row_key(42),
        version: 451_234_567_890_123_456,
        ..GetRequest::default()
    })
}

fn batch_get(count: usize) -> Cmd {
    Cmd::BatchGet(BatchGetRequest {
        context: Some(context()),
        keys: rows_from(count).collect(),
        version: 451_234_567_890_123_456,
        ..BatchGetRequest::default()
    })
}

fn prewrite(count: usize) -> Cmd {
    let mutation = |key| Mutation {
        key,
        value: Bytes::from_static(&[0x77; 96]),
        ..Mutation::default()
    };
    Cmd::Prewrite(PrewriteRequest {
        context: Some(context()),
        mutations: rows_from(count).map(mutation).collect(),
        primary_lock: row_key(1),
        start_version: 451_234_567_890_123_456,
        lock_ttl: 3_000,
        txn_size: count as u64,
        ..PrewriteRequest::default()
    })
}

/// A scan; the plan's bytes are opaque in all modes unless it reads the column −3.
fn coprocessor_request(count: usize) -> Cmd {
    let range = |start: Bytes| {
        let mut end = start.to_vec();
        end.push(0);
        coprocessor::KeyRange {
            start,
            end: end.into(),
        }
    };
    Cmd::Coprocessor(coprocessor::Request {
        context: Some(context()),
        tp: 103,
        data: Bytes::from_static(&[0x08; 64]),
        ranges: rows_from(count).map(range).collect(),
        start_ts: 451_234_567_890_123_456,
        paging_size: 128,
        ..coprocessor::Request::default()
    })
}

fn details() -> Option<ExecDetailsV2> {
    let time_detail = Some(TimeDetail {
        process_wall_time_ms: 1,
        ..TimeDetail::default()
    });
    Some(ExecDetailsV2 {
        time_detail,
        ..ExecDetailsV2::default()
    })
}

fn got() -> response::Cmd {
    response::Cmd::Get(GetResponse {
        value: Bytes::from_static(&[0x77; 190]),
        exec_details_v2: details(),
        ..GetResponse::default()
    })
}

fn prewritten() -> response::Cmd {
    response::Cmd::Prewrite(PrewriteResponse {
        min_commit_ts: 451_234_567_890_123_457,
        exec_details_v2: details(),
        ..PrewriteResponse::default()
    })
}

fn rows(count: usize) -> response::Cmd {
    response::Cmd::Coprocessor(coprocessor::Response {
        data: vec![0x77; count * 190].into(),
        exec_details_v2: details(),
        ..coprocessor::Response::default()
    })
}
