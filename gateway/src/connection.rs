//! One connection of a tenant: HTTP/2 for gRPC, and HTTP/1 on the PD port for PD's REST API.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::transport::Channel;

use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::limits::{Gate, Seat};
use crate::listener::Role;
use crate::metrics::TenantLabels;
use crate::tenant::{Tenant, TenantCell};
use crate::term::Member;
use crate::{route, upstream};

/// TiKV's own server windows are 2 MiB per stream; a tenant's bytes in flight are bounded by these.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// What a stream may hold back unsent; beyond it, reading from the storage stops.
const SEND_BUFFER: usize = 256 * 1024;

/// State of one connection.
pub struct Connection {
    /// The process.
    pub gateway: Arc<Gateway>,
    cell: TenantCell,
    /// What the port stands for.
    pub role: Role,
    /// What the tenant may take.
    pub gate: Arc<Gate>,
    member: Member,
    /// Upstream connection and the address it was opened to: a store may move.
    store: Mutex<Option<(String, Channel)>>,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(
        gateway: Arc<Gateway>,
        cell: TenantCell,
        role: Role,
        gate: Arc<Gate>,
        member: Member,
    ) -> Connection {
        Connection {
            gateway,
            cell,
            role,
            gate,
            member,
            store: Mutex::default(),
        }
    }

    /// Who is connected, by the present record.
    pub fn tenant(&self) -> Arc<Tenant> {
        self.cell.load_full()
    }

    /// The upstream connection that goes with this one. One to one: back-pressure, half-open peers
    /// and a slow reader stay between the two ends they belong to.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when PD knows no such store.
    pub fn store_channel(&self, store_id: u64) -> Result<Channel, Fault> {
        let address = self.gateway.stores.address(store_id);
        let address = address
            .ok_or_else(|| Fault::Unavailable(format!("store {store_id} is not known to PD")))?;
        let mut open = self.store.lock();
        if let Some((at, channel)) = open.as_ref()
            && *at == address
        {
            return Ok(channel.clone());
        }
        let channel = upstream::channel(&address)?;
        *open = Some((address, channel.clone()));
        Ok(channel)
    }

    fn labels(&self) -> TenantLabels {
        TenantLabels {
            tenant: self.tenant().name.clone(),
        }
    }
}

/// Serves a connection on the current worker's runtime. The seat is kept until it ends.
pub fn spawn(connection: Connection, stream: TcpStream, seat: Seat) {
    let tracker = connection.gateway.connections.clone();
    tracker.spawn(async move {
        let connection = Arc::new(connection);
        let labels = connection.labels();
        let gauge = connection
            .gateway
            .metrics
            .connections
            .get_or_create_owned(&labels);
        gauge.inc();
        if let Err(fault) = serve(connection.clone(), stream).await {
            connection
                .gateway
                .metrics
                .bad_connections
                .get_or_create(&labels)
                .inc();
            tracing::debug!(tenant = labels.tenant, error = %fault, "connection ended");
        }
        gauge.dec();
        drop(seat);
    });
}

async fn serve(
    connection: Arc<Connection>,
    stream: TcpStream,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = tokio::net::TcpStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    let limits = &connection.gateway.config.limits;
    tokio::time::timeout(limits.first_bytes_timeout, first_bytes(&stream))
        .await
        .map_err(|_| "nothing or half a preface was sent in time")??;
    let builder = builder(limits);
    let service = {
        let connection = connection.clone();
        service_fn(move |request| {
            let connection = connection.clone();
            async move { Ok::<_, std::convert::Infallible>(answer(connection, request).await) }
        })
    };
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => return ended,
        () = connection.member.closing.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = serving => ended,
        () = connection.gateway.kill.cancelled() => Ok(()),
        () = tokio::time::sleep(connection.gateway.config.drain.grace) => Ok(()),
    }
}

/// HTTP/2's connection preface (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PREFACE_PAUSE: Duration = Duration::from_millis(20);

/// Waits until the client has sent a whole preface or something that is none. What follows is
/// bounded by HTTP itself: keepalive pings in HTTP/2, the head's time limit in HTTP/1.
async fn first_bytes(stream: &tokio::net::TcpStream) -> std::io::Result<()> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        let seen = seen.get(..count).unwrap_or_default();
        if count == 0 || count == PREFACE.len() || !PREFACE.starts_with(seen) {
            return Ok(());
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

fn builder(limits: &crate::config::Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.first_bytes_timeout)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(limits.max_streams_per_connection)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    builder
}

async fn answer(connection: Arc<Connection>, request: Request<Incoming>) -> Response<Body> {
    let is_grpc = is_grpc(&request);
    if let Err(fault) = connection.tenant().served() {
        return not_served(&connection, fault, is_grpc);
    }
    if is_grpc {
        return route::serve(connection, request).await;
    }
    match connection.role {
        Role::Pd => {
            connection
                .gateway
                .pd_http
                .serve(&connection.tenant(), request)
                .await
        }
        Role::Store(_) => not_grpc(&connection),
    }
}

/// A port that is bound although its tenant is not served: clients learn why.
fn not_served(connection: &Connection, fault: Fault, is_grpc: bool) -> Response<Body> {
    let metrics = &connection.gateway.metrics;
    metrics.fault(&connection.tenant().name, &fault);
    if is_grpc {
        return tonic::Status::from(fault).into_http();
    }
    let mut response = Response::new(Body::new(fault.to_string()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn not_grpc(connection: &Connection) -> Response<Body> {
    let fault = Fault::BadRequest("a store's port serves gRPC only".to_owned());
    connection
        .gateway
        .metrics
        .fault(&connection.tenant().name, &fault);
    let mut response = Response::new(Body::new(fault.to_string()));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}
