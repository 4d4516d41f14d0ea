//! The TiDB servers of one tenant: which there are, how they fare, and which takes the next session.

pub mod backend;
pub mod load;
mod pick;
pub mod probe;
pub mod version;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use backend::Backend;

use crate::migration::token::Signer;
use crate::tls::Verified;

/// Servers of one tenant.
#[derive(Debug, Default)]
pub struct Fleet {
    backends: ArcSwap<Vec<Arc<Backend>>>,
    dialling: ArcSwap<Dialling>,
    sessions: AtomicUsize,
    max_sessions: AtomicUsize,
    moves: Moves,
    signer: ArcSwapOption<Signer>,
}

/// Turns for sessions that go to another server than theirs.
#[derive(Debug)]
struct Moves {
    connecting: Semaphore,
    moving: Semaphore,
}

/// Sessions of one tenant that may connect elsewhere at a time.
const CONNECTING: usize = 32;
/// Sessions of one tenant that may be between two servers at a time: the more, the longer each
/// client waits.
const MOVING: usize = 4;

impl Default for Moves {
    fn default() -> Self {
        Moves {
            connecting: Semaphore::new(CONNECTING),
            moving: Semaphore::new(MOVING),
        }
    }
}

/// How the servers of a tenant are connected to.
#[derive(Debug, Clone, Default)]
pub struct Dialling {
    /// TLS, when it is on.
    pub tls: Option<Verified>,
    /// Whether a PROXY header tells the client's address.
    pub proxy_protocol: bool,
}

/// A session's place among those that its tenant may have.
#[derive(Debug)]
pub struct Place(Arc<Fleet>);

impl Place {
    /// The servers among which the place is.
    #[must_use]
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Relaxed);
    }
}

impl Fleet {
    /// Has these servers from now on. One that stays keeps its figures; one that goes keeps those of
    /// its sessions that can't leave it until they can, or end.
    pub fn set(&self, addresses: &[String], max_sessions: usize) {
        let old = self.backends.load();
        let kept = |address: &String| {
            let known = old.iter().find(|backend| backend.address == *address);
            known.map_or_else(|| Arc::new(Backend::new(address.clone())), Arc::clone)
        };
        self.backends
            .store(Arc::new(addresses.iter().map(kept).collect()));
        for gone in old.iter().filter(|one| !addresses.contains(&one.address)) {
            gone.remove();
        }
        self.max_sessions.store(max_sessions, Relaxed);
    }

    /// Connects like this from now on.
    pub fn dial_by(&self, dialling: Dialling) {
        self.dialling.store(Arc::new(dialling));
    }

    /// How to connect now.
    #[must_use]
    pub fn dialling(&self) -> Arc<Dialling> {
        self.dialling.load_full()
    }

    /// Signs tokens with this key from now on, or none.
    pub fn sign_by(&self, signer: Option<Signer>) {
        self.signer.store(signer.map(Arc::new));
    }

    /// What signs tokens for sessions whose server is gone.
    #[must_use]
    pub fn signer(&self) -> Option<Arc<Signer>> {
        self.signer.load_full()
    }

    /// A turn for connecting to another server.
    pub async fn turn_to_connect(&self) -> Option<SemaphorePermit<'_>> {
        self.moves.connecting.acquire().await.ok()
    }

    /// A turn for moving, if there is one now.
    #[must_use]
    pub fn turn_to_move(&self) -> Option<SemaphorePermit<'_>> {
        self.moves.moving.try_acquire().ok()
    }

    /// Its servers now.
    #[must_use]
    pub fn backends(&self) -> Arc<Vec<Arc<Backend>>> {
        self.backends.load_full()
    }

    /// Takes a place, if there is one.
    #[must_use]
    pub fn place(self: &Arc<Self>) -> Option<Place> {
        let before = self.sessions.fetch_add(1, Relaxed);
        let place = Place(Arc::clone(self));
        (before < self.max_sessions.load(Relaxed)).then_some(place)
    }

    /// Sessions that have a place.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stays_keeps_its_figures() {
        let fleet = Fleet::default();
        fleet.set(&["a:1".to_owned(), "b:1".to_owned()], 5);
        let first = fleet.backends();
        fleet.set(&["b:1".to_owned(), "c:1".to_owned()], 5);
        let second = fleet.backends();
        assert!(Arc::ptr_eq(&first[1], &second[0]));
        assert_eq!(second[1].address, "c:1");
        assert!(first[0].is_left() && !second[0].is_left());
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let fleet = Arc::new(Fleet::default());
        fleet.set(&[], 1);
        let place = fleet.place().expect("the only place");
        assert!(fleet.place().is_none());
        drop(place);
        assert!(fleet.place().is_some());
    }
}
