//! Phase 1 where all tenants share a port: the client's certificate says who calls, the server
//! name (SNI) what is called.
//!
//! Until both are known a connection belongs to nobody, so it is bounded by itself: in number by
//! `listen.tls.max_handshakes`, in time by `limits.first_bytes_timeout`. Whoever is refused after
//! proving who it is hears why, on each call, for a short while.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::{self, Connection};
use crate::gateway::Gateway;
use crate::limits::Seat;
use crate::listener;
use crate::ports::Ports;
use crate::tls::{ListenTls, Refusal, Secured};

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds the shared port, if the configuration has one.
///
/// # Errors
/// The system's, for example when the port is taken.
pub fn bind(gateway: &Gateway) -> io::Result<Option<TcpListener>> {
    let listen = &gateway.config.listen;
    let port = listen.tls.as_ref().and_then(|tls| tls.shared_port);
    port.map(|port| listener::bind(listen.bind, port.get()))
        .transpose()
}

/// Accepts connections until the process drains.
pub async fn accept(gateway: Arc<Gateway>, ports: Arc<Ports>, listener: TcpListener) {
    let (Some(tls), Some(config)) = (&gateway.listen_tls, &gateway.config.listen.tls) else {
        return;
    };
    let unknown = Arc::new(Semaphore::new(config.max_handshakes.get()));
    loop {
        let Ok(permit) = unknown.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gateway.closing.cancelled() => return,
        };
        let stream = match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => stream,
            Err(fault) => {
                tracing::warn!(error = %fault, "accept failed on the shared port");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let caller = Caller {
            gateway: gateway.clone(),
            ports: ports.clone(),
            tls: tls.clone(),
            unknown: permit,
        };
        let job = Box::new(move |stream| caller.spawn(stream));
        gateway.workers.hand_over(stream, job).await;
    }
}

/// A connection of somebody.
struct Caller {
    gateway: Arc<Gateway>,
    ports: Arc<Ports>,
    tls: Arc<ListenTls>,
    unknown: OwnedSemaphorePermit,
}

impl Caller {
    fn spawn(self, stream: TcpStream) {
        let tracker = self.gateway.connections.clone();
        tracker.spawn(async move {
            let gateway = self.gateway.clone();
            tokio::select! {
                () = Box::pin(self.serve(stream)) => {}
                () = gateway.kill.cancelled() => {}
            }
        });
    }

    async fn serve(self, stream: TcpStream) {
        let limit = self.gateway.config.limits.first_bytes_timeout;
        let secured = match connection::from_std(stream) {
            Ok(stream) => self.tls.accept(stream, limit).await,
            Err(_) => Err(Refusal::Broken),
        };
        let secured = match secured {
            Ok(secured) => secured,
            Err(refusal) => return connection::count_refusal(&self.gateway, refusal),
        };
        match self.admit(&secured).await {
            Ok((connection, seat)) => {
                drop(self.unknown);
                connection::run(connection, secured.stream, seat).await;
            }
            Err(refusal) => {
                connection::count_refusal(&self.gateway, refusal);
                connection::tell_refusal(&self.gateway, secured.stream, refusal).await;
            }
        }
    }

    async fn admit(&self, secured: &Secured) -> Result<(Connection, Seat), Refusal> {
        let (tenant, role) = secured.on_shared_port()?;
        let (cell, access) = self
            .ports
            .find(tenant.as_str())
            .await
            .ok_or(Refusal::UnknownTenant)?;
        // Waiting in the kernel's queue, as on a port of its own, would make others wait too.
        let seat = access.gate.seats.try_take();
        let seat = seat.ok_or(Refusal::TenantAtLimit)?;
        let member = access.term.load().join();
        let connection = Connection::new(self.gateway.clone(), cell, role, access.gate, member);
        Ok((connection, seat))
    }
}
