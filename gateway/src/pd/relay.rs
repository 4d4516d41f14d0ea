//! Joining a client's stream of messages to one of PD's, message by message in both directions.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tonic::{Response, Status, Streaming};

use crate::fault::Fault;
use crate::grpc::Frames;
use crate::upstream::Pd;

/// Opens PD's `path`. `up` maps the client's messages; one that it refuses ends the call with that
/// fault. `down` maps PD's; `None` leaves one out.
///
/// # Errors
/// As [`Pd::stream`].
pub(super) async fn relay<U, D>(
    pd: &Pd,
    path: &'static str,
    frames: Streaming<Bytes>,
    up: U,
    mut down: D,
) -> Result<Response<Frames>, Fault>
where
    U: FnMut(Bytes) -> Result<Bytes, Fault> + Send + 'static,
    D: FnMut(Bytes) -> Result<Option<Bytes>, Fault> + Send + 'static,
{
    let refused = Arc::new(Refused::default());
    let requests = accepted(frames, up, refused.clone());
    let answers = pd.stream(path, requests).await?.into_inner();
    let answers = answers.filter_map(move |answer| {
        let mapped = answer.map_err(Fault::of_storage).and_then(&mut down);
        std::future::ready(mapped.map_err(Status::from).transpose())
    });
    // PD ends its side when ours has ended; only then is there a reason to tell.
    let reason = stream::once(async move { refused.take().map(Err) });
    let reason = reason.filter_map(std::future::ready);
    Ok(Response::new(answers.chain(reason).boxed()))
}

/// The messages that `up` lets through, until the first that it does not.
fn accepted<U>(
    frames: Streaming<Bytes>,
    mut up: U,
    refused: Arc<Refused>,
) -> impl Stream<Item = Bytes> + Send + 'static
where
    U: FnMut(Bytes) -> Result<Bytes, Fault> + Send + 'static,
{
    let mapped = frames.map(move |frame| {
        // A broken connection of the client needs no reason: nobody is there to read it.
        up(frame.ok()?)
            .map_err(|fault| refused.because(fault.into()))
            .ok()
    });
    mapped
        .take_while(|frame| std::future::ready(frame.is_some()))
        .filter_map(std::future::ready)
}

/// Why the gateway, and not the client, ended the messages.
#[derive(Default)]
struct Refused(Mutex<Option<Status>>);

impl Refused {
    fn because(&self, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    fn take(&self) -> Option<Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
