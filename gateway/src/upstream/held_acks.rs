//! A connection to a store that lets answers to pings ride with the next data.
//!
//! A store written in Go pings after nearly every message, to measure the path. Answered at once,
//! each ping costs a write of its own, a third of all writes under point reads. An answer is held
//! until something else is written, or for [`HOLD`] at most, which is far below any ping's timeout.
//!
//! What must stay true: no byte is dropped, doubled or moved past another. Whether bytes are an
//! answer to a ping only decides when they leave, so being wrong about it does no harm.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Longest time that an answer waits for company. Setting the timer costs as much as a write, so it
/// must happen far less often than writes do.
const HOLD: Duration = Duration::from_millis(20);

/// HTTP/2 frame head of an answer to a ping: eight bytes of payload, type 6, flag ACK, stream 0.
const ACK_HEAD: [u8; 9] = [0, 0, 8, 6, 1, 0, 0, 0, 0];
const ACK_LEN: usize = 17;

/// Slices that are written together with a held answer; what is beyond them is written next.
const SLICES: usize = 8;

/// See the module.
pub(super) struct HeldAcks<S> {
    stream: S,
    held: Held,
    /// Runs at most once per [`HOLD`]; firing early for a later answer is fine.
    timer: Pin<Box<Sleep>>,
}

/// The bytes that wait.
#[derive(Default)]
struct Held {
    bytes: [u8; ACK_LEN],
    /// Already written.
    start: usize,
    end: usize,
}

impl Held {
    fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn hold(&mut self, ack: [u8; ACK_LEN]) {
        *self = Held {
            bytes: ack,
            start: 0,
            end: ACK_LEN,
        };
    }

    /// Takes note of `written` bytes; gives those that were not held ones.
    fn advance(&mut self, written: usize) -> usize {
        let own = written.min(self.waiting().len());
        self.start += own;
        written - own
    }
}

/// The answer to a ping, when `slices` are one and nothing else.
fn as_ack(slices: &[IoSlice<'_>]) -> Option<[u8; ACK_LEN]> {
    if slices.iter().map(|slice| slice.len()).sum::<usize>() != ACK_LEN {
        return None;
    }
    let mut ack = [0; ACK_LEN];
    let bytes = slices.iter().flat_map(|slice| slice.iter());
    ack.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    ack.starts_with(&ACK_HEAD).then_some(ack)
}

impl<S: AsyncWrite + Unpin> HeldAcks<S> {
    /// Holds back nothing yet. Must be made on a runtime.
    pub(super) fn new(stream: S) -> HeldAcks<S> {
        HeldAcks {
            stream,
            held: Held::default(),
            timer: Box::pin(tokio::time::sleep(HOLD)),
        }
    }

    fn hold(&mut self, ack: [u8; ACK_LEN]) {
        self.held.hold(ack);
        let now = Instant::now();
        if self.timer.deadline() <= now {
            self.timer.as_mut().reset(now + HOLD);
        }
    }

    fn write_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.waiting().is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.held.waiting()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn write_after_held(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut all = [IoSlice::new(&[]); SLICES + 1];
        let mut used = 1;
        let HeldAcks { stream, held, .. } = self;
        all[0] = IoSlice::new(held.waiting());
        for (to, from) in all.iter_mut().skip(1).zip(slices) {
            *to = IoSlice::new(from);
            used += 1;
        }
        let all = all.get(..used).unwrap_or_default();
        let written = ready!(Pin::new(stream).poll_write_vectored(cx, all))?;
        Poll::Ready(Ok(held.advance(written)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeldAcks<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.held.waiting().is_empty() {
            if let Some(ack) = as_ack(slices) {
                this.hold(ack);
                return Poll::Ready(Ok(ACK_LEN));
            }
            return Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        }
        let written = ready!(this.write_after_held(cx, slices))?;
        if written > 0 {
            return Poll::Ready(Ok(written));
        }
        // The socket took no more than the held bytes: "nothing written" would be an error.
        ready!(this.write_held(cx))?;
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called by HTTP/2 whenever it has no more to write, so also when the timer has woken it.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.waiting().is_empty() && this.timer.as_mut().poll(cx).is_ready() {
            ready!(this.write_held(cx))?;
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.write_held(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeldAcks<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const ACK: [u8; ACK_LEN] = [0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    fn is_pending(result: Result<io::Result<usize>, tokio::time::error::Elapsed>) -> bool {
        result.is_err()
    }

    async fn short<F: Future>(future: F) -> Result<F::Output, tokio::time::error::Elapsed> {
        tokio::time::timeout(Duration::from_millis(1), future).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_rides_with_the_next_data() {
        let (near, mut far) = duplex(64);
        let mut near = HeldAcks::new(near);
        near.write_all(&ACK).await.unwrap();
        near.write_all(b"data").await.unwrap();
        let mut seen = [0; ACK_LEN + 4];
        short(far.read_exact(&mut seen)).await.unwrap().unwrap();
        assert_eq!(seen[..ACK_LEN], ACK);
        assert_eq!(&seen[ACK_LEN..], b"data");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_alone_leaves_after_a_while() {
        let (near, mut far) = duplex(64);
        let mut near = HeldAcks::new(near);
        tokio::time::sleep(2 * HOLD).await;
        near.write_all(&ACK).await.unwrap();
        near.flush().await.unwrap();
        let mut seen = [0; ACK_LEN];
        assert!(is_pending(short(far.read(&mut seen)).await));
        tokio::time::sleep(HOLD).await;
        near.flush().await.unwrap();
        assert_eq!(far.read(&mut seen).await.unwrap(), ACK_LEN);
        assert_eq!(seen, ACK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_answer_takes_the_first_along() {
        let (near, mut far) = duplex(64);
        let mut near = HeldAcks::new(near);
        near.write_all(&ACK).await.unwrap();
        near.write_all(&ACK).await.unwrap();
        let mut seen = [0; 2 * ACK_LEN];
        short(far.read_exact(&mut seen)).await.unwrap().unwrap();
        assert_eq!(seen[ACK_LEN..], ACK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_narrow_socket_loses_nothing() {
        let (near, mut far) = duplex(5);
        let sent: Vec<u8> = (0..50)
            .flat_map(|n| [ACK.as_slice(), &[n; 23]].concat())
            .collect();
        let writing = sent.clone();
        let writer = tokio::spawn(async move {
            let mut near = HeldAcks::new(near);
            for part in writing.chunks(ACK_LEN + 23) {
                near.write_all(&part[..ACK_LEN]).await.unwrap();
                near.write_all(&part[ACK_LEN..]).await.unwrap();
            }
            near.write_all(&ACK).await.unwrap();
            near.shutdown().await.unwrap();
        });
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        writer.await.unwrap();
        assert_eq!(seen, [sent.as_slice(), &ACK].concat());
    }
}
