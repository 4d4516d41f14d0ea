//! What the storage cluster is told to keep for each tenant.
//!
//! Real garbage collection is one for all: versions go when no service needs them. Each tenant is
//! a service, with its own safe point for a value and a time to live, renewed while the tenant is
//! alive. So a tenant never loses a snapshot that it may read, and one that is gone holds nobody
//! back for longer than the time to live. If it does come back later, its safe points are raised
//! to what was collected meanwhile, before it is answered anything.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mesh_tenants::Scope;

use super::ledger::{Ledger, unix_now};
use super::state::{GcState, Timestamp, UnixSeconds};
use super::storage::StorageGc;
use crate::fault::Fault;

/// PD may collect between two questions; more often than this in a row it does not.
const ATTEMPTS: usize = 5;
/// A tenant that asked PD's port for something this long ago is alive. Clients look for PD's
/// members every minute.
const ALIVE: Duration = Duration::from_secs(600);

/// Keeps what tenants need.
pub(super) struct Holds {
    storage: StorageGc,
    ledger: Ledger,
    ttl: i64,
    seen: Mutex<HashMap<Scope, Seen>>,
}

/// What this process knows of a tenant without asking.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// When it last asked for something.
    at: UnixSeconds,
    /// How long the storage is known to keep something for it.
    held_until: UnixSeconds,
}

impl Holds {
    pub(super) fn new(storage: StorageGc, ledger: Ledger, ttl: Duration) -> Holds {
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX).max(1);
        Holds {
            storage,
            ledger,
            ttl,
            seen: Mutex::default(),
        }
    }

    /// Begins a new tenant, which has nothing older than `floor`.
    pub(super) async fn begin(&self, scope: Scope, floor: Timestamp) -> Result<GcState, Fault> {
        self.ledger
            .begin(scope, GcState::beginning_at(floor))
            .await?;
        self.renew(scope).await
    }

    /// Notes that a tenant asks for something, and makes sure that the storage keeps what it
    /// needs. Costs nothing but in the first call and when a good part of the time to live is over.
    pub(super) async fn ensure(&self, scope: Scope) -> Result<(), Fault> {
        let now = unix_now();
        let known = self.note(scope, now).held_until;
        if known > self.renewal_due(now) {
            return Ok(());
        }
        match self.ensure_told(scope, now).await {
            // Renewal can wait: something is kept for the tenant still.
            Err(fault) if known > now => {
                tracing::warn!(%scope, error = %fault, "hold not renewed");
                Ok(())
            }
            told => told,
        }
    }

    async fn ensure_told(&self, scope: Scope, now: UnixSeconds) -> Result<(), Fault> {
        match self.ledger.read(scope).await? {
            Some(state) if state.held_until > self.renewal_due(now) => {
                self.note_held(scope, state.held_until);
                Ok(())
            }
            Some(_) | None => self.renew(scope).await.map(|_| ()),
        }
    }

    /// Tells the storage what a tenant needs from now on, and catches up if that is gone.
    pub(super) async fn renew(&self, scope: Scope) -> Result<GcState, Fault> {
        for _ in 0..ATTEMPTS {
            let state = self.state(scope).await?;
            let oldest = self.ledger.oldest_transaction(scope).await?;
            let until = unix_now().saturating_add(self.ttl);
            // PD takes zero for "none".
            let held = state.hold(oldest).max(1);
            let least = self.storage.hold(scope, held, self.ttl).await?;
            if least > held {
                self.catch_up(scope, least).await?;
                continue;
            }
            let told = |state: &mut GcState| {
                state.held = held;
                state.held_until = state.held_until.max(until);
                Ok(())
            };
            let changed = self.ledger.change(scope, told).await?;
            self.note_held(scope, changed.after.held_until);
            return Ok(changed.after);
        }
        Err(Fault::Unavailable(format!(
            "the storage keeps nothing for {scope}"
        )))
    }

    /// One look at a tenant from the background: renewed when it is alive and there is a reason
    /// to, caught up when nothing is kept for it. Answers what is kept.
    pub(super) async fn look_after(&self, scope: Scope) -> Result<Option<Timestamp>, Fault> {
        let now = unix_now();
        let state = self.state(scope).await?;
        let oldest = self.ledger.oldest_transaction(scope).await?;
        if oldest.is_some() || self.is_alive(scope, now) || state.held_until == 0 {
            let stale = state.held_until <= self.renewal_due(now);
            let moved = state.hold(oldest).max(1) != state.held;
            let state = if stale || moved {
                self.renew(scope).await?
            } else {
                state
            };
            return Ok(Some(state.held));
        }
        if state.is_held(now) {
            return Ok(Some(state.held));
        }
        let least = self.storage.least_service().await?;
        if least > state.floor {
            self.catch_up(scope, least).await?;
        }
        Ok(None)
    }

    /// Keeps nothing for a tenant that is not served, but remembers its safe points. It catches up
    /// by [`Holds::renew`], before it is served again.
    pub(super) async fn pause(&self, scope: Scope) -> Result<(), Fault> {
        self.unsee(scope);
        let now = unix_now();
        if !self.state(scope).await?.is_held(now) {
            return Ok(());
        }
        self.storage.release(scope).await?;
        let end = |state: &mut GcState| {
            state.held_until = now - 1;
            Ok(())
        };
        self.ledger.change(scope, end).await.map(drop)
    }

    /// Keeps nothing for a tenant any longer.
    pub(super) async fn end(&self, scope: Scope) -> Result<(), Fault> {
        self.storage.release(scope).await?;
        self.unsee(scope);
        self.ledger.forget(scope).await
    }

    fn unsee(&self, scope: Scope) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&scope);
    }

    /// A tenant's state. One that was never begun may have data of any age: nothing is kept for it
    /// yet, so it begins at the very start and catches up when the storage is told.
    async fn state(&self, scope: Scope) -> Result<GcState, Fault> {
        match self.ledger.read(scope).await? {
            Some(state) => Ok(state),
            None => self.ledger.begin(scope, GcState::default()).await,
        }
    }

    async fn catch_up(&self, scope: Scope, least: Timestamp) -> Result<(), Fault> {
        let collected = self.storage.gc_safe_point().await?;
        let raise = |state: &mut GcState| {
            state.catch_up(least, collected);
            Ok(())
        };
        let changed = self.ledger.change(scope, raise).await?;
        let txn_safe_point = changed.after.txn_safe_point;
        if txn_safe_point > changed.before.txn_safe_point {
            tracing::warn!(%scope, txn_safe_point, "tenant caught up with the storage's GC");
            self.ledger
                .save_txn_safe_point(scope, txn_safe_point)
                .await?;
        }
        Ok(())
    }

    /// Renewed at least once per quarter of the time to live.
    fn renewal_due(&self, now: UnixSeconds) -> UnixSeconds {
        now.saturating_add(self.ttl - self.ttl / 4)
    }

    fn is_alive(&self, scope: Scope, now: UnixSeconds) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = i64::try_from(ALIVE.as_secs()).unwrap_or(i64::MAX);
        seen.get(&scope)
            .is_some_and(|seen| now.saturating_sub(seen.at) <= alive)
    }

    fn note(&self, scope: Scope, now: UnixSeconds) -> Seen {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(scope).or_default();
        seen.at = now;
        *seen
    }

    fn note_held(&self, scope: Scope, held_until: UnixSeconds) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(scope).or_default().held_until = held_until;
    }
}
