//! Messages that code sees as a whole: one case for each hook, which its table alone gets wrong.

use mesh_gateway::exchange::Exchange;
use mesh_gateway::physical_table_id::{Column, Width};
use mesh_keyspace::{Keyspace, Mode, TenantId};
use mesh_proto::types::{coprocessor, deadlock, errorpb, import_sstpb, kvrpcpb, metapb, tipb};
use mesh_proto::wire::{put_bytes_field, put_varint_field};
use mesh_proto::{Class, Hook, Message, fields, tables};
use prost::Message as _;

use crate::isolation::{Checked, down, up};
use crate::plant::{encoded, neighbour, own, row_key};

fn table(name: &str) -> &'static Message {
    tables::message(name).unwrap()
}

fn key() -> Vec<u8> {
    row_key(112, 7)
}

fn context() -> Option<kvrpcpb::Context> {
    Some(kvrpcpb::Context {
        region_id: 9,
        region_epoch: Some(metapb::RegionEpoch {
            conf_ver: 1,
            version: 2,
        }),
        ..Default::default()
    })
}

fn must(holds: bool, law: &str) -> Checked {
    if holds { Ok(()) } else { Err(law.to_owned()) }
}

/// The case of the hook on this message; `None` when its frames never pass the key phases whole.
pub fn checked(hook: Hook, message: &'static Message) -> Option<Checked> {
    Some(match hook {
        Hook::Context => context_of_another_mode(),
        Hook::CopRequest => cop_request(),
        Hook::CopResponse => cop_response(),
        Hook::Deadlock => deadlock_hash(),
        Hook::WaitForEntry => wait_for_entry(),
        Hook::KeyNotInRegion => key_not_in_region(),
        Hook::UnsafeDestroyRange => unsafe_destroy_range(),
        Hook::ResolveLock | Hook::PessimisticRollback | Hook::MvccByStartTs | Hook::Flashback => {
            names_no_key(message)
        }
        Hook::SstMeta => file_of_a_store(),
        Hook::BatchCommandsRequest | Hook::BatchCommandsResponse => return None,
    })
}

/// Only in `table` mode is a context what its table says.
fn context_of_another_mode() -> Checked {
    let keyspace =
        Keyspace::new(Mode::Keyspace, TenantId::new(Mode::Keyspace, 1).unwrap()).unwrap();
    let context = context().unwrap().encode_to_vec();
    let out = up(&keyspace, table("kvrpcpb.Context"), &context);
    must(
        out.is_err() || out.is_ok_and(|(out, _)| out != context),
        "a context of mode keyspace passes as it came",
    )
}

fn cop_request() -> Checked {
    let request = coprocessor::Request {
        context: context(),
        tp: 105,
        data: tipb::ChecksumRequest::default().encode_to_vec().into(),
        ranges: vec![coprocessor::KeyRange {
            start: row_key(112, 0).into(),
            end: row_key(112, 9).into(),
        }],
        ..Default::default()
    };
    let table = table("coprocessor.Request");
    let (out, _) =
        up(&own(), table, &request.encode_to_vec()).map_err(|fault| fault.to_string())?;
    let data = coprocessor::Request::decode(&out[..]).unwrap().data;
    let rule = tipb::ChecksumRequest::decode(data)
        .unwrap()
        .rule
        .unwrap_or_default();
    must(
        rule.new_prefix() == &encoded(&own(), &key())[..9] && rule.old_prefix() == &key()[..9],
        "a checksum is computed over tagged keys",
    )?;
    let unknown = coprocessor::Request {
        tp: 4711,
        ..request
    };
    must(
        up(&own(), table, &unknown.encode_to_vec()).is_err(),
        "an unknown coprocessor type passes",
    )
}

fn cop_response() -> Checked {
    let tagged = own().encode_table_id(112).unwrap();
    // One column of eight bytes: length, no nulls, values.
    let mut rows = Vec::new();
    rows.extend_from_slice(&1_u32.to_le_bytes());
    rows.extend_from_slice(&0_u32.to_le_bytes());
    rows.extend_from_slice(&tagged.to_le_bytes());
    let select = tipb::SelectResponse {
        chunks: vec![tipb::Chunk {
            rows_data: Some(rows.into()),
            ..Default::default()
        }],
        encode_type: Some(1),
        ..Default::default()
    };
    let response = coprocessor::Response {
        data: select.encode_to_vec().into(),
        ..Default::default()
    };
    let exchange = Exchange {
        columns: Some(vec![Column {
            width: Width::Fixed(8),
            table_id: true,
        }]),
        ..Exchange::default()
    };
    let out = down(
        &exchange,
        table("coprocessor.Response"),
        &response.encode_to_vec(),
    )
    .map_err(|fault| fault.to_string())?;
    must(
        !out.windows(8).any(|window| window == tagged.to_le_bytes()),
        "a tagged table id comes out in a row",
    )?;
    let dump = format!("no such range: {:?}", encoded(&own(), &key()));
    let error = tipb::Error {
        code: Some(1),
        msg: Some(dump.clone().into()),
    };
    let select = tipb::SelectResponse {
        error: Some(error),
        ..Default::default()
    };
    let response = coprocessor::Response {
        data: select.encode_to_vec().into(),
        ..Default::default()
    };
    let table = table("coprocessor.Response");
    let out = down(&Exchange::default(), table, &response.encode_to_vec())
        .map_err(|fault| fault.to_string())?;
    must(
        !String::from_utf8_lossy(&out).contains(&dump),
        "an error beside rows names a physical key",
    )
}

fn deadlock_hash() -> Checked {
    let physical = encoded(&own(), &key());
    let report = kvrpcpb::Deadlock {
        deadlock_key_hash: farmhash::fingerprint64(&physical),
        deadlock_key: physical.into(),
        ..Default::default()
    };
    let out = down(
        &Exchange::default(),
        table("kvrpcpb.Deadlock"),
        &report.encode_to_vec(),
    )
    .map_err(|fault| fault.to_string())?;
    let report = kvrpcpb::Deadlock::decode(&out[..]).unwrap();
    must(
        report.deadlock_key_hash == farmhash::fingerprint64(&key()),
        "a deadlock's hash is not that of the tenant's key",
    )
}

fn wait_for_entry() -> Checked {
    let entry = |key: Vec<u8>| deadlock::WaitForEntry {
        key_hash: farmhash::fingerprint64(&key),
        key: key.into(),
        ..Default::default()
    };
    let waits = kvrpcpb::GetLockWaitInfoResponse {
        entries: vec![
            entry(encoded(&neighbour(), &key())),
            entry(encoded(&own(), &key())),
            deadlock::WaitForEntry {
                txn: 5,
                ..Default::default()
            },
        ],
        ..Default::default()
    };
    let table = table("kvrpcpb.GetLockWaitInfoResponse");
    let out = down(&Exchange::default(), table, &waits.encode_to_vec())
        .map_err(|fault| fault.to_string())?;
    let waits = kvrpcpb::GetLockWaitInfoResponse::decode(&out[..])
        .unwrap()
        .entries;
    must(
        waits.len() == 1 && waits[0].key_hash == farmhash::fingerprint64(&key()),
        "somebody else's wait, or a hash of a physical key, is shown",
    )
}

fn key_not_in_region() -> Checked {
    let error = errorpb::KeyNotInRegion {
        key: encoded(&own(), &key()).into(),
        region_id: 9,
        ..Default::default()
    };
    let out = down(
        &Exchange::default(),
        table("errorpb.KeyNotInRegion"),
        &error.encode_to_vec(),
    )
    .map_err(|fault| fault.to_string())?;
    let error = errorpb::KeyNotInRegion::decode(&out[..]).unwrap();
    must(error.key.is_empty(), "an engine key comes out")
}

fn unsafe_destroy_range() -> Checked {
    let request = kvrpcpb::UnsafeDestroyRangeRequest {
        context: context(),
        start_key: b"m".to_vec().into(),
        end_key: b"u".to_vec().into(),
    };
    let table = table("kvrpcpb.UnsafeDestroyRangeRequest");
    must(
        up(&own(), table, &request.encode_to_vec()).is_err(),
        "a range over both parts is destroyed at once",
    )
}

/// A file is found by its uuid alone, so a uuid says whose file it is, however often it is marked.
fn file_of_a_store() -> Checked {
    let table = table("import_sstpb.SSTMeta");
    let named = |keyspace: &Keyspace, uuid: &[u8]| {
        let meta = import_sstpb::SstMeta {
            uuid: uuid.to_vec().into(),
            ..Default::default()
        };
        let out = up(keyspace, table, &meta.encode_to_vec()).map_err(|fault| fault.to_string());
        out.map(|(out, _)| import_sstpb::SstMeta::decode(&out[..]).unwrap().uuid)
    };
    let chosen: Vec<u8> = (100..116).collect();
    let theirs = named(&neighbour(), &chosen)?;
    let stolen = named(&own(), &theirs)?;
    must(stolen != theirs, "the neighbour's file can be named")?;
    must(
        named(&own(), &stolen)? == stolen,
        "a tenant's file has another name the second time",
    )?;
    must(
        stolen[5..] == chosen[5..] && named(&own(), &chosen[..15]).is_err(),
        "a uuid keeps too little of itself, or none is taken for one",
    )
}

/// A request that names no key is bounded by its region, which must be noted.
fn names_no_key(message: &'static Message) -> Checked {
    let mut body = Vec::new();
    let context = context().unwrap().encode_to_vec();
    put_bytes_field(1, &context, &mut body);
    let (_, exchange) = up(&own(), message, &body).map_err(|fault| fault.to_string())?;
    must(
        exchange
            .bounded_by_region
            .is_some_and(|region| region.id == 9),
        "a request without keys is not held to its region",
    )
}

/// Even without its hook, a message shows no hash of a physical key: the row behind the hook holds.
pub fn hash_behind_hook(message: &'static Message) -> Checked {
    let physical = encoded(&own(), &key());
    let hash = farmhash::fingerprint64(&physical);
    let hash_field = message
        .fields
        .iter()
        .find(|field| field.class == Class::KeyHash)
        .unwrap();
    let key_field = message
        .fields
        .iter()
        .rfind(|field| field.class == Class::RawKey)
        .unwrap();
    let mut body = Vec::new();
    put_varint_field(hash_field.number, hash, &mut body);
    put_bytes_field(key_field.number, &physical, &mut body);
    let out = down(&Exchange::default(), message, &body).map_err(|fault| fault.to_string())?;
    let shown = fields(&out)
        .flatten()
        .find(|field| field.number == hash_field.number);
    must(
        shown.and_then(|field| field.varint()) != Some(hash),
        "the hash of a physical key is shown",
    )
}
