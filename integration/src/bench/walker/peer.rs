//! The usual way: decode the whole frame, map the keys with the same codec, encode it again. Bytes
//! fields are decoded without a copy, which is the fastest that this way can be.

use anyhow::Result;
use bytes::Bytes;
use mesh_keyspace::{Form, Keyspace, LogicalKey, PhysicalKey};
use mesh_proto::types::coprocessor;
use mesh_proto::types::tikvpb::batch_commands_request::request::Cmd;
use mesh_proto::types::tikvpb::batch_commands_response::response;
use mesh_proto::types::tikvpb::{BatchCommandsRequest, BatchCommandsResponse};
use prost::Message as _;

pub(super) fn decorate(frame: Bytes, keyspace: &Keyspace, out: &mut Vec<u8>) -> Result<()> {
    let mut frame = BatchCommandsRequest::decode(frame)?;
    for request in &mut frame.requests {
        match &mut request.cmd {
            Some(Cmd::Get(get)) => decorate_key(keyspace, &mut get.key)?,
            Some(Cmd::BatchGet(get)) => {
                get.keys
                    .iter_mut()
                    .try_for_each(|key| decorate_key(keyspace, key))?;
            }
            Some(Cmd::Prewrite(prewrite)) => {
                decorate_key(keyspace, &mut prewrite.primary_lock)?;
                for mutation in &mut prewrite.mutations {
                    decorate_key(keyspace, &mut mutation.key)?;
                }
                for secondary in &mut prewrite.secondaries {
                    decorate_key(keyspace, secondary)?;
                }
            }
            Some(Cmd::Coprocessor(coprocessor)) => {
                for range in &mut coprocessor.ranges {
                    decorate_range(keyspace, range)?;
                }
            }
            _ => {}
        }
    }
    Ok(frame.encode(out)?)
}

pub(super) fn undecorate(frame: Bytes, keyspace: &Keyspace, out: &mut Vec<u8>) -> Result<()> {
    let mut frame = BatchCommandsResponse::decode(frame)?;
    for answer in &mut frame.responses {
        if let Some(response::Cmd::BatchGet(get)) = &mut answer.cmd {
            for pair in &mut get.pairs {
                undecorate_key(keyspace, &mut pair.key)?;
            }
        }
    }
    Ok(frame.encode(out)?)
}

pub(super) fn decorate_key(keyspace: &Keyspace, key: &mut Bytes) -> Result<()> {
    let mut physical = Vec::with_capacity(key.len() + 8);
    keyspace.encode_key(Form::Raw, LogicalKey(key), &mut physical)?;
    *key = physical.into();
    Ok(())
}

fn undecorate_key(keyspace: &Keyspace, key: &mut Bytes) -> Result<()> {
    let mut logical = Vec::with_capacity(key.len());
    keyspace.decode_key(Form::Raw, PhysicalKey(key), &mut logical)?;
    *key = logical.into();
    Ok(())
}

fn decorate_range(keyspace: &Keyspace, range: &mut coprocessor::KeyRange) -> Result<()> {
    let mut start = Vec::with_capacity(range.start.len() + 8);
    let mut end = Vec::with_capacity(range.end.len() + 8);
    keyspace.encode_range_into(
        Form::Raw,
        false,
        &range.start,
        &range.end,
        &mut start,
        &mut end,
    )?;
    range.start = start.into();
    range.end = end.into();
    Ok(())
}
