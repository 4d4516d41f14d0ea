//! The storage cluster as the gateway reaches it: PD's leader and the stores.

mod held_acks;
mod pd;
mod stores;

pub use pd::{Leader, Pd};
pub use stores::{Store, Stores, is_tiflash};

use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::fault::Fault;
use held_acks::HeldAcks;

/// HTTP/2 windows as TiKV's clients use them: a store must never wait for the gateway's window
/// while a tenant's has room, and the tenant's own window is what bounds the bytes in flight.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// For an address without a port.
const HTTP_PORT: u16 = 80;

/// A channel to `address` (`host:port` or URL) that connects at first use.
///
/// # Errors
/// [`Fault::Unavailable`] when the address can't be parsed.
pub fn channel(address: &str) -> Result<Channel, Fault> {
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let endpoint = Endpoint::from_shared(url)
        .map_err(|_| Fault::Unavailable(format!("address {address:?} is not host:port")))?
        .connect_timeout(CONNECT_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_with_connector_lazy(service_fn(connect)))
}

async fn connect(address: Uri) -> std::io::Result<TokioIo<HeldAcks<TcpStream>>> {
    let host = address.host().unwrap_or_default();
    // An IPv6 address stands in brackets in a URL.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = address.port_u16().unwrap_or(HTTP_PORT);
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(HeldAcks::new(stream)))
}
