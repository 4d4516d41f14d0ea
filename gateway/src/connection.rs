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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;

use crate::exchange::Scope;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::limits::{Gate, Lane, Seat, Turns};
use crate::listener::Role;
use crate::metrics::{RefusalLabels, TenantLabels};
use crate::prefixed::{PREFACE, Prefixed};
use crate::route;
use crate::tenant::{Tenant, TenantCell};
use crate::term::Member;
use crate::tls::{ListenTls, Refusal};

/// TiKV's own server windows are 2 MiB per stream; a tenant's bytes in flight are bounded by these.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// What a stream may hold back unsent; beyond it, reading from the storage stops.
const SEND_BUFFER: usize = 256 * 1024;

/// How long a refused client may hear why.
const TELLING: Duration = Duration::from_secs(5);

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
        let channel = self.gateway.stores.dialer().channel(&address)?;
        *open = Some((address, channel.clone()));
        Ok(channel)
    }

    /// A way to the stores for the requests of one stream or call.
    pub fn lane(&self) -> Lane {
        let turns = Turns::of_this_worker(self.gateway.config.limits.worker_in_flight);
        Lane::new(self.gate.clone(), turns)
    }

    /// What a tenant's messages are decorated and undecorated with.
    pub fn scope<'a>(&'a self, tenant: &'a Tenant) -> Scope<'a> {
        Scope {
            keyspace: &tenant.keyspace,
            metrics: &self.gateway.metrics,
        }
    }

    fn labels(&self) -> TenantLabels {
        TenantLabels {
            tenant: self.tenant().name.clone(),
        }
    }
}

/// Serves a connection to a tenant's own port on the current worker's runtime. The seat is kept
/// until it ends.
pub fn spawn(connection: Connection, stream: TcpStream, seat: Seat) {
    let tracker = connection.gateway.connections.clone();
    tracker.spawn(async move {
        let Ok(stream) = from_std(stream) else { return };
        match connection.gateway.listen_tls.clone() {
            None => run(connection, stream, seat).await,
            Some(tls) => Box::pin(secure(connection, &tls, stream, seat)).await,
        }
    });
}

/// The stream on the current runtime.
///
/// # Errors
/// The system's.
pub fn from_std(stream: TcpStream) -> std::io::Result<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn secure(
    connection: Connection,
    tls: &ListenTls,
    stream: tokio::net::TcpStream,
    seat: Seat,
) {
    let gateway = connection.gateway.clone();
    let limit = gateway.config.limits.first_bytes_timeout;
    let secured = match tls.accept(stream, limit).await {
        Ok(secured) => secured,
        Err(refusal) => return count_refusal(&gateway, refusal),
    };
    let tenant = connection.tenant();
    match secured.on_port_of(&tenant.name, connection.role) {
        Ok(()) => run(connection, secured.stream, seat).await,
        Err(refusal) => {
            count_refusal(&gateway, refusal);
            tell_refusal(&gateway, secured.stream, refusal).await;
        }
    }
}

/// Counts a connection that is not served.
pub fn count_refusal(gateway: &Gateway, refusal: Refusal) {
    let labels = RefusalLabels {
        reason: refusal.label(),
    };
    gateway
        .metrics
        .refused_connections
        .get_or_create(&labels)
        .inc();
    tracing::debug!(reason = %refusal, "connection refused");
}

/// Answers every call on a connection with the reason why it is refused, for a short while.
pub async fn tell_refusal<S: Stream>(gateway: &Gateway, stream: S, refusal: Refusal) {
    let service = service_fn(move |request| {
        let answer = refused(&request, refusal.into(), StatusCode::FORBIDDEN);
        async move { Ok::<_, std::convert::Infallible>(answer) }
    });
    let builder = builder(&gateway.config.limits);
    let telling = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = telling => {}
        () = gateway.closing.cancelled() => {}
        () = tokio::time::sleep(TELLING) => {}
    }
}

/// Serves a connection whose client is known. The seat is kept until it ends.
pub async fn run<S: Stream>(connection: Connection, stream: S, seat: Seat) {
    let connection = Arc::new(connection);
    let labels = connection.labels();
    let metrics = &connection.gateway.metrics;
    let gauge = metrics.connections.get_or_create_owned(&labels);
    gauge.inc();
    if let Err(fault) = serve(connection.clone(), stream).await {
        metrics.bad_connections.get_or_create(&labels).inc();
        tracing::debug!(tenant = labels.tenant, error = %fault, "connection ended");
    }
    gauge.dec();
    drop(seat);
}

async fn serve<S: Stream>(
    connection: Arc<Connection>,
    stream: S,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let limits = &connection.gateway.config.limits;
    let stream = tokio::time::timeout(limits.first_bytes_timeout, stream.after_first_bytes())
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

/// A connection of a client, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// What is read from once the first bytes are there.
    type Begun: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits until the client has sent a whole preface or something that is none. What follows is
    /// bounded by HTTP itself: keepalive pings in HTTP/2, the head's time limit in HTTP/1.
    fn after_first_bytes(self) -> impl Future<Output = std::io::Result<Self::Begun>> + Send;
}

const PREFACE_PAUSE: Duration = Duration::from_millis(20);

impl Stream for tokio::net::TcpStream {
    type Begun = Self;

    async fn after_first_bytes(self) -> std::io::Result<Self> {
        let mut seen = [0; PREFACE.len()];
        loop {
            let count = self.peek(&mut seen).await?;
            let seen = seen.get(..count).unwrap_or_default();
            if count == 0 || count == PREFACE.len() || !PREFACE.starts_with(seen) {
                return Ok(self);
            }
            tokio::time::sleep(PREFACE_PAUSE).await;
        }
    }
}

impl Stream for TlsStream<tokio::net::TcpStream> {
    type Begun = Prefixed<Self>;

    async fn after_first_bytes(self) -> std::io::Result<Prefixed<Self>> {
        Prefixed::after_first_bytes(self).await
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
    if let Err(refusal) = authority_agrees(&connection, &request) {
        let fault = Fault::from(refusal);
        let metrics = &connection.gateway.metrics;
        metrics.fault(&connection.tenant().name, &fault);
        return refused(&request, fault, StatusCode::FORBIDDEN);
    }
    if let Err(fault) = connection.tenant().served() {
        let metrics = &connection.gateway.metrics;
        metrics.fault(&connection.tenant().name, &fault);
        // A port that is bound although its tenant is not served: clients learn why.
        return refused(&request, fault, StatusCode::SERVICE_UNAVAILABLE);
    }
    if is_grpc(&request) {
        return route::serve(connection, request).await;
    }
    match connection.role {
        Role::Pd => {
            if let Err(busy) = connection.gate.call().await {
                let fault = Fault::from(busy);
                let metrics = &connection.gateway.metrics;
                metrics.fault(&connection.tenant().name, &fault);
                return refused(&request, fault, StatusCode::TOO_MANY_REQUESTS);
            }
            connection
                .gateway
                .pd_http
                .serve(&connection.tenant(), request)
                .await
        }
        Role::Store(_) => not_grpc(&connection),
    }
}

/// With TLS, `:authority` (in HTTP/1 `Host`) may not name another tenant, store or PD than the
/// connection is for.
fn authority_agrees(connection: &Connection, request: &Request<Incoming>) -> Result<(), Refusal> {
    let Some(tls) = &connection.gateway.listen_tls else {
        return Ok(());
    };
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(|named| named.as_str());
    let tenant = connection.tenant();
    let contradicts = |named| {
        tls.names()
            .contradicts(named, &tenant.name, connection.role)
    };
    if authority.into_iter().chain(host).any(contradicts) {
        return Err(Refusal::OtherTenant);
    }
    Ok(())
}

/// Tells a fault in the form that the client asked in.
fn refused(request: &Request<Incoming>, fault: Fault, status: StatusCode) -> Response<Body> {
    if is_grpc(request) {
        return Status::from(fault).into_http();
    }
    let mut response = Response::new(Body::new(fault.to_string()));
    *response.status_mut() = status;
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
