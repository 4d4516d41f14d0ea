//! Answers to single requests that are not forwarded, in the form that the request's own answer
//! has for failing: a stream error would fail every request of the connection.

use mesh_proto::Message;
use mesh_proto::wire::{put_bytes_field, put_varint_field};

/// `abort` of kvrpcpb.KeyError: the statement fails with this text and is not tried again.
const KEY_ERROR_ABORT: u32 = 3;
/// `message`, `epoch_not_match` and `server_is_busy` of errorpb.Error.
const REGION_ERROR_MESSAGE: u32 = 1;
const REGION_ERROR_EPOCH_NOT_MATCH: u32 = 5;
const REGION_ERROR_SERVER_IS_BUSY: u32 = 6;
/// `reason`, `backoff_ms` and `estimated_wait_ms` of errorpb.ServerIsBusy.
const BUSY_REASON: u32 = 1;
const BUSY_BACKOFF_MS: u32 = 2;
const BUSY_ESTIMATED_WAIT_MS: u32 = 3;
/// A bucket of one second has refilled by half.
const BACKOFF_MS: u64 = 500;

/// A message of type `answer` that fails with `text`.
pub(super) fn failed(answer: &'static Message, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(number) = field_of_type(answer, "kvrpcpb.KeyError") {
        let mut error = Vec::new();
        put_bytes_field(KEY_ERROR_ABORT, text.as_bytes(), &mut error);
        put_bytes_field(number, &error, &mut body);
    } else if let Some(field) = error_text(answer) {
        put_bytes_field(field, text.as_bytes(), &mut body);
    } else if let Some(number) = field_of_type(answer, "errorpb.Error") {
        let mut error = Vec::new();
        put_bytes_field(REGION_ERROR_MESSAGE, text.as_bytes(), &mut error);
        put_bytes_field(number, &error, &mut body);
    }
    body
}

/// A message of type `answer` that tells the client to ask PD for the region again.
pub(super) fn epoch_not_match(answer: &'static Message) -> Vec<u8> {
    let mut error = Vec::new();
    put_bytes_field(REGION_ERROR_EPOCH_NOT_MATCH, &[], &mut error);
    let mut body = Vec::new();
    if let Some(number) = field_of_type(answer, "errorpb.Error") {
        put_bytes_field(number, &error, &mut body);
    }
    body
}

/// A message of type `answer` that tells the client to wait and try again; `None` where an answer has
/// no way to say so.
pub(super) fn server_is_busy(answer: &'static Message, reason: &str) -> Option<Vec<u8>> {
    let number = field_of_type(answer, "errorpb.Error")?;
    let mut busy = Vec::new();
    put_bytes_field(BUSY_REASON, reason.as_bytes(), &mut busy);
    put_varint_field(BUSY_BACKOFF_MS, BACKOFF_MS, &mut busy);
    // Told nothing, TiDB would take the store for a slow one and turn to others.
    put_varint_field(BUSY_ESTIMATED_WAIT_MS, BACKOFF_MS, &mut busy);
    let mut error = Vec::new();
    put_bytes_field(REGION_ERROR_MESSAGE, reason.as_bytes(), &mut error);
    put_bytes_field(REGION_ERROR_SERVER_IS_BUSY, &busy, &mut error);
    let mut body = Vec::new();
    put_bytes_field(number, &error, &mut body);
    Some(body)
}

fn field_of_type(message: &'static Message, name: &str) -> Option<u32> {
    let is_type = |field: &&mesh_proto::Field| field.child.is_some_and(|child| child.name == name);
    message
        .fields
        .iter()
        .find(is_type)
        .map(|field| field.number)
}

fn error_text(message: &'static Message) -> Option<u32> {
    let field = message
        .field_named("other_error")
        .or_else(|| message.field_named("error"))?;
    Some(field.number)
}
