//! Phase 5, forward: one call to a store, its request decorated, its answers undecorated.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::uri::PathAndQuery;
use mesh_proto::{Rpc, Walker};
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::refusal;
use crate::connection::Connection;
use crate::decorate::decorate;
use crate::exchange::{Exchange, RegionRef};
use crate::fault::Fault;
use crate::grpc::{Call, Frames, RawCodec, unary_bytes};
use crate::limits::Lane;
use crate::tenant::Tenant;
use crate::undecorate::undecorate;

/// The one thing of a client's metadata that goes on: its deadline.
const DEADLINE: &str = "grpc-timeout";

pub(super) async fn serve(
    connection: &Arc<Connection>,
    store_id: u64,
    mut call: Call,
) -> Result<Response<Frames>, Fault> {
    let message = call.message().await?;
    let gateway = &connection.gateway;
    let lane = connection.lane();
    if let Err(busy) = lane.enter(1, message.len() as u64).await {
        let fault = Fault::from(busy);
        let answer = refusal::server_is_busy(call.rpc.response, &fault.to_string());
        let answer = answer.ok_or_else(|| Fault::from(busy))?;
        gateway.metrics.fault(&call.tenant.name, &fault);
        return Ok(unary_bytes(answer.into()));
    }
    gateway
        .metrics
        .traffic(&call.tenant.name)
        .received
        .inc_by(message.len() as u64);
    let scope = connection.scope(&call.tenant);
    let mut physical = Vec::with_capacity(message.len() + 64);
    let mut walker = Walker::new();
    let exchange = decorate(
        &mut walker,
        scope,
        call.rpc.request,
        &message,
        &mut physical,
    )?;
    if let Some(region) = exchange.bounded_by_region
        && !is_inside(connection, &call.tenant, region).await?
    {
        return Ok(unary_bytes(
            refusal::epoch_not_match(call.rpc.response).into(),
        ));
    }
    let channel = connection.store_channel(store_id)?;
    let frames = futures::stream::once(async move { Bytes::from(physical) });
    let answers = open(channel, call.rpc.path, &call.metadata, frames).await?;
    let Call { tenant, rpc, .. } = call;
    let answers = undecorated(connection.clone(), (tenant, rpc), exchange, (answers, lane));
    Ok(Response::new(answers))
}

/// Whether a request that names no key stays inside its tenant.
pub(super) async fn is_inside(
    connection: &Connection,
    tenant: &Tenant,
    region: RegionRef,
) -> Result<bool, Fault> {
    let epoch = (region.conf_ver, region.version);
    connection
        .gateway
        .regions
        .inside(tenant, region.id, epoch)
        .await
}

/// Opens a call to a store.
pub(super) async fn open<S>(
    channel: Channel,
    path: &'static str,
    metadata: &MetadataMap,
    frames: S,
) -> Result<Streaming<Bytes>, Fault>
where
    S: futures::Stream<Item = Bytes> + Send + 'static,
{
    // What a store sends is bounded by what the tenant asked it for and by flow control.
    let mut client = Grpc::new(channel).max_decoding_message_size(usize::MAX);
    client
        .ready()
        .await
        .map_err(|fault| Fault::of_storage(Status::from_error(fault.into())))?;
    let mut request = Request::new(frames);
    if let Some(deadline) = metadata.get(DEADLINE) {
        request.metadata_mut().insert(DEADLINE, deadline.clone());
    }
    let path = PathAndQuery::from_static(path);
    let opened = client.streaming(request, path, RawCodec).await;
    Ok(opened.map_err(Fault::of_storage)?.into_inner())
}

/// A store's answers to one call.
pub(super) fn undecorated(
    connection: Arc<Connection>,
    (tenant, rpc): (Arc<Tenant>, &'static Rpc),
    exchange: Exchange,
    (answers, lane): (Streaming<Bytes>, Lane),
) -> Frames {
    let mut walker = Walker::new();
    let traffic = connection.gateway.metrics.traffic(&tenant.name);
    let frames = answers.map(move |answer| {
        let answer = answer.map_err(Fault::of_storage)?;
        traffic.sent.inc_by(answer.len() as u64);
        // In flight until the last answer, when the stream and the lane with it are dropped.
        lane.leave(0, answer.len() as u64);
        let metrics = &connection.gateway.metrics;
        let scope = connection.scope(&tenant);
        let mut logical = Vec::with_capacity(answer.len());
        undecorate(
            &mut walker,
            scope,
            &exchange,
            rpc.response,
            &answer,
            &mut logical,
        )
        .map_err(|fault| {
            metrics.fault(&tenant.name, &fault);
            Status::from(fault)
        })?;
        Ok(Bytes::from(logical))
    });
    frames.boxed()
}
