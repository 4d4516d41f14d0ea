//! A stream whose first bytes were looked at and are read again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// HTTP/2's connection preface (RFC 9113, section 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// See the module.
pub struct Prefixed<S> {
    stream: S,
    first: [u8; PREFACE.len()],
    start: usize,
    end: usize,
}

impl<S: AsyncRead + Unpin> Prefixed<S> {
    /// Reads until the client has sent a whole preface or something that is none.
    ///
    /// # Errors
    /// The stream's.
    pub async fn after_first_bytes(stream: S) -> io::Result<Prefixed<S>> {
        let mut this = Prefixed {
            stream,
            first: [0; PREFACE.len()],
            start: 0,
            end: 0,
        };
        while this.end < PREFACE.len() && PREFACE.starts_with(this.waiting()) {
            let room = this.first.get_mut(this.end..).unwrap_or_default();
            match this.stream.read(room).await? {
                0 => break,
                count => this.end += count,
            }
        }
        Ok(this)
    }
}

impl<S> Prefixed<S> {
    fn waiting(&self) -> &[u8] {
        self.first.get(self.start..self.end).unwrap_or_default()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waiting = this.waiting();
        if waiting.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = waiting.len().min(buffer.remaining());
        buffer.put_slice(waiting.get(..count).unwrap_or_default());
        this.start += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    #[tokio::test]
    async fn first_bytes_in_any_pieces_are_read_again() {
        let whole = [PREFACE.as_slice(), b"frames"].concat();
        for sent in [whole.as_slice(), b"GET / HTTP/1.1", b"PRI * X", b"PRI", b""] {
            let (mut far, near) = duplex(256);
            let bytes = sent.to_vec();
            let writer = tokio::spawn(async move {
                for byte in bytes {
                    far.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
            let mut seen = Vec::new();
            let mut stream = Prefixed::after_first_bytes(near).await.unwrap();
            stream.read_to_end(&mut seen).await.unwrap();
            writer.await.unwrap();
            assert_eq!(seen, sent);
        }
    }
}
