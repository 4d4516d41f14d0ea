//! Calls to the real etcd, which every PD member serves on its client address; the leader's is
//! taken because the gateway has a channel to it anyway.
//!
//! Streams of a tenant share a connection of their own: a tenant that stops reading fills its own
//! window and nobody else's. Unary answers are read whole, so those calls share one connection.
//!
//! Nothing is repeated here: a write that may have happened is the client's to judge. What is
//! translated: a broken connection becomes `Unavailable`, because etcd's clients end a watch for
//! good on codes that the transport would otherwise show.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryFutureExt};
use http::uri::PathAndQuery;
use prost::Message;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::{Session, decoded_answer, encoded};
use crate::fault::Fault;
use crate::grpc::RawCodec;
use crate::upstream::{Leader, Pd};

/// Set by clients that want an error instead of waiting while etcd has no leader.
const HAS_LEADER: &str = "hasleader";

/// What of a client's metadata goes on to etcd.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata {
    has_leader: Option<AsciiMetadataValue>,
}

/// The real etcd.
#[derive(Clone)]
pub(super) struct Upstream {
    pd: Arc<Pd>,
    streams: Arc<Mutex<HashMap<Bytes, Weak<StreamChannel>>>>,
}

/// Connection of one tenant's streams, held by each of them.
struct StreamChannel {
    leader: Arc<Leader>,
    channel: Channel,
}

impl Metadata {
    pub(super) fn of(metadata: &MetadataMap) -> Metadata {
        Metadata {
            has_leader: metadata.get(HAS_LEADER).cloned(),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(value) = &self.has_leader {
            request.metadata_mut().insert(HAS_LEADER, value.clone());
        }
        request
    }
}

impl Session {
    /// One unary call to the real etcd.
    pub(super) async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &'static str,
        request: &Q,
    ) -> Result<A, Fault> {
        let leader = self.upstream.pd.leader().await?;
        let request = self.metadata.request(encoded(request));
        let mut client = client(leader.channel());
        let answered = async {
            ready(&mut client).await?;
            client
                .unary(request, PathAndQuery::from_static(path), RawCodec)
                .await
        };
        match answered.await {
            Ok(answer) => decoded_answer(answer.into_inner()),
            Err(status) => Err(self.upstream.told(&leader, status).into()),
        }
    }

    /// Opens a stream of etcd's at its first poll. Ends with the first error.
    pub(super) fn open(
        &self,
        path: &'static str,
        frames: ReceiverStream<Bytes>,
    ) -> impl Stream<Item = Result<Bytes, Status>> + Send + use<> {
        let (upstream, request) = (self.upstream.clone(), self.metadata.request(frames));
        let owner = self.namespace.prefix();
        let opening = async move {
            let own = upstream.stream_channel(owner).await?;
            let mut client = client(own.channel.clone());
            let opened = async {
                ready(&mut client).await?;
                client
                    .streaming(request, PathAndQuery::from_static(path), RawCodec)
                    .await
            };
            let opened = opened
                .await
                .map_err(|status| upstream.told(&own.leader, status))?;
            Ok(opened
                .into_inner()
                .map(move |frame| frame.map_err(|status| upstream.told(&own.leader, status))))
        };
        opening.try_flatten_stream()
    }
}

impl Upstream {
    pub(super) fn new(pd: Arc<Pd>) -> Upstream {
        Upstream {
            pd,
            streams: Arc::default(),
        }
    }

    /// The connection of a tenant's streams; a new one when there is none to the present leader.
    async fn stream_channel(&self, owner: Bytes) -> Result<Arc<StreamChannel>, Status> {
        let leader = self.pd.leader().await.map_err(Status::from)?;
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.get(&owner).and_then(Weak::upgrade);
        if let Some(open) = open.filter(|open| Arc::ptr_eq(&open.leader, &leader)) {
            return Ok(open);
        }
        let channel = self.pd.dialer().channel(&leader.url)?;
        let new = Arc::new(StreamChannel { leader, channel });
        streams.retain(|_, channel| channel.strong_count() > 0);
        streams.insert(owner, Arc::downgrade(&new));
        Ok(new)
    }

    /// A status as the client may see it: of etcd's own the code and the text, without keys.
    fn told(&self, leader: &Arc<Leader>, status: Status) -> Status {
        if status.source().is_none() {
            return Fault::of_storage(status).into();
        }
        self.pd.forget(leader);
        tracing::debug!(error = %status, "connection to etcd lost");
        Status::unavailable("the connection to the storage cluster's etcd was lost")
    }
}

fn client(channel: Channel) -> Grpc<Channel> {
    Grpc::new(channel).max_decoding_message_size(usize::MAX)
}

async fn ready(client: &mut Grpc<Channel>) -> Result<(), Status> {
    client
        .ready()
        .await
        .map_err(|fault| Status::from_error(fault.into()))
}
