//! Phase 3, route: the closed table of RPCs. An RPC that is in no table, that the schema refuses,
//! or that belongs to another port is answered here and goes no further.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use mesh_proto::{Route, Rpc};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::{Grpc, StreamingService};
use tonic::{Response, Status, Streaming};

use crate::connection::Connection;
use crate::fault::Fault;
use crate::grpc::{Call, Frames, RawCodec};
use crate::listener::Role;
use crate::metrics::CallLabels;
use crate::store;

/// Longest part of an unknown path that is told back.
const PATH_SHOWN: usize = 100;

/// Serves one gRPC request of a connection.
pub async fn serve(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> http::Response<Body> {
    let limit = connection.gateway.config.limits.max_message_bytes;
    let rpc = decide(connection.role, request.uri().path());
    let handler = Handler { connection, rpc };
    let mut grpc = Grpc::new(RawCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(limit)
        .max_encoding_message_size(usize::MAX);
    grpc.streaming(handler, request).await
}

fn decide(role: Role, path: &str) -> Result<&'static Rpc, Fault> {
    let unknown = || Fault::UnknownRpc {
        path: path.chars().take(PATH_SHOWN).collect(),
    };
    let rpc = mesh_proto::tables::rpc(path).ok_or_else(unknown)?;
    if let Route::Refuse { why } = rpc.route {
        return Err(Fault::RefusedRpc {
            path: rpc.path,
            why,
        });
    }
    if !served_on(role, rpc) {
        return Err(Fault::RefusedRpc {
            path: rpc.path,
            why: "it is not served on this port",
        });
    }
    Ok(rpc)
}

/// A store's port serves the store's services, a PD port PD's; health is asked for on both.
fn served_on(role: Role, rpc: &Rpc) -> bool {
    let of_store = matches!(rpc.service, "tikvpb.Tikv" | "import_sstpb.ImportSST");
    let of_both = rpc.service == "grpc.health.v1.Health";
    of_both || of_store == matches!(role, Role::Store(_))
}

struct Handler {
    connection: Arc<Connection>,
    rpc: Result<&'static Rpc, Fault>,
}

impl StreamingService<Bytes> for Handler {
    type Response = Bytes;
    type ResponseStream = Frames;
    type Future = futures::future::BoxFuture<'static, Result<Response<Frames>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let connection = self.connection.clone();
        let spent = Err(Fault::BadRequest(
            "the call was already answered".to_owned(),
        ));
        let rpc = std::mem::replace(&mut self.rpc, spent);
        Box::pin(async move {
            let answer = dispatch(&connection, rpc, request).await;
            answer.map_err(|fault| {
                connection
                    .gateway
                    .metrics
                    .fault(&connection.tenant().name, &fault);
                Status::from(fault)
            })
        })
    }
}

async fn dispatch(
    connection: &Arc<Connection>,
    rpc: Result<&'static Rpc, Fault>,
    request: tonic::Request<Streaming<Bytes>>,
) -> Result<Response<Frames>, Fault> {
    let rpc = rpc?;
    let (metadata, _, frames) = request.into_parts();
    let call = Call {
        tenant: connection.tenant(),
        rpc,
        metadata,
        frames,
    };
    let gateway = &connection.gateway;
    let labels = CallLabels {
        tenant: call.tenant.name.clone(),
        rpc: rpc.path,
    };
    gateway.metrics.calls.get_or_create(&labels).inc();
    let began = std::time::Instant::now();
    let answer = match connection.role {
        Role::Store(id) => store::serve(connection, id, call).await,
        Role::Pd => match connection.gate.call().await {
            Err(busy) => Err(busy.into()),
            Ok(()) if rpc.service.starts_with("etcdserverpb.") => gateway.etcd.serve(call).await,
            Ok(()) => gateway.pd_service.serve(call).await,
        },
    };
    gateway
        .metrics
        .durations
        .get_or_create(&labels)
        .observe(began.elapsed().as_secs_f64());
    answer
}
