//! One session from accept to end.

mod change_user;
mod connect;
mod departure;
mod kill;
mod vigil;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::config::Listener;
use crate::fault::Fault;
use crate::fleet;
use crate::handshake::client;
use crate::handshake::packets::Packets;
use crate::packet::capability::Capabilities;
use crate::packet::command::Command;
use crate::packet::login::Login;
use crate::proxy::{Place, Proxy};
use crate::proxy_header;
use crate::relay::figures::Figures;
use crate::relay::{Event, Relay};
use crate::route::{Identity, Route};
use crate::sessions::{Entry, Registered, Seat};
use crate::wire::Wire;
use connect::{Connected, Introduction};
use departure::Departure;
use vigil::Vigil;

/// How long a client that was refused may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection that has been accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The socket.
    pub stream: TcpStream,
    /// The client.
    pub from: SocketAddr,
    /// Where it came in.
    pub listener: Arc<Listener>,
}

/// A session that is logged in. What is needed for idling is small; the rest is behind pointers.
struct Session {
    proxy: Arc<Proxy>,
    listener: Arc<Listener>,
    relay: Relay<Wire, Wire>,
    registered: Registered,
    login: Box<Login>,
    departure: Departure,
    vigil: Vigil,
    _place: Place,
    tenant_place: fleet::Place,
}

/// Serves a connection until it ends.
pub async fn serve(proxy: Arc<Proxy>, accepted: Accepted) {
    let from = accepted.from;
    // The login's state is large and short-lived, so it gets a box of its own.
    match Box::pin(open(&proxy, accepted)).await {
        Ok(session) => session.run().await,
        Err(fault) => {
            tracing::debug!(%from, %fault, "no session");
            proxy.metrics.refused(&fault);
        }
    }
}

async fn open(proxy: &Arc<Proxy>, accepted: Accepted) -> Result<Session, Fault> {
    let limits = proxy.config().limits.clone();
    let Accepted {
        mut stream,
        mut from,
        listener,
    } = accepted;
    stream.set_nodelay(true).map_err(Fault::ClientGone)?;
    if balanced(&listener, from) {
        let header = timeout(limits.login_timeout, proxy_header::read(&mut stream)).await;
        let told = header
            .map_err(|_| Fault::Timeout)?
            .map_err(Fault::ClientGone)?;
        from = told.unwrap_or(from);
    }
    let mut client = Packets::new(Wire::Plain(stream), limits.login_bytes);
    let establishing = establish(proxy, &mut client, &listener, from);
    let outcome = timeout(limits.login_timeout, establishing).await;
    match outcome.unwrap_or(Err(Fault::Timeout)) {
        Ok(established) => Ok(established.into_session(proxy, client.wire, listener, from)),
        Err(fault) => {
            let _ = timeout(FAREWELL, refuse(&mut client, &fault)).await;
            Err(fault)
        }
    }
}

/// Whether the connection comes from a load balancer that tells whose it is.
fn balanced(listener: &Listener, from: SocketAddr) -> bool {
    let mut networks = listener.proxy_protocol_from.iter();
    networks.any(|network| network.contains(&from.ip()))
}

/// Says why, and lets the client read it: closing over unread bytes would take the words back.
async fn refuse(client: &mut Packets<Wire>, fault: &Fault) -> std::io::Result<()> {
    if let Some(error) = fault.packet() {
        let greeted = client.sequence > 0;
        client.write(&error.payload(greeted)).await?;
    }
    client.wire.shutdown().await?;
    let mut rest = [0; 1024];
    while client.wire.read(&mut rest).await? > 0 {}
    Ok(())
}

/// A login that has succeeded.
struct Established {
    id: u32,
    login: Login,
    route: Route,
    connected: Connected,
    place: Place,
    tenant_place: fleet::Place,
}

async fn establish(
    proxy: &Arc<Proxy>,
    client: &mut Packets<Wire>,
    listener: &Listener,
    from: SocketAddr,
) -> Result<Established, Fault> {
    let place = proxy.place().ok_or(Fault::ProxyFull)?;
    let offer = proxy.offer(listener);
    let login = client::greet(client, &offer).await?;
    let route = route(proxy, &login, client.wire.asked_host(), listener, from)?;
    let tenant = route.tenant.name.to_string();
    let tenant_place = route
        .tenant
        .fleet
        .place()
        .ok_or(Fault::TenantFull(tenant))?;
    let introduction = Introduction {
        login: &login,
        route: &route,
        session: offer.session,
        from,
    };
    let connected = connect::connect(proxy, client, introduction).await?;
    Ok(Established {
        id: offer.session,
        login,
        route,
        connected,
        place,
        tenant_place,
    })
}

fn route(
    proxy: &Proxy,
    login: &Login,
    sni: Option<&str>,
    listener: &Listener,
    from: SocketAddr,
) -> Result<Route, Fault> {
    let identity = Identity {
        listener_tenant: listener.tenant.as_deref(),
        port: listener.bind.port(),
        sni,
        user: &login.user,
        schema: &login.schema,
        attributes: &login.attributes,
        from: from.ip(),
    };
    Ok(proxy.table().route(&identity)?)
}

impl Established {
    fn into_session(
        self,
        proxy: &Arc<Proxy>,
        client: Wire,
        listener: Arc<Listener>,
        from: SocketAddr,
    ) -> Session {
        let figures = Arc::<Figures>::default();
        let Connected {
            server,
            seat,
            agreed,
        } = self.connected;
        let load = Arc::clone(&seat.backend.load);
        load.join();
        let registered = proxy.sessions.register(Entry {
            id: self.id,
            tenant: Arc::clone(&self.route.tenant.name),
            from,
            since: Instant::now(),
            seat: seat.into(),
            figures: Arc::clone(&figures),
            closing: Notify::new(),
            leaving: Notify::new(),
            asked_to_leave: AtomicBool::new(false),
            obstacle: Mutex::new(None),
        });
        Session {
            proxy: Arc::clone(proxy),
            listener,
            relay: Relay::new(client, server, agreed, figures, load),
            registered,
            login: Box::new(self.login),
            departure: Departure::default(),
            vigil: Vigil::default(),
            _place: self.place,
            tenant_place: self.tenant_place,
        }
    }
}

impl Session {
    async fn run(mut self) {
        let entry = Arc::clone(&self.registered.entry);
        // The server may have been left since it was picked.
        self.consider_leaving();
        self.keep_vigil();
        loop {
            let event = tokio::select! {
                biased;
                () = entry.closing.notified() => return,
                () = entry.leaving.notified() => {
                    self.consider_leaving();
                    continue;
                }
                outcome = self.departure.step() => {
                    self.after_step(outcome);
                    continue;
                }
                () = self.vigil.tick() => {
                    self.after_tick();
                    continue;
                }
                event = self.relay.run() => event,
            };
            if !self.handle(event).await {
                return;
            }
        }
    }

    /// Gives whether the session goes on.
    async fn handle(&mut self, event: Event) -> bool {
        let id = self.registered.entry.id;
        match event {
            Event::Told(Command::CHANGE_USER) => {
                if let Err(fault) = Box::pin(self.change_user()).await {
                    self.proxy.metrics.refused(&fault);
                    self.farewell(&fault).await;
                    return false;
                }
                true
            }
            Event::Told(_) => {
                self.kill();
                true
            }
            Event::TooLong(_) => {
                let length = crate::relay::LONGEST_TOLD + 1;
                let fault = crate::handshake::packets::PacketError::TooLong(length).into();
                self.farewell(&fault).await;
                false
            }
            Event::Free => Box::pin(self.look()).await && Box::pin(self.leave()).await,
            Event::Quit => false,
            Event::ClientClosed(error) => {
                tracing::debug!(session = id, ?error, "the client is gone");
                false
            }
            Event::ServerClosed(error) => {
                tracing::debug!(session = id, ?error, "the server is gone");
                Box::pin(self.restore()).await
            }
        }
    }

    /// Answers the command that can't go on.
    async fn farewell(&mut self, fault: &Fault) {
        let mut client = Packets::new(&mut self.relay.client, 0);
        client.sequence = 1;
        let saying = async {
            if let Some(error) = fault.packet() {
                client.write(&error.payload(true)).await?;
            }
            client.wire.shutdown().await
        };
        let _ = timeout(FAREWELL, saying).await;
    }

    /// Takes the place on another server that the same client has logged in to.
    fn move_to(&mut self, server: Wire, seat: Seat, agreed: Capabilities) {
        let load = Arc::clone(&seat.backend.load);
        load.join();
        self.relay.continue_with(server, agreed, load);
        let old = std::mem::replace(&mut *self.registered.entry.seat.lock(), seat);
        old.backend.load.leave();
    }
}
