//! The client's calls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use mesh_proto::types::etcdserverpb as message;
use mesh_proto::types::mvccpb;
use message::response_op::Response as Answer;
use prost::Message;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

use super::pool::{Connection, Dial, InTheClear, Pool, Timeouts};
use super::watch::Watch;
use super::{EtcdError, KeyValue, Lease, Range, RangeOutcome, Txn, TxnOutcome};
use super::{delete_request, put_request, range_request};

const RANGE: &str = "/etcdserverpb.KV/Range";
const PUT: &str = "/etcdserverpb.KV/Put";
const DELETE: &str = "/etcdserverpb.KV/DeleteRange";
const TXN: &str = "/etcdserverpb.KV/Txn";
pub(super) const WATCH: &str = "/etcdserverpb.Watch/Watch";
const LEASE_GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
const LEASE_REVOKE: &str = "/etcdserverpb.Lease/LeaseRevoke";
const LEASE_KEEP_ALIVE: &str = "/etcdserverpb.Lease/LeaseKeepAlive";

/// A listing of all tenants must fit; etcd itself sets no bound to an answer.
pub(super) const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Client of an etcd cluster. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct EtcdClient {
    pool: Arc<Pool>,
}

impl EtcdClient {
    /// Client of the cluster behind `endpoints` (`host:port` or `http://host:port`). Connects with
    /// the first call.
    ///
    /// # Errors
    /// [`EtcdError::BadEndpoint`].
    pub fn new(endpoints: &[String], timeouts: Timeouts) -> Result<EtcdClient, EtcdError> {
        Ok(EtcdClient {
            pool: Pool::new(endpoints, timeouts, Arc::new(InTheClear))?,
        })
    }

    /// As [`EtcdClient::new`] with default timeouts, and connects to one of the endpoints.
    ///
    /// # Errors
    /// [`EtcdError::BadEndpoint`], [`EtcdError::Unreachable`].
    pub async fn connect(endpoints: &[String]) -> Result<EtcdClient, EtcdError> {
        let client = EtcdClient::new(endpoints, Timeouts::default())?;
        client.pool.connection().await?;
        Ok(client)
    }

    /// As [`EtcdClient::connect`], with connections as `dial` makes them.
    ///
    /// # Errors
    /// As [`EtcdClient::connect`].
    pub async fn connect_by(
        dial: Arc<dyn Dial>,
        endpoints: &[String],
    ) -> Result<EtcdClient, EtcdError> {
        let pool = Pool::new(endpoints, Timeouts::default(), dial)?;
        pool.connection().await?;
        Ok(EtcdClient { pool })
    }

    /// Pairs of a range, as of one revision.
    ///
    /// # Errors
    /// When no endpoint answers or etcd refuses.
    pub async fn range(&self, range: Range) -> Result<RangeOutcome, EtcdError> {
        self.range_request(range_request(range, false)).await
    }

    /// As [`EtcdClient::range`], without values.
    ///
    /// # Errors
    /// When no endpoint answers or etcd refuses.
    pub async fn keys(&self, range: Range) -> Result<RangeOutcome, EtcdError> {
        self.range_request(range_request(range, true)).await
    }

    async fn range_request(
        &self,
        request: message::RangeRequest,
    ) -> Result<RangeOutcome, EtcdError> {
        let answer: message::RangeResponse = self.read(RANGE, request).await?;
        Ok(RangeOutcome {
            revision: revision(answer.header)?,
            kvs: pairs(answer.kvs),
        })
    }

    /// One pair, if its key exists.
    ///
    /// # Errors
    /// When no endpoint answers or etcd refuses.
    pub async fn get(&self, key: impl Into<Vec<u8>>) -> Result<Option<KeyValue>, EtcdError> {
        Ok(self.range(Range::key(key)).await?.kvs.pop())
    }

    /// Writes one pair; returns the revision. `lease` 0 means none.
    ///
    /// # Errors
    /// As any write: see [`EtcdError::Uncertain`].
    pub async fn put(
        &self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        lease: i64,
    ) -> Result<i64, EtcdError> {
        let request = put_request(key.into(), value.into(), lease);
        let answer: message::PutResponse = self.once(PUT, request).await?;
        revision(answer.header)
    }

    /// Deletes a range; returns how many keys there were.
    ///
    /// # Errors
    /// As any write: see [`EtcdError::Uncertain`].
    pub async fn delete(&self, range: Range) -> Result<i64, EtcdError> {
        let answer: message::DeleteRangeResponse = self.once(DELETE, delete_request(range)).await?;
        Ok(answer.deleted)
    }

    /// Runs a transaction.
    ///
    /// # Errors
    /// As any write: see [`EtcdError::Uncertain`].
    pub async fn txn(&self, txn: Txn) -> Result<TxnOutcome, EtcdError> {
        let request = message::TxnRequest {
            compare: txn.compare,
            success: txn.then,
            failure: txn.or_else,
        };
        let answer: message::TxnResponse = self.once(TXN, request).await?;
        let reads = answer
            .responses
            .into_iter()
            .filter_map(|op| match op.response {
                Some(Answer::ResponseRange(range)) => Some(pairs(range.kvs)),
                Some(
                    Answer::ResponsePut(_)
                    | Answer::ResponseDeleteRange(_)
                    | Answer::ResponseTxn(_),
                )
                | None => None,
            });
        Ok(TxnOutcome {
            succeeded: answer.succeeded,
            revision: revision(answer.header)?,
            reads: reads.collect(),
        })
    }

    /// Follows a range from `start_revision` on (the first revision that is still unknown).
    ///
    /// # Errors
    /// When no endpoint takes the stream. [`EtcdError::Compacted`] comes from the stream.
    pub async fn watch(&self, range: Range, start_revision: i64) -> Result<Watch, EtcdError> {
        let connection = self.pool.connection().await?;
        let opened = Watch::open(connection.channel.clone(), range, start_revision);
        self.settle(&connection, opened).await
    }

    /// A new lease; etcd may grant a longer time than asked for.
    ///
    /// # Errors
    /// As any write: see [`EtcdError::Uncertain`]; a lease lost this way expires by itself.
    pub async fn lease_grant(&self, ttl: Duration) -> Result<Lease, EtcdError> {
        let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX).max(1);
        let request = message::LeaseGrantRequest {
            ttl: seconds,
            id: 0,
        };
        let answer: message::LeaseGrantResponse = self.once(LEASE_GRANT, request).await?;
        if !answer.error.is_empty() {
            return Err(EtcdError::Malformed(format!(
                "lease not granted: {}",
                answer.error
            )));
        }
        Ok(Lease {
            id: answer.id,
            ttl: seconds_to_duration(answer.ttl),
        })
    }

    /// Renews a lease once; returns its time to live.
    ///
    /// # Errors
    /// [`EtcdError::LeaseExpired`], or as any call.
    pub async fn lease_keep_alive(&self, id: i64) -> Result<Duration, EtcdError> {
        let connection = self.pool.connection().await?;
        let renewed = keep_alive_once(connection.channel.clone(), id);
        let ttl = self.settle(&connection, renewed).await?;
        if ttl <= 0 {
            Err(EtcdError::LeaseExpired)
        } else {
            Ok(seconds_to_duration(ttl))
        }
    }

    /// Ends a lease and deletes the keys attached to it.
    ///
    /// # Errors
    /// As any write: see [`EtcdError::Uncertain`].
    pub async fn lease_revoke(&self, id: i64) -> Result<(), EtcdError> {
        let request = message::LeaseRevokeRequest { id };
        let _: message::LeaseRevokeResponse = self.once(LEASE_REVOKE, request).await?;
        Ok(())
    }

    /// A read: repeated on each endpoint until one answers.
    async fn read<Q, A>(&self, path: &'static str, request: Q) -> Result<A, EtcdError>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let mut last = self.once(path, request.clone()).await;
        for _ in 0..self.pool.endpoints() {
            match last {
                Err(EtcdError::Uncertain { .. }) => {}
                settled => return settled,
            }
            last = self.once(path, request.clone()).await;
        }
        last
    }

    /// One attempt on the endpoint in use.
    async fn once<Q, A>(&self, path: &'static str, request: Q) -> Result<A, EtcdError>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let connection = self.pool.connection().await?;
        let answer = unary(connection.channel.clone(), path, request);
        self.settle(&connection, answer).await
    }

    /// Bounds an attempt in time and gives up its connection when the answer is lost.
    async fn settle<T>(
        &self,
        connection: &Connection,
        attempt: impl Future<Output = Result<T, EtcdError>>,
    ) -> Result<T, EtcdError> {
        let bound = self.pool.timeouts().request;
        let outcome = match tokio::time::timeout(bound, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(EtcdError::Uncertain {
                why: format!("no answer within {bound:?}"),
            }),
        };
        if let Err(EtcdError::Uncertain { .. } | EtcdError::StreamEnded { .. }) = &outcome {
            self.pool.failed(connection).await;
        }
        outcome
    }
}

async fn unary<Q, A>(channel: Channel, path: &'static str, request: Q) -> Result<A, EtcdError>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    ready(&mut grpc).await?;
    let codec: ProstCodec<Q, A> = ProstCodec::default();
    let path = PathAndQuery::from_static(path);
    let answer = grpc.unary(tonic::Request::new(request), path, codec).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| EtcdError::from_status(&status))
}

async fn keep_alive_once(channel: Channel, id: i64) -> Result<i64, EtcdError> {
    let mut grpc = tonic::client::Grpc::new(channel);
    ready(&mut grpc).await?;
    let codec: ProstCodec<message::LeaseKeepAliveRequest, message::LeaseKeepAliveResponse> =
        ProstCodec::default();
    let requests = tokio_stream::once(message::LeaseKeepAliveRequest { id });
    let path = PathAndQuery::from_static(LEASE_KEEP_ALIVE);
    let answers = grpc
        .streaming(tonic::Request::new(requests), path, codec)
        .await;
    let mut answers = answers
        .map_err(|status| EtcdError::from_status(&status))?
        .into_inner();
    let first = answers
        .message()
        .await
        .map_err(|status| EtcdError::from_status(&status))?;
    let ended = || EtcdError::StreamEnded {
        why: "no answer to a keep-alive".to_owned(),
    };
    Ok(first.ok_or_else(ended)?.ttl)
}

/// Waits until the connection takes a call; a connection that can't be had has sent nothing, but
/// callers need not tell the two apart, so it counts as uncertain.
pub(super) async fn ready(grpc: &mut tonic::client::Grpc<Channel>) -> Result<(), EtcdError> {
    grpc.ready().await.map_err(|error| EtcdError::Uncertain {
        why: error.to_string(),
    })
}

fn revision(header: Option<message::ResponseHeader>) -> Result<i64, EtcdError> {
    header
        .map(|header| header.revision)
        .ok_or_else(|| EtcdError::Malformed("an answer without a header".to_owned()))
}

fn pairs(kvs: Vec<mvccpb::KeyValue>) -> Vec<KeyValue> {
    kvs.into_iter().map(KeyValue::from).collect()
}

fn seconds_to_duration(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
