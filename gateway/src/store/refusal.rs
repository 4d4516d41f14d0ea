//! Answers to single requests that are not forwarded, in the form that the request's own answer
//! has for failing: a stream error would fail every request of the connection.

use mesh_proto::Message;
use mesh_proto::wire::put_bytes_field;

/// `abort` of kvrpcpb.KeyError: the statement fails with this text and is not tried again.
const KEY_ERROR_ABORT: u32 = 3;
/// `message` and `epoch_not_match` of errorpb.Error.
const REGION_ERROR_MESSAGE: u32 = 1;
const REGION_ERROR_EPOCH_NOT_MATCH: u32 = 5;

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
