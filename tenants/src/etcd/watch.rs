//! Following a range of keys.
//!
//! One stream carries one watch: simpler than multiplexing, and the gateway needs only a few. A
//! batch holds complete revisions (etcd never splits one unless asked to), so whoever applies
//! whole batches never sees half a transaction.

use http::uri::PathAndQuery;
use mesh_proto::types::etcdserverpb as message;
use mesh_proto::types::mvccpb::{self, event::EventType};
use message::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

use super::calls::{MAX_ANSWER_BYTES, WATCH, ready};
use super::{EtcdError, KeyValue, Range};

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// The key has a new value.
    Put(KeyValue),
    /// The key is gone.
    Delete {
        /// Which.
        key: Vec<u8>,
    },
}

/// Changes of one or more complete revisions, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchBatch {
    /// Revision of the last change in the batch; none without a change. (The answer's own header
    /// is no use here: while a watch catches up, it names a revision that is still to come.)
    pub revision: Option<i64>,
    /// Changes; may be empty.
    pub events: Vec<WatchEvent>,
}

/// An open watch. Dropping it ends it.
pub struct Watch {
    answers: tonic::Streaming<message::WatchResponse>,
    /// Keeps the request side open: etcd ends a watch whose client has finished sending.
    _requests: mpsc::Sender<message::WatchRequest>,
}

impl Watch {
    pub(super) async fn open(
        channel: Channel,
        range: Range,
        start_revision: i64,
    ) -> Result<Watch, EtcdError> {
        let mut grpc =
            tonic::client::Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
        ready(&mut grpc).await?;
        let (requests, queue) = mpsc::channel(1);
        requests
            .send(create_request(range, start_revision))
            .await
            .map_err(|_| EtcdError::StreamEnded {
                why: "closed before it began".to_owned(),
            })?;
        let mut request = tonic::Request::new(ReceiverStream::new(queue));
        // A member cut off from the others must end the watch instead of falling silent.
        request
            .metadata_mut()
            .insert("hasleader", MetadataValue::from_static("true"));
        let codec: ProstCodec<message::WatchRequest, message::WatchResponse> =
            ProstCodec::default();
        let answers = grpc
            .streaming(request, PathAndQuery::from_static(WATCH), codec)
            .await;
        let answers = answers
            .map_err(|status| EtcdError::from_status(&status))?
            .into_inner();
        Ok(Watch {
            answers,
            _requests: requests,
        })
    }

    /// The next batch.
    ///
    /// # Errors
    /// [`EtcdError::Compacted`]: list again and watch from there. Anything else: watch again from
    /// the revision after the last batch.
    pub async fn next(&mut self) -> Result<WatchBatch, EtcdError> {
        let answer = self.answers.message().await;
        let answer = answer.map_err(|status| EtcdError::StreamEnded {
            why: status.to_string(),
        })?;
        let ended = || EtcdError::StreamEnded {
            why: "closed by etcd".to_owned(),
        };
        batch(answer.ok_or_else(ended)?)
    }
}

fn create_request(range: Range, start_revision: i64) -> message::WatchRequest {
    message::WatchRequest {
        request_union: Some(RequestUnion::CreateRequest(message::WatchCreateRequest {
            key: range.key.into(),
            range_end: range.end.into(),
            start_revision,
            ..message::WatchCreateRequest::default()
        })),
    }
}

fn batch(answer: message::WatchResponse) -> Result<WatchBatch, EtcdError> {
    if answer.compact_revision > 0 {
        return Err(EtcdError::Compacted {
            revision: answer.compact_revision,
        });
    }
    if answer.canceled {
        return Err(EtcdError::StreamEnded {
            why: answer.cancel_reason,
        });
    }
    let last = answer.events.last().and_then(|event| event.kv.as_ref());
    let revision = last.map(|kv| kv.mod_revision);
    let events = answer
        .events
        .into_iter()
        .map(event)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(WatchBatch { revision, events })
}

fn event(event: mvccpb::Event) -> Result<WatchEvent, EtcdError> {
    let missing = || EtcdError::Malformed("a watch event without a key".to_owned());
    let kv = event.kv.ok_or_else(missing)?;
    match EventType::try_from(event.r#type) {
        Ok(EventType::Put) => Ok(WatchEvent::Put(kv.into())),
        Ok(EventType::Delete) => Ok(WatchEvent::Delete { key: kv.key.into() }),
        Err(_) => Err(EtcdError::Malformed(format!(
            "watch event of kind {}",
            event.r#type
        ))),
    }
}
