//! Calls whose client sends many messages (ImportSST `Write`): each is decorated as it comes, so a
//! file of any size passes in the memory of one message.
//!
//! A message that may not pass must end the call as a failure on both sides. Ending the stream to
//! the store would read as "that was all" there, and half a file would be finished: the stream is
//! left hanging until the call is dropped, which resets it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{Fuse, pending, ready};
use futures::stream::{self, unfold};
use futures::{FutureExt, StreamExt};
use mesh_proto::{Rpc, Walker};
use tokio::sync::oneshot;
use tonic::{Response, Status, Streaming};

use super::forward;
use crate::connection::Connection;
use crate::decorate::decorate;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::grpc::{Call, Frames};
use crate::limits::Lane;
use crate::metrics::Traffic;
use crate::tenant::Tenant;

pub(super) async fn serve(
    connection: &Arc<Connection>,
    store_id: u64,
    call: Call,
) -> Result<Response<Frames>, Fault> {
    let Call {
        tenant,
        rpc,
        metadata,
        frames,
    } = call;
    let channel = connection.store_channel(store_id)?;
    let (failed, failure) = oneshot::channel();
    let messages = Messages {
        connection: connection.clone(),
        tenant: tenant.clone(),
        rpc,
        traffic: connection.gateway.metrics.traffic(&tenant.name),
        frames,
        lane: connection.lane(),
        sending: 0,
        walker: Walker::new(),
        failed: Some(failed),
    };
    let physical = unfold(messages, |mut messages| async move {
        let message = messages.next().await?;
        Some((message, messages))
    });
    // Asked again after it has told that there will be none.
    let mut failure = failure.fuse();
    let opening = forward::open(channel, rpc.path, &metadata, physical);
    let answers = tokio::select! {
        biased;
        Ok(fault) = &mut failure => return Err(fault),
        answers = opening => answers?,
    };
    let answers = forward::undecorated(
        connection.clone(),
        (tenant.clone(), rpc),
        Exchange::default(),
        (answers, connection.lane()),
    );
    Ok(Response::new(until_failure(
        connection.clone(),
        tenant,
        answers,
        failure,
    )))
}

/// The answers, or up to where a later message of the client fails the call.
fn until_failure(
    connection: Arc<Connection>,
    tenant: Arc<Tenant>,
    answers: Frames,
    failure: Fuse<oneshot::Receiver<Fault>>,
) -> Frames {
    let failure = stream::once(failure).filter_map(move |fault| {
        let fault = fault.ok().map(|fault| {
            connection.gateway.metrics.fault(&tenant.name, &fault);
            Some(Err(Status::from(fault)))
        });
        ready(fault)
    });
    // The store's end of the call is the call's end, whatever the client still sends.
    let answers = answers.map(Some).chain(stream::once(ready(None)));
    stream::select(failure, answers)
        .take_while(|answer| ready(answer.is_some()))
        .filter_map(ready)
        .boxed()
}

/// A client's messages on their way to the store.
struct Messages {
    connection: Arc<Connection>,
    tenant: Arc<Tenant>,
    rpc: &'static Rpc,
    traffic: Traffic,
    frames: Streaming<Bytes>,
    lane: Lane,
    /// Messages that passed the tenant's gate and are not sent yet.
    sending: u64,
    walker: Walker,
    failed: Option<oneshot::Sender<Fault>>,
}

impl Messages {
    /// The next message, decorated; nothing at the client's end of the stream. Never returns after a
    /// failure.
    async fn next(&mut self) -> Option<Bytes> {
        // Asked for the next one, so the last one is on its way: what is in flight is one message,
        // however large the file.
        self.lane.leave(std::mem::take(&mut self.sending), 0);
        let fault = match self.physical().await {
            Ok(physical) => return physical,
            Err(fault) => fault,
        };
        // Nobody listens once the call has ended.
        let _ = self.failed.take().map(|failed| failed.send(fault));
        pending().await
    }

    async fn physical(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(message) = self.frames.message().await.map_err(Fault::of_client)? else {
            return Ok(None);
        };
        self.lane.enter(1, message.len() as u64).await?;
        self.sending = 1;
        self.traffic.received.inc_by(message.len() as u64);
        let scope = self.connection.scope(&self.tenant);
        let mut physical = Vec::with_capacity(message.len() + 64);
        let exchange = decorate(
            &mut self.walker,
            scope,
            self.rpc.request,
            &message,
            &mut physical,
        )?;
        if exchange == Exchange::default() {
            Ok(Some(physical.into()))
        } else {
            Err(Fault::Refused(
                "a message of a stream whose answer would depend on it".to_owned(),
            ))
        }
    }
}
