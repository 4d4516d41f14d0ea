//! Finds a server that takes the session, and logs the client in there.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::fault::Fault;
use crate::handshake::authenticate::{Spelling, authenticate};
use crate::handshake::packets::Packets;
use crate::handshake::server::{self, Greeted};
use crate::packet::capability::Capabilities;
use crate::packet::login::Login;
use crate::proxy::Proxy;
use crate::route::Route;
use crate::sessions::Seat;
use crate::wire::Wire;

/// Between two rounds over all servers.
const PAUSE: Duration = Duration::from_millis(100);

/// Who wants to be connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Introduction<'a> {
    pub(super) login: &'a Login,
    pub(super) route: &'a Route,
    pub(super) session: u32,
    pub(super) from: SocketAddr,
}

/// A server on which the client is logged in.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) server: Wire,
    pub(super) seat: Seat,
    pub(super) agreed: Capabilities,
}

/// Logs the client in on one of its tenant's servers.
pub(super) async fn connect<C: AsyncRead + AsyncWrite + Unpin>(
    proxy: &Proxy,
    client: &mut Packets<C>,
    introduction: Introduction<'_>,
) -> Result<Connected, Fault> {
    let Introduction {
        login,
        route,
        session,
        from,
    } = introduction;
    let (mut seat, greeted) = find(proxy, introduction).await?;
    seat.connection = greeted.greeting.connection;
    let about = about(session, &route.tenant.name, from);
    let own = server::login_for(login, &route.user, &greeted.greeting, &about);
    let mut greeted = greeted;
    greeted.log_in(&own).await.map_err(|error| {
        tracing::warn!(server = seat.backend.address, %error, "cannot log in");
        seat.backend.failed();
        Fault::ServerLost
    })?;
    let mut server = greeted.packets;
    let (given, written) = (
        String::from_utf8_lossy(&route.user),
        String::from_utf8_lossy(&login.user),
    );
    let spelling = Spelling {
        given: &given,
        written: &written,
    };
    authenticate(client, &mut server, spelling).await?;
    Ok(Connected {
        server: server.wire,
        seat,
        agreed: login.capabilities & greeted.greeting.capabilities,
    })
}

/// Attributes of a connection by which a server's operator finds its client.
pub(super) fn about(session: u32, tenant: &str, from: SocketAddr) -> [(&'static str, String); 3] {
    [
        ("_mesh_session", session.to_string()),
        ("_mesh_tenant", tenant.to_owned()),
        ("_mesh_client", from.to_string()),
    ]
}

/// Asks one server after another, and again, for half of the time that a login has.
async fn find(proxy: &Proxy, introduction: Introduction<'_>) -> Result<(Seat, Greeted), Fault> {
    let Introduction {
        login, route, from, ..
    } = introduction;
    let dialling = route.tenant.fleet.dialling();
    let limits = proxy.config().limits.clone();
    let until = Instant::now() + limits.login_timeout / 2;
    let (mut tried, mut incompatible) = (Vec::new(), false);
    loop {
        let Some(backend) = route.tenant.fleet.pick(&tried) else {
            if incompatible {
                return Err(Fault::Incompatible);
            }
            if Instant::now() >= until {
                return Err(Fault::NoServer(route.tenant.name.to_string()));
            }
            tokio::time::sleep(PAUSE).await;
            tried.clear();
            continue;
        };
        match server::greet(&backend, &dialling, Some(from), limits.dial_timeout).await {
            Ok(greeted) if server::serves(&greeted.greeting, login.capabilities) => {
                let seat = Seat {
                    user: route.user.clone(),
                    backend,
                    connection: 0,
                };
                return Ok((seat, greeted));
            }
            Ok(_) => incompatible = true,
            Err(error) => {
                tracing::debug!(server = backend.address, %error, "the server didn't greet");
            }
        }
        tried.push(backend);
    }
}
