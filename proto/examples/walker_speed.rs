//! A quick figure while tuning the walker: BatchCommands frames of about 1 KiB, ours against
//! decode–map–encode. Takes the number of calls per round. Published figures come from `bench-mesh`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{fs, hint::black_box, time::Instant};

use bytes::Bytes;
use mesh_proto::{
    At, Bounds, Form, Hook, KeyMap, Nested, Range, Unhandled, Verdict, WalkError, Walker, tables,
    types::{
        kvrpcpb::{Context, GetRequest, GetResponse, context::Keyspace},
        metapb::{Peer, RegionEpoch},
        tikvpb::{
            BatchCommandsRequest, BatchCommandsResponse,
            batch_commands_request::{Request, request::Cmd},
            batch_commands_response::{Response, response},
        },
    },
};
use prost::Message as _;

const TENANT: &[u8] = &[0x00, 0x03];

/// Patches two bytes (`table` mode) or puts four in front.
struct Map {
    grow: bool,
    context_walked: bool,
}

impl Map {
    fn edit(&self, key: &[u8], out: &mut Vec<u8>) {
        if self.grow {
            out.extend_from_slice(b"x\0\0\x07");
            out.extend_from_slice(key);
            return;
        }
        let at = out.len();
        out.extend_from_slice(key);
        if let Some(room) = out.get_mut(at + 1..at + 3) {
            room.copy_from_slice(TENANT);
        }
    }
}

impl KeyMap for Map {
    type Error = Unhandled;

    fn key(&mut self, _: At, _: Form, key: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Unhandled> {
        self.edit(key, out);
        Ok(Verdict::Keep)
    }

    fn range(&mut self, _: At, range: Range<'_>, out: &mut Bounds) -> Result<Verdict, Unhandled> {
        self.edit(range.start, &mut out.start);
        self.edit(range.end, &mut out.end);
        Ok(Verdict::Keep)
    }

    fn wants(&self, hook: Hook) -> bool {
        !(self.context_walked && hook == Hook::Context)
    }

    fn hook(
        &mut self,
        hook: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<Unhandled>> {
        match hook {
            Hook::Context if !self.context_walked => Ok(Verdict::Same),
            _ => nested.edit(body, self, out),
        }
    }
}

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
        resource_group_tag: vec![0x5a; 36].into(),
        request_source: "external_Select".into(),
        buckets_version: 3,
        cluster_id: 7_300_000_000_000_000_000,
        keyspace: Some(Keyspace::KeyspaceId(0xffff_ffff)),
        ..Context::default()
    }
}

fn key(row: u64) -> Bytes {
    let mut key = b"t".to_vec();
    key.extend((0x8000_0000_0000_0068_u64).to_be_bytes());
    key.extend(b"_r");
    key.extend((0x8000_0000_0000_0000_u64 + row).to_be_bytes());
    key.into()
}

fn request(count: u64) -> Vec<u8> {
    let get = |row| GetRequest {
        context: Some(context()),
        key: key(row),
        version: 451_234_567_890_123_456,
        ..GetRequest::default()
    };
    let requests = (0..count)
        .map(|row| Request {
            cmd: Some(Cmd::Get(get(row))),
        })
        .collect();
    let request_ids = (100_000..100_000 + count).collect();
    BatchCommandsRequest {
        requests,
        request_ids,
        client_send_time_ns: 1_700_000_000_000_000_000,
    }
    .encode_to_vec()
}

fn response(count: u64) -> Vec<u8> {
    let get = || GetResponse {
        value: vec![0x77; 96].into(),
        ..GetResponse::default()
    };
    let responses = (0..count)
        .map(|_| Response {
            cmd: Some(response::Cmd::Get(get())),
        })
        .collect();
    let request_ids = (100_000..100_000 + count).collect();
    BatchCommandsResponse {
        responses,
        request_ids,
        ..Default::default()
    }
    .encode_to_vec()
}

fn by_prost(bytes: &Bytes, map: &Map, out: &mut Vec<u8>) {
    let mut frame = BatchCommandsRequest::decode(bytes.clone()).unwrap();
    for request in &mut frame.requests {
        if let Some(Cmd::Get(get)) = &mut request.cmd {
            let mut new = Vec::with_capacity(get.key.len() + 4);
            map.edit(&get.key, &mut new);
            get.key = new.into();
        }
    }
    frame.encode(out).unwrap();
}

/// CPU time of this thread in seconds where Linux tells it, since the machine may be busy.
fn cpu_seconds(since: Instant) -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| since.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

/// Median nanoseconds of a call, over rounds of many calls.
fn time(mut call: impl FnMut()) -> f64 {
    let rounds = 7;
    let calls = std::env::args()
        .nth(1)
        .map_or(200_000, |text| text.parse().unwrap());
    let mut figures: Vec<f64> = (0..rounds)
        .map(|_| {
            let since = Instant::now();
            let start = cpu_seconds(since);
            (0..calls).for_each(|_| call());
            (cpu_seconds(since) - start) / f64::from(calls) * 1e9
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    figures.get(rounds / 2).copied().unwrap_or_default()
}

fn report(name: &str, len: usize, nanos: f64) {
    println!(
        "{name:44} {len:6} B {nanos:9.0} ns {:7.2} GB/s",
        len as f64 / nanos
    );
}

fn main() {
    let request_table = tables::message("tikvpb.BatchCommandsRequest").unwrap();
    let response_table = tables::message("tikvpb.BatchCommandsResponse").unwrap();
    let mut walker = Walker::new();
    let mut out = Vec::new();
    for count in [1, 7] {
        let frame = Bytes::from(request(count));
        for (name, grow, context_walked) in [
            ("in place, context passed", false, false),
            ("in place", false, true),
            ("growing", true, true),
        ] {
            let mut map = Map {
                grow,
                context_walked,
            };
            let nanos = time(|| {
                out.clear();
                let _ =
                    black_box(walker.rewrite(request_table, black_box(&frame), &mut map, &mut out))
                        .unwrap();
            });
            report(&format!("{count} gets, {name}"), frame.len(), nanos);
        }
        let map = Map {
            grow: true,
            context_walked: true,
        };
        let nanos = time(|| {
            out.clear();
            by_prost(black_box(&frame), &map, &mut out);
        });
        report(&format!("{count} gets, prost, growing"), frame.len(), nanos);
        let answer = response(count);
        let mut map = Map {
            grow: true,
            context_walked: true,
        };
        let nanos = time(|| {
            out.clear();
            let _ = black_box(walker.edit(response_table, black_box(&answer), &mut map, &mut out))
                .unwrap();
        });
        report(
            &format!("{count} answers, nothing to edit"),
            answer.len(),
            nanos,
        );
    }
}
