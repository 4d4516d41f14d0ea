//! One TiDB server: its address, what it told in greetings, and whether it can be trusted with a
//! session. Trust is passive: it is lost by failing, and comes back by answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::load::Load;
use crate::packet::capability::Capabilities;
use crate::packet::greeting::Greeting;

/// First pause of a server that failed; doubled with each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A TiDB server.
#[derive(Debug)]
pub struct Backend {
    /// `host:port`.
    pub address: String,
    /// How busy it is.
    pub load: Arc<Load>,
    draining: AtomicBool,
    removed: AtomicBool,
    failures: AtomicU32,
    /// Capabilities of its last greeting; zero before the first.
    capabilities: AtomicU32,
    version: Mutex<Vec<u8>>,
    born: Instant,
    /// Milliseconds after `born` until which it is left alone.
    paused_until: AtomicU64,
    /// Milliseconds after `born` when it last answered.
    answered: AtomicU64,
}

impl Backend {
    /// A server that is trusted until it fails.
    #[must_use]
    pub fn new(address: String) -> Backend {
        Backend {
            address,
            load: Arc::default(),
            draining: AtomicBool::new(false),
            removed: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            capabilities: AtomicU32::new(0),
            version: Mutex::new(Vec::new()),
            born: Instant::now(),
            paused_until: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        millis(self.born.elapsed())
    }

    /// It greeted.
    pub fn greeted(&self, greeting: &Greeting) {
        self.capabilities.store(greeting.capabilities.0, Relaxed);
        let mut version = self.version.lock();
        if *version != greeting.version {
            version.clone_from(&greeting.version);
        }
        self.failures.store(0, Relaxed);
        self.paused_until.store(0, Relaxed);
        self.answered.store(self.now(), Relaxed);
    }

    /// It didn't accept, or broke off. Gives the pause that it gets.
    pub fn failed(&self) -> Duration {
        let before = self.failures.fetch_add(1, Relaxed).min(16);
        let pause = FIRST_PAUSE.saturating_mul(1 << before).min(LONGEST_PAUSE);
        self.paused_until.store(self.now() + millis(pause), Relaxed);
        pause
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.load(Relaxed)
    }

    /// Whether it is left alone for now.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.now() < self.paused_until.load(Relaxed)
    }

    /// Whether it gets no new sessions by someone's wish.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Begins or ends draining.
    pub fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Relaxed);
    }

    /// It is no longer a server of its tenant.
    pub fn remove(&self) {
        self.removed.store(true, Relaxed);
    }

    /// Whether its sessions shall go elsewhere.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.draining() || self.removed.load(Relaxed)
    }

    /// Whether nothing is known of it lately: it was never asked, has failed, or was quiet for
    /// `quiet`.
    #[must_use]
    pub fn needs_probe(&self, quiet: Duration) -> bool {
        let answered = self.answered.load(Relaxed);
        !self.paused()
            && (answered == 0
                || self.failures() > 0
                || self.now().saturating_sub(answered) > millis(quiet))
    }

    /// Capabilities of its last greeting.
    #[must_use]
    pub fn capabilities(&self) -> Option<Capabilities> {
        let flags = self.capabilities.load(Relaxed);
        (flags != 0).then_some(Capabilities(flags))
    }

    /// Version of its last greeting.
    #[must_use]
    pub fn version(&self) -> Vec<u8> {
        self.version.lock().clone()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_an_answer() {
        let backend = Backend::new("a:1".to_owned());
        assert!(backend.needs_probe(Duration::from_secs(60)));
        let pauses: Vec<_> = (0..8).map(|_| backend.failed()).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
        assert!(backend.paused());
        backend.greeted(&Greeting {
            version: b"v".to_vec(),
            connection: 1,
            salt: vec![1; 20],
            capabilities: Capabilities::RELAYED,
            collation: 0,
            status: 0,
            plugin: Vec::new(),
        });
        assert!(!backend.paused());
        assert_eq!(backend.capabilities(), Some(Capabilities::RELAYED));
    }
}
