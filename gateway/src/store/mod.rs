//! A store's port: phase 5, forward, with decorate before it and undecorate behind it.
//!
//! Every RPC of the store goes one way, unary or streaming. A client's stream is decorated message by
//! message; BatchCommands differs further in that a frame holds many requests, each decided on its
//! own.

mod batch;
mod client_stream;
mod forward;
mod local;
mod refusal;

use std::sync::Arc;

use tonic::Response;

use crate::connection::Connection;
use crate::fault::Fault;
use crate::grpc::{Call, Frames};

/// Serves a call on the port of store `store_id`.
///
/// # Errors
/// [`Fault`]: the request's, the storage's, or the way between.
pub async fn serve(
    connection: &Arc<Connection>,
    store_id: u64,
    call: Call,
) -> Result<Response<Frames>, Fault> {
    if call.rpc.path == batch::PATH {
        return Ok(batch::serve(connection, store_id, call));
    }
    if let Some(answer) = local::answer(call.rpc.path) {
        return Ok(answer);
    }
    if call.rpc.client_streaming {
        return client_stream::serve(connection, store_id, call).await;
    }
    forward::serve(connection, store_id, call).await
}
