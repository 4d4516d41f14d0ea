//! Phase 1, listener: the ports of tenants. One port is one identity: the tenant, and whether PD or
//! which store is meant.
//!
//! A seat is taken before a connection is accepted, so that a tenant at its limit waits in the
//! kernel's queue and costs nothing. An accept error pauses the loop and never ends it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connection::{self, Connection};
use crate::gateway::Gateway;
use crate::limits::Gate;
use crate::tenant::TenantCell;
use crate::term::Term;

/// What a port of a tenant stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// PD: gRPC, etcd and HTTP.
    Pd,
    /// The store with this id.
    Store(u64),
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A TiDB opens some ten connections; bursts come from restarts of many servers at once.
const BACKLOG: i32 = 1024;

/// Binds a port of a tenant.
///
/// # Errors
/// The system's, for example when the port is taken.
pub fn bind(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What all ports of a tenant share.
#[derive(Clone)]
pub struct Access {
    /// What the tenant may take.
    pub gate: Arc<Gate>,
    /// Connections that are accepted now belong to this.
    pub term: Arc<ArcSwap<Term>>,
    /// Fires when the tenant's ports close.
    pub closing: CancellationToken,
}

/// Accepts connections for one role of a tenant until its ports close.
pub async fn accept(
    gateway: Arc<Gateway>,
    tenant: TenantCell,
    role: Role,
    listener: TcpListener,
    access: Access,
) {
    let Access {
        gate,
        term,
        closing,
    } = access;
    loop {
        let seat = tokio::select! {
            seat = gate.seats.take() => seat,
            () = closing.cancelled() => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => return,
        };
        let stream = match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => stream,
            Err(fault) => {
                tracing::warn!(tenant = tenant.load().name, error = %fault, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let member = term.load().join();
        let connection =
            Connection::new(gateway.clone(), tenant.clone(), role, gate.clone(), member);
        let job = Box::new(move |stream| connection::spawn(connection, stream, seat));
        gateway.workers.hand_over(stream, job).await;
    }
}
