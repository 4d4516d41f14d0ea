//! From a call's bytes to a typed request.
//!
//! prost forgives what the tables don't: unknown fields, repeated singular ones. A request is
//! therefore walked by its table first, and only one that passes is decoded.

use std::sync::Arc;

use bytes::Bytes;
use mesh_proto::{Rpc, Unknown, Walker};
use prost::Message;

use crate::fault::Fault;
use crate::grpc::Call;
use crate::tenant::Tenant;

/// The caller and the one request of a unary or server-streaming call.
pub(super) async fn take<Q: Message + Default>(mut call: Call) -> Result<(Arc<Tenant>, Q), Fault> {
    let frame = call.message().await?;
    let request = decode(call.rpc, &frame)?;
    Ok((call.tenant, request))
}

/// One request out of a frame.
pub(super) fn decode<Q: Message + Default>(rpc: &Rpc, frame: &Bytes) -> Result<Q, Fault> {
    check(rpc, frame)?;
    Q::decode(frame.clone()).map_err(|fault| Fault::BadRequest(fault.to_string()))
}

/// Walks a request by its table.
pub(super) fn check(rpc: &Rpc, frame: &Bytes) -> Result<(), Fault> {
    Walker::new()
        .validate(rpc.request, frame, &mut |_, _| Unknown::Refuse)
        .map_err(|fault| Fault::BadRequest(fault.to_string()))
}
