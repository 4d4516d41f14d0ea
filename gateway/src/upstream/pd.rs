//! PD's leader: found by GetMembers, followed when it moves.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures::Stream;
use http::uri::PathAndQuery;
use mesh_proto::types::pdpb;
use prost::Message;
use tokio::sync::Mutex;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use super::Dialer;
use crate::fault::Fault;
use crate::grpc::RawCodec;

/// PD answers far below a second; a call that takes this long met a dead server.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(2);
/// A leader change takes PD a few seconds; calls wait this many rounds of [`RETRY_PAUSE`].
const RETRIES: usize = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// Client of the storage cluster's PD.
pub struct Pd {
    endpoints: Vec<String>,
    dialer: Dialer,
    leader: ArcSwapOption<Leader>,
    finding: Mutex<()>,
}

/// The member that leads.
#[derive(Debug, Clone)]
pub struct Leader {
    /// Id of the PD cluster, in every header.
    pub cluster_id: u64,
    /// Client URL, with scheme.
    pub url: String,
    /// Client URLs of all members, the leader's first: etcd's and PD's HTTP endpoints.
    pub member_urls: Vec<String>,
    channel: Channel,
}

impl Pd {
    /// A client of the PD behind one of `endpoints` (`host:port`). Connects at first use.
    pub fn new(endpoints: Vec<String>, dialer: Dialer) -> Pd {
        Pd {
            endpoints,
            dialer,
            leader: ArcSwapOption::empty(),
            finding: Mutex::new(()),
        }
    }

    /// How the storage cluster is reached.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// The leader, found when it is not known.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when no endpoint names a leader.
    pub async fn leader(&self) -> Result<Arc<Leader>, Fault> {
        if let Some(leader) = self.leader.load_full() {
            return Ok(leader);
        }
        let _one_at_a_time = self.finding.lock().await;
        if let Some(leader) = self.leader.load_full() {
            return Ok(leader);
        }
        let leader = Arc::new(self.find().await?);
        self.leader.store(Some(leader.clone()));
        Ok(leader)
    }

    /// Forgets a leader that did not answer as one. Another caller's newer finding stays.
    pub fn forget(&self, stale: &Arc<Leader>) {
        let current = self.leader.load_full();
        if current.is_some_and(|current| Arc::ptr_eq(&current, stale)) {
            self.leader.store(None);
        }
    }

    /// Request header for calls that the gateway makes itself.
    ///
    /// # Errors
    /// As [`Pd::leader`].
    pub async fn header(&self) -> Result<Option<pdpb::RequestHeader>, Fault> {
        let cluster_id = self.leader().await?.cluster_id;
        Ok(Some(pdpb::RequestHeader {
            cluster_id,
            ..Default::default()
        }))
    }

    /// Unary call to the leader, tried again while PD has none. Only for calls that are safe to
    /// repeat, which all of PD's that the gateway makes are.
    ///
    /// # Errors
    /// PD's status, or [`Fault::Unavailable`].
    pub async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &'static str,
        request: &Q,
    ) -> Result<A, Fault> {
        let answer = self
            .call_bytes(path, request.encode_to_vec().into())
            .await?;
        A::decode(answer).map_err(|fault| Fault::BadAnswer(format!("{path}: {fault}")))
    }

    /// [`Pd::call`] on bytes.
    ///
    /// # Errors
    /// As [`Pd::call`].
    pub async fn call_bytes(&self, path: &'static str, request: Bytes) -> Result<Bytes, Fault> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let leader = match self.leader().await {
                Ok(leader) => leader,
                Err(fault) if attempt >= RETRIES => return Err(fault),
                Err(_) => {
                    tokio::time::sleep(RETRY_PAUSE).await;
                    continue;
                }
            };
            let status = match unary(&leader, path, request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            if !leader_is_gone(&status) {
                return Err(status.into());
            }
            self.forget(&leader);
            if attempt >= RETRIES {
                return Err(status.into());
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Streaming call to the leader; not repeated. It has a connection of its own, on the runtime
    /// of the caller: timestamps cross no thread on their way, and who reads slowly holds back
    /// nobody else.
    ///
    /// # Errors
    /// PD's status, or [`Fault::Unavailable`].
    pub async fn stream<S>(
        &self,
        path: &'static str,
        frames: S,
    ) -> Result<Response<Streaming<Bytes>>, Fault>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let leader = self.leader().await?;
        let mut client =
            Grpc::new(self.dialer.channel(&leader.url)?).max_decoding_message_size(usize::MAX);
        let opened = async {
            client
                .ready()
                .await
                .map_err(|fault| Status::unavailable(fault.to_string()))?;
            let path = PathAndQuery::from_static(path);
            client.streaming(Request::new(frames), path, RawCodec).await
        };
        opened.await.map_err(|status| {
            if leader_is_gone(&status) {
                self.forget(&leader);
            }
            status.into()
        })
    }

    async fn find(&self) -> Result<Leader, Fault> {
        let mut last = Fault::Unavailable("no PD endpoint is configured".to_owned());
        for endpoint in &self.endpoints {
            match members(&self.dialer, endpoint).await {
                Ok(leader) => return Ok(leader),
                Err(fault) => {
                    // The address is for the operator; the fault's text goes to tenants.
                    tracing::debug!(endpoint, error = %fault, "PD did not name a leader");
                    last = fault;
                }
            }
        }
        Err(last)
    }
}

impl Leader {
    /// Channel to the leader, for gRPC of PD and of its embedded etcd.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// PD tells a lost leadership by text; these are the words its own clients look for.
fn leader_is_gone(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled)
        || status.message().contains("not leader")
        || status.message().contains("is not served")
        || status.message().contains("no leader")
}

async fn unary(leader: &Leader, path: &'static str, request: Bytes) -> Result<Bytes, Status> {
    let mut client = Grpc::new(leader.channel.clone()).max_decoding_message_size(usize::MAX);
    client
        .ready()
        .await
        .map_err(|fault| Status::unavailable(fault.to_string()))?;
    let mut request = Request::new(request);
    request.set_timeout(CALL_TIMEOUT);
    let path = PathAndQuery::from_static(path);
    let call = client.unary(request, path, RawCodec);
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map(Response::into_inner),
        Err(_) => Err(Status::unavailable("PD did not answer in time")),
    }
}

async fn members(dialer: &Dialer, endpoint: &str) -> Result<Leader, Fault> {
    let mut client = Grpc::new(dialer.channel(endpoint)?);
    let call = async {
        client
            .ready()
            .await
            .map_err(|fault| Status::unavailable(fault.to_string()))?;
        let request = Request::new(Bytes::new());
        let path = PathAndQuery::from_static("/pdpb.PD/GetMembers");
        client.unary(request, path, RawCodec).await
    };
    let answer = tokio::time::timeout(MEMBERS_TIMEOUT, call)
        .await
        .map_err(|_| Fault::Unavailable("PD did not answer in time".to_owned()))?
        .map_err(|status| Fault::Unavailable(format!("PD: {}", status.message())))?;
    let answer = pdpb::GetMembersResponse::decode(answer.into_inner())
        .map_err(|fault| Fault::BadAnswer(format!("GetMembers: {fault}")))?;
    leader_of(dialer, &answer)
}

fn leader_of(dialer: &Dialer, answer: &pdpb::GetMembersResponse) -> Result<Leader, Fault> {
    let none = || Fault::Unavailable("PD knows no leader".to_owned());
    let leader = answer.leader.as_ref().ok_or_else(none)?;
    // A leader that is only reachable another way than configured fails with the reason.
    let usable = dialer.usable(&leader.client_urls);
    let url = usable.or_else(|| leader.client_urls.first());
    let url = url.ok_or_else(none)?.clone();
    let others = answer
        .members
        .iter()
        .filter_map(|member| dialer.usable(&member.client_urls));
    let mut member_urls = vec![url.clone()];
    member_urls.extend(others.filter(|other| **other != url).cloned());
    let cluster_id = answer.header.as_ref().map_or(0, |header| header.cluster_id);
    Ok(Leader {
        cluster_id,
        channel: dialer.channel(&url)?,
        url,
        member_urls,
    })
}
