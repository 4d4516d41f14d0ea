//! One side of a session: a socket, plain or under TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::tls::Verified;

/// A connection to a client or a server.
#[derive(Debug)]
pub enum Wire {
    /// As it is.
    Plain(TcpStream),
    /// Under TLS; behind a pointer, so that sessions without it stay small.
    Tls(Box<TlsStream<TcpStream>>),
    /// Given up, or between plain and TLS.
    Closed,
}

impl Wire {
    /// Becomes the server's end of TLS.
    ///
    /// # Errors
    /// The handshake's; the wire is closed then.
    pub async fn accept_tls(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let stream = self.take_plain()?;
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        *self = Wire::Tls(Box::new(stream.into()));
        Ok(())
    }

    /// Becomes the client's end of TLS, with a server whose certificate is verified.
    ///
    /// # Errors
    /// The handshake's; the wire is closed then.
    pub async fn connect_tls(&mut self, verified: &Verified, address: &str) -> io::Result<()> {
        let name = verified.name_for(address)?;
        let stream = self.take_plain()?;
        let stream = verified.connector().connect(name, stream).await?;
        *self = Wire::Tls(Box::new(stream.into()));
        Ok(())
    }

    fn take_plain(&mut self) -> io::Result<TcpStream> {
        match std::mem::replace(self, Wire::Closed) {
            Wire::Plain(stream) => Ok(stream),
            Wire::Tls(_) | Wire::Closed => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Host name that the client asked for in TLS.
    #[must_use]
    pub fn asked_host(&self) -> Option<&str> {
        match self {
            Wire::Tls(stream) => match &**stream {
                TlsStream::Server(stream) => stream.get_ref().1.server_name(),
                TlsStream::Client(_) => None,
            },
            Wire::Plain(_) | Wire::Closed => None,
        }
    }

    /// Whether it is under TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Wire::Tls(_))
    }
}

fn closed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, into),
            Wire::Closed => closed(),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
            Wire::Closed => closed(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Wire::Closed => closed(),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Wire::Closed => closed(),
        }
    }
}
