//! Connections to the storage cluster: in the clear, or with TLS where it is configured, and then
//! never without.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::held_acks::HeldAcks;
use crate::fault::Fault;
use crate::tls::StorageTls;

/// HTTP/2 windows as TiKV's clients use them: a store must never wait for the gateway's window
/// while a tenant's has room, and the tenant's own window is what bounds the bytes in flight.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// For an address without a port.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Opens connections. Each takes the certificates that are current at that moment.
#[derive(Clone, Default)]
pub struct Dialer {
    tls: Option<Arc<StorageTls>>,
}

impl Dialer {
    /// With TLS, or in the clear.
    pub fn new(tls: Option<Arc<StorageTls>>) -> Dialer {
        Dialer { tls }
    }

    /// A channel to `address` (`host:port` or URL) that connects at first use.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when the address can't be parsed or its scheme is not the configured
    /// one.
    pub fn channel(&self, address: &str) -> Result<Channel, Fault> {
        let endpoint = Endpoint::from_shared(self.url(address)?)
            .map_err(|_| Fault::Unavailable(format!("address {address:?} is not host:port")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let dialer = self.clone();
        Ok(
            endpoint.connect_with_connector_lazy(service_fn(move |address| {
                let dialer = dialer.clone();
                async move {
                    let link = dialer.grpc(&address).await?;
                    Ok::<_, io::Error>(TokioIo::new(HeldAcks::new(link)))
                }
            })),
        )
    }

    /// The scheme of the storage cluster's URLs.
    pub fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Of several URLs of one server the first that can be used.
    pub fn usable<'a>(&self, urls: &'a [String]) -> Option<&'a String> {
        urls.iter().find(|url| self.url(url).is_ok())
    }

    fn url(&self, address: &str) -> Result<String, Fault> {
        let wanted = self.scheme();
        match address.split_once("://") {
            None => Ok(format!("{wanted}://{address}")),
            Some((scheme, _)) if scheme == wanted => Ok(address.to_owned()),
            Some(_) if self.tls.is_some() => Err(Fault::Unavailable(
                "storage.tls is configured and the storage cluster names an address without TLS"
                    .to_owned(),
            )),
            Some(_) => Err(Fault::Unavailable(
                "the storage cluster names an address with TLS and storage.tls is not configured"
                    .to_owned(),
            )),
        }
    }

    async fn grpc(&self, address: &Uri) -> io::Result<Link> {
        self.link(address, self.tls.as_ref().map(|tls| tls.grpc()))
            .await
    }

    /// A connection for HTTP/1.
    ///
    /// # Errors
    /// The system's, or TLS's.
    pub async fn http(&self, address: &Uri) -> io::Result<Link> {
        self.link(address, self.tls.as_ref().map(|tls| tls.http()))
            .await
    }

    async fn link(&self, address: &Uri, tls: Option<Arc<ClientConfig>>) -> io::Result<Link> {
        let host = address.host().unwrap_or_default();
        // An IPv6 address stands in brackets in a URL.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let usual = if tls.is_some() { HTTPS_PORT } else { HTTP_PORT };
        let port = address.port_u16().unwrap_or(usual);
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = tls else {
            return Ok(Link::Plain(stream));
        };
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?;
        let secured = Box::pin(TlsConnector::from(tls).connect(name, stream)).await?;
        Ok(Link::Tls(Box::new(secured)))
    }
}

/// The registry's etcd client connects the same way.
#[async_trait]
impl mesh_tenants::etcd::Dial for Dialer {
    async fn dial(&self, endpoint: &Endpoint) -> Result<Channel, tonic::transport::Error> {
        let dialer = self.clone();
        let connector = service_fn(move |address: Uri| {
            let dialer = dialer.clone();
            async move { Ok::<_, io::Error>(TokioIo::new(dialer.grpc(&address).await?)) }
        });
        endpoint.connect_with_connector(connector).await
    }

    fn scheme(&self) -> &'static str {
        Dialer::scheme(self)
    }
}

/// A connection to the storage cluster.
pub enum Link {
    /// In the clear.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! on_either {
    ($link:expr, $stream:ident => $call:expr) => {
        match $link {
            Link::Plain($stream) => $call,
            Link::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        on_either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
