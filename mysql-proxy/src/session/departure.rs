//! When a session leaves its server: the connection to another one is made ahead, while commands go
//! on; the move itself waits for the end of a command or transaction; one that fails is tried again.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use super::Session;
use super::connect::about;
use crate::fleet::version::understands;
use crate::fleet::{Backend, Fleet};
use crate::handshake::server::{self, Greeted};
use crate::migration::{Failure, Mover, migrate};
use crate::obstacle::Obstacle;
use crate::packet::command::Command;
use crate::packet::frame;
use crate::packet::greeting::Greeting;
use crate::packet::login::Login;
use crate::sessions::Seat;
use crate::wire::Wire;

/// Pause after the first move that failed; doubled with each further one.
const FIRST_REST: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// Between looks at whether it is the session's turn.
const TURN: Duration = Duration::from_millis(5);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A server that is ready to take the session.
pub(super) struct Target {
    pub(super) backend: Arc<Backend>,
    pub(super) greeted: Greeted,
}

type Step = Pin<Box<dyn Future<Output = Option<Result<Target, Obstacle>>>>>;

/// How far the departure of a session is. One that stays costs three words.
#[derive(Default)]
pub(super) struct Departure(Option<Box<Progress>>);

#[derive(Default)]
struct Progress {
    /// Connecting, or resting; resting ends without anything.
    step: Option<Step>,
    target: Option<Target>,
    failures: u32,
}

impl Departure {
    /// Ends when a step has; never, while there is none.
    pub(super) async fn step(&mut self) -> Option<Result<Target, Obstacle>> {
        let Some(progress) = &mut self.0 else {
            return pending().await;
        };
        match &mut progress.step {
            Some(step) => {
                let outcome = step.await;
                progress.step = None;
                outcome
            }
            None => pending().await,
        }
    }
}

impl Session {
    /// Does what is due for leaving the server, or for staying.
    pub(super) fn consider_leaving(&mut self) {
        let entry = Arc::clone(&self.registered.entry);
        if !entry.must_leave() {
            self.departure.0 = None;
            self.relay.stop_when_free(false);
            *entry.obstacle.lock() = None;
            return;
        }
        let progress = self.departure.0.get_or_insert_default();
        if progress.step.is_some() {
            return;
        }
        if progress.target.is_some() {
            self.relay.stop_when_free(true);
            return;
        }
        let fleet = self.tenant_place.fleet();
        let old = Arc::clone(&entry.seat.lock().backend);
        match fleet.pick_for_move(&old) {
            Ok(backend) => {
                let dial = Dial {
                    fleet: Arc::clone(fleet),
                    backend,
                    old,
                    from: entry.from,
                    within: self.proxy.config().limits.dial_timeout,
                };
                let login = self.login.clone();
                progress.step = Some(Box::pin(async move { Some(dial.run(&login).await) }));
            }
            Err(obstacle) => self.stay(obstacle),
        }
    }

    /// Goes on after a step.
    pub(super) fn after_step(&mut self, outcome: Option<Result<Target, Obstacle>>) {
        match outcome {
            Some(Ok(target)) => {
                self.departure.0.get_or_insert_default().target = Some(target);
                self.consider_leaving();
            }
            Some(Err(obstacle)) => self.stay(obstacle),
            None => self.consider_leaving(),
        }
    }

    /// Nothing ties the session to its server. Gives whether it goes on.
    pub(super) async fn leave(&mut self) -> bool {
        self.relay.stop_when_free(false);
        let entry = Arc::clone(&self.registered.entry);
        let target = self.departure.0.as_mut().and_then(|one| one.target.take());
        let Some(mut target) = target.filter(|_| entry.must_leave()) else {
            self.consider_leaving();
            return true;
        };
        let fleet = Arc::clone(self.tenant_place.fleet());
        let Some(_turn) = fleet.turn_to_move() else {
            self.wait_for_turn(target);
            return true;
        };
        let began = Instant::now();
        let user = entry.seat.lock().user.clone();
        let about = about(entry.id, &entry.tenant, entry.from);
        let mover = Mover {
            login: &self.login,
            user: &user,
            about: &about,
            agreed: self.relay.agreed(),
        };
        let moved = migrate(mover, &mut self.relay.server, &mut target.greeted);
        match Box::pin(moved).await {
            Ok(()) => {
                self.arrive(target, user);
                self.proxy.metrics.moved(&entry.tenant, began.elapsed());
            }
            Err(Failure::Stays(obstacle)) => self.stay(obstacle),
            Err(Failure::Lost(error)) => {
                tracing::debug!(session = entry.id, %error, "the server is gone while moving");
                return false;
            }
        }
        true
    }

    /// Meanwhile the client is served as before.
    fn wait_for_turn(&mut self, target: Target) {
        let progress = self.departure.0.get_or_insert_default();
        progress.target = Some(target);
        progress.step = Some(Box::pin(async {
            sleep(TURN).await;
            None
        }));
    }

    pub(super) fn arrive(&mut self, target: Target, user: Vec<u8>) {
        let Target { backend, greeted } = target;
        let agreed = self.login.capabilities & greeted.greeting.capabilities;
        let seat = Seat {
            user,
            backend,
            connection: greeted.greeting.connection,
        };
        let entry = Arc::clone(&self.registered.entry);
        let old = std::mem::replace(&mut self.relay.server, Wire::Closed);
        self.move_to(greeted.packets.wire, seat, agreed);
        spawn_local(say_goodbye(old));
        entry.asked_to_leave.store(false, Relaxed);
        entry.figures.moves.add(1);
        *entry.obstacle.lock() = None;
        self.departure.0 = None;
        // The server may have been left by others meanwhile.
        self.consider_leaving();
    }

    fn stay(&mut self, obstacle: Obstacle) {
        let entry = &self.registered.entry;
        tracing::debug!(session = entry.id, %obstacle, "the session stays on its server");
        self.proxy.metrics.stayed(&entry.tenant, &obstacle);
        *entry.obstacle.lock() = Some(obstacle);
        self.relay.stop_when_free(false);
        let progress = self.departure.0.get_or_insert_default();
        let rest = FIRST_REST.saturating_mul(1 << progress.failures.min(8));
        progress.failures += 1;
        progress.target = None;
        progress.step = Some(Box::pin(async move {
            sleep(rest.min(LONGEST_REST)).await;
            None
        }));
    }
}

/// A connection to be made.
struct Dial {
    fleet: Arc<Fleet>,
    backend: Arc<Backend>,
    old: Arc<Backend>,
    from: SocketAddr,
    within: Duration,
}

impl Dial {
    async fn run(self, login: &Login) -> Result<Target, Obstacle> {
        // All sessions of a server may want to leave it at once.
        let _turn = self.fleet.turn_to_connect().await;
        let greeted = timeout(self.within * 2, self.connect(login)).await;
        Ok(Target {
            greeted: greeted.unwrap_or(Err(Obstacle::OtherServerLost))?,
            backend: self.backend,
        })
    }

    /// Does everything that can be done before the session is stopped.
    async fn connect(&self, login: &Login) -> Result<Greeted, Obstacle> {
        let (dialling, from) = (self.fleet.dialling(), Some(self.from));
        let mut greeted = server::greet(&self.backend, &dialling, from, self.within).await?;
        fits(&greeted.greeting, login, &self.old)?;
        let secured = greeted.begin_tls(login).await;
        secured.map_err(|error| Obstacle::Unreachable(error.to_string()))?;
        Ok(greeted)
    }
}

/// Whether a server that has greeted can take a session of `old`.
pub(super) fn fits(greeting: &Greeting, login: &Login, old: &Backend) -> Result<(), Obstacle> {
    if !server::serves(greeting, login.capabilities) {
        return Err(Obstacle::Incompatible);
    }
    if !understands(&greeting.version, &old.version()) {
        return Err(Obstacle::OlderServers);
    }
    Ok(())
}

/// Lets the server end the connection in order; the client doesn't wait for it.
async fn say_goodbye(mut server: Wire) {
    let goodbye = async {
        server.write_all(&frame(0, &[Command::QUIT.0])).await?;
        server.shutdown().await
    };
    let _ = timeout(GOODBYE, goodbye).await;
}
