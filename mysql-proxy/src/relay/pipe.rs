//! Bytes on their way in one direction: `sent | cleared | held | room`.
//!
//! What is cleared may be sent; what is held waits until it is understood, or until the answer
//! before it is complete.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::buffers;

/// One direction's bytes.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    buffer: Option<Box<[u8]>>,
    /// Up to here bytes are sent.
    sent: usize,
    /// Up to here bytes may be sent.
    cleared: usize,
    /// Up to here the buffer is filled.
    filled: usize,
    unflushed: bool,
}

impl Pipe {
    /// Bytes that were read and are not cleared.
    #[must_use]
    pub(super) fn held(&self) -> &[u8] {
        let buffer = self.buffer.as_deref().unwrap_or_default();
        buffer.get(self.cleared..self.filled).unwrap_or_default()
    }

    /// Whether bytes wait for being sent.
    #[must_use]
    pub(super) fn sending(&self) -> bool {
        self.sent < self.cleared || self.unflushed
    }

    /// Nothing is held or waits.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.filled && !self.unflushed
    }

    /// Allows the first `count` held bytes to be sent.
    pub(super) fn clear(&mut self, count: usize) {
        self.cleared = self.cleared.saturating_add(count).min(self.filled);
    }

    /// Puts `bytes` in the place of the first `count` held ones; they are still held.
    pub(super) fn replace(&mut self, count: usize, bytes: &[u8]) {
        let rest = self.held().get(count..).unwrap_or_default().to_vec();
        self.filled = self.cleared;
        let needed = self.filled + bytes.len() + rest.len();
        self.reserve(needed);
        self.append(bytes);
        self.append(&rest);
    }

    /// Makes room for a packet that has to be held as a whole.
    pub(super) fn reserve(&mut self, capacity: usize) {
        let old = self.buffer.take().unwrap_or_else(buffers::take);
        if old.len() >= capacity {
            self.buffer = Some(old);
            return;
        }
        let mut grown = vec![0; capacity].into_boxed_slice();
        if let Some(target) = grown.get_mut(..old.len()) {
            target.copy_from_slice(&old);
        }
        self.buffer = Some(grown);
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        let target = self
            .buffer
            .as_deref_mut()
            .and_then(|buffer| buffer.get_mut(self.filled..end));
        if let Some(target) = target {
            target.copy_from_slice(bytes);
            self.filled = end;
        }
    }

    /// Reads once. Gives the number of bytes, none at the end of the stream.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Poll<io::Result<usize>> {
        self.compact();
        let mut buffer = self.buffer.take().unwrap_or_else(buffers::take);
        let mut room = ReadBuf::new(buffer.get_mut(self.filled..).unwrap_or_default());
        let outcome = Pin::new(from).poll_read(cx, &mut room);
        let count = room.filled().len();
        self.filled += count;
        if self.filled == 0 {
            buffers::give(buffer);
        } else {
            self.buffer = Some(buffer);
        }
        ready!(outcome)?;
        Poll::Ready(Ok(count))
    }

    /// Sends what is cleared, as much as the socket takes at once.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while self.sent < self.cleared {
            let buffer = self.buffer.as_deref().unwrap_or_default();
            let bytes = buffer.get(self.sent..self.cleared).unwrap_or_default();
            let count = ready!(Pin::new(&mut *to).poll_write(cx, bytes))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.sent == self.filled {
            self.release();
        }
        Poll::Ready(Ok(()))
    }

    fn release(&mut self) {
        (self.sent, self.cleared, self.filled) = (0, 0, 0);
        if let Some(buffer) = self.buffer.take() {
            buffers::give(buffer);
        }
    }

    /// Moves what is held to the front; it is a part of a packet, or a few small ones.
    fn compact(&mut self) {
        if self.sent == 0 || self.sent < self.cleared {
            return;
        }
        if let Some(buffer) = self.buffer.as_deref_mut() {
            buffer.copy_within(self.sent..self.filled, 0);
        }
        self.filled -= self.sent;
        (self.sent, self.cleared) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(bytes: &[u8]) -> Pipe {
        let mut pipe = Pipe::default();
        pipe.replace(0, bytes);
        pipe
    }

    #[tokio::test]
    async fn only_cleared_bytes_are_sent_and_the_rest_stays() {
        let mut pipe = filled(b"abcdef");
        pipe.clear(2);
        let mut sink = Vec::new();
        std::future::poll_fn(|cx| pipe.poll_send(cx, &mut sink))
            .await
            .expect("sent");
        assert_eq!(sink, b"ab");
        assert_eq!(pipe.held(), b"cdef");
        let mut source = &b"gh"[..];
        std::future::poll_fn(|cx| pipe.poll_fill(cx, &mut source))
            .await
            .expect("read");
        assert_eq!(pipe.held(), b"cdefgh");
        pipe.replace(3, b"X");
        assert_eq!(pipe.held(), b"Xfgh");
        pipe.clear(4);
        std::future::poll_fn(|cx| pipe.poll_send(cx, &mut sink))
            .await
            .expect("sent");
        assert_eq!(sink, b"abXfgh");
        assert!(pipe.is_empty() && pipe.buffer.is_none());
    }

    #[test]
    fn an_empty_pipe_owns_no_buffer() {
        let mut pipe = Pipe::default();
        let (mut reader, _writer) = tokio::io::duplex(8);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(pipe.poll_fill(&mut cx, &mut reader).is_pending());
        assert!(pipe.buffer.is_none());
    }
}
