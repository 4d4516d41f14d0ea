//! Sessions that outlive their server. While one is idle, what it would take along is asked for and
//! kept; when its server dies, it is built anew on another one.
//!
//! What must stay true:
//! - what is kept is used only if no command was sent since it was asked for;
//! - a server that ends a session by its own will (KILL, a timeout) has it ended: only one that
//!   can't be reached any more is dead;
//! - nothing is kept for tenants without a signing key.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, Sleep, sleep};

use super::Session;
use super::connect::about;
use super::departure::{Target, fits};
use crate::fleet::Backend;
use crate::handshake::server::{self, DialError};
use crate::migration::token::Signer;
use crate::migration::{Failure, Luggage, Mover, pack, revive};

/// Between looks at whether a session is idle. One that sent no command in between is asked.
const LOOK: Duration = Duration::from_secs(1);
/// Between tries to find another server.
const PAUSE: Duration = Duration::from_millis(100);

/// Nothing for sessions of tenants without a key.
#[derive(Default)]
pub(super) struct Vigil(Option<Box<Watch>>);

struct Watch {
    timer: Pin<Box<Sleep>>,
    /// Commands that had been sent at the last look.
    seen: u64,
    /// Commands that had been sent when the session was last asked.
    asked: Option<u64>,
    due: bool,
    luggage: Option<Luggage>,
}

impl Vigil {
    /// Ends when it is time to look.
    pub(super) async fn tick(&mut self) {
        match &mut self.0 {
            Some(watch) => watch.timer.as_mut().await,
            None => pending().await,
        }
    }
}

impl Session {
    /// Begins anew, with nothing kept.
    pub(super) fn keep_vigil(&mut self) {
        self.vigil.0 = None;
        self.registered.entry.figures.kept.store(0, Relaxed);
        if self.tenant_place.fleet().signer().is_some() {
            self.vigil.0 = Some(Box::new(Watch {
                timer: Box::pin(sleep(LOOK)),
                seen: 0,
                asked: None,
                due: false,
                luggage: None,
            }));
        }
    }

    pub(super) fn after_tick(&mut self) {
        let commands = self.registered.entry.figures.commands.get();
        let Some(watch) = &mut self.vigil.0 else {
            return;
        };
        watch.timer.as_mut().reset(Instant::now() + LOOK);
        let idle = watch.seen == commands;
        watch.seen = commands;
        if idle && watch.asked != Some(commands) {
            watch.due = true;
            self.relay.stop_when_free(true);
        }
    }

    /// Asks for what the session would take along, when that is due. Gives whether it goes on.
    pub(super) async fn look(&mut self) -> bool {
        let entry = Arc::clone(&self.registered.entry);
        let Some(watch) = self.vigil.0.as_mut().filter(|watch| watch.due) else {
            return true;
        };
        watch.due = false;
        watch.asked = Some(entry.figures.commands.get());
        watch.luggage = None;
        match pack(self.relay.agreed(), &mut self.relay.server).await {
            Ok(luggage) => {
                let figures = &entry.figures;
                let kept = luggage.as_ref().map_or(0, |_| figures.commands.get() + 1);
                figures.kept.store(kept, Relaxed);
                watch.luggage = luggage;
            }
            Err(Failure::Stays(obstacle)) => {
                tracing::debug!(session = entry.id, %obstacle, "the session would not outlive its server");
            }
            Err(Failure::Lost(error)) => {
                tracing::debug!(session = entry.id, %error, "the server is gone while asked");
                return false;
            }
        }
        true
    }

    /// Goes on at another server, when its own is dead. Gives whether it does.
    pub(super) async fn restore(&mut self) -> bool {
        let entry = Arc::clone(&self.registered.entry);
        let (Some(luggage), Some(signer)) = (
            self.vigil.0.take().and_then(|watch| watch.luggage),
            self.tenant_place.fleet().signer(),
        ) else {
            return false;
        };
        if !entry.figures.outlives_server() || self.relay.busy() {
            return false;
        }
        let old = Arc::clone(&entry.seat.lock().backend);
        if self.lives(&old).await {
            return false;
        }
        let until = Instant::now() + self.proxy.config().limits.login_timeout;
        while Instant::now() < until {
            if self.revive_once(&old, &signer, &luggage).await {
                self.proxy.metrics.restored(&entry.tenant);
                self.keep_vigil();
                return true;
            }
            sleep(PAUSE).await;
        }
        tracing::warn!(
            session = entry.id,
            "no server takes the session of a dead one"
        );
        false
    }

    /// Only what doesn't accept connections is taken for dead.
    async fn lives(&self, old: &Backend) -> bool {
        let (dialling, within) = (
            self.tenant_place.fleet().dialling(),
            self.proxy.config().limits.dial_timeout,
        );
        let from = Some(self.registered.entry.from);
        let greeted = server::greet(old, &dialling, from, within).await;
        !matches!(greeted, Err(DialError::Io(_) | DialError::Timeout))
    }

    async fn revive_once(
        &mut self,
        old: &Arc<Backend>,
        signer: &Signer,
        luggage: &Luggage,
    ) -> bool {
        let entry = Arc::clone(&self.registered.entry);
        let fleet = self.tenant_place.fleet();
        let user = entry.seat.lock().user.clone();
        let (Some(backend), Some(token)) =
            (fleet.pick(&[]), signer.token(&user, SystemTime::now()))
        else {
            return false;
        };
        let (dialling, within) = (fleet.dialling(), self.proxy.config().limits.dial_timeout);
        let Ok(mut greeted) = server::greet(&backend, &dialling, Some(entry.from), within).await
        else {
            return false;
        };
        if fits(&greeted.greeting, &self.login, old).is_err() {
            return false;
        }
        let about = about(entry.id, &entry.tenant, entry.from);
        let mover = Mover {
            login: &self.login,
            user: &user,
            about: &about,
            agreed: self.relay.agreed(),
        };
        tracing::info!(session = entry.id, tenant = %entry.tenant, "a token is signed for the session of a dead server");
        match revive(mover, &mut greeted, token, luggage).await {
            Ok(()) => {
                self.arrive(Target { backend, greeted }, user);
                true
            }
            Err(obstacle) => {
                tracing::debug!(session = entry.id, %obstacle, "the session isn't taken up");
                false
            }
        }
    }
}
