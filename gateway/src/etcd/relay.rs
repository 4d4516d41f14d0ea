//! Bidirectional streams: the client's messages rewritten on their way up, etcd's on their way
//! down, each direction in order and at the pace of its receiver.
//!
//! The two directions run apart, so neither can keep the other from draining. The stream ends
//! when etcd ends it, when a message may not pass, or when the client is gone.

use std::future::Future;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};

use super::Session;
use crate::fault::Fault;
use crate::grpc::Frames;

/// Messages on their way in one direction; beyond it HTTP/2's windows press back.
const IN_FLIGHT: usize = 16;

/// What becomes of a client's message.
pub(super) enum Step {
    /// It goes on to etcd in this form.
    Forward(Bytes),
    /// It is answered here.
    Answer(Bytes),
}

/// The rules of one kind of stream.
pub(super) trait Rewrite: Send + Sync + 'static {
    /// A message of the client.
    fn request(&self, frame: Bytes) -> impl Future<Output = Result<Step, Fault>> + Send;
    /// A message of etcd.
    fn answer(&self, frame: Bytes) -> Result<Bytes, Fault>;
}

type Down = mpsc::Sender<Result<Bytes, Status>>;

/// Connects a client's stream with etcd's at `path`.
pub(super) fn relay<R: Rewrite>(
    session: &Session,
    path: &'static str,
    client: Streaming<Bytes>,
    rules: R,
) -> Frames {
    let (up, to_etcd) = mpsc::channel(IN_FLIGHT);
    let (down, to_client) = mpsc::channel(IN_FLIGHT);
    let answers = session.open(path, ReceiverStream::new(to_etcd));
    let task = tokio::spawn(async move {
        let ended = run(client, up, answers, &down, &rules).await;
        if let Err(fault) = ended {
            // A client that is gone hears nothing.
            let _ = down.send(Err(fault.into())).await;
        }
    });
    let task = AbortOnDropHandle::new(task);
    let frames = ReceiverStream::new(to_client).inspect(move |_| {
        // Held until the stream is dropped: then the task ends, and etcd's stream with it.
        let _ = &task;
    });
    frames.boxed()
}

async fn run<R: Rewrite>(
    client: Streaming<Bytes>,
    up: mpsc::Sender<Bytes>,
    answers: impl Stream<Item = Result<Bytes, Status>> + Send,
    down: &Down,
    rules: &R,
) -> Result<(), Fault> {
    let rising = async {
        rise(client, up, down, rules).await?;
        // The client has no more to say; etcd decides when the stream ends.
        std::future::pending().await
    };
    tokio::select! {
        fault = rising => fault,
        ended = fall(answers, down, rules) => ended,
    }
}

async fn rise<R: Rewrite>(
    mut client: Streaming<Bytes>,
    up: mpsc::Sender<Bytes>,
    down: &Down,
    rules: &R,
) -> Result<(), Fault> {
    while let Some(frame) = client.next().await {
        let sent = match rules.request(frame?).await? {
            Step::Forward(frame) => up.send(frame).await.is_ok(),
            Step::Answer(frame) => down.send(Ok(frame)).await.is_ok(),
        };
        if !sent {
            break;
        }
    }
    Ok(())
}

async fn fall<R: Rewrite>(
    answers: impl Stream<Item = Result<Bytes, Status>> + Send,
    down: &Down,
    rules: &R,
) -> Result<(), Fault> {
    let mut answers = std::pin::pin!(answers);
    while let Some(frame) = answers.next().await {
        if down.send(Ok(rules.answer(frame?)?)).await.is_err() {
            break;
        }
    }
    Ok(())
}
