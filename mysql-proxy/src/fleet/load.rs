//! How busy a server is, as seen from here: no scrape, no delay.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A new figure counts for one in so many.
const WEIGHT: u64 = 16;

/// Load of one server.
#[derive(Debug, Default)]
pub struct Load {
    sessions: AtomicU32,
    in_flight: AtomicU32,
    /// Moving average of the time to answer a command, in nanoseconds.
    latency: AtomicU64,
}

impl Load {
    /// A session begins.
    pub fn join(&self) {
        self.sessions.fetch_add(1, Relaxed);
    }

    /// A session ends.
    pub fn leave(&self) {
        self.sessions.fetch_sub(1, Relaxed);
    }

    /// A command was sent.
    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// Its answer is complete, or will never be.
    pub fn end(&self, took: Option<Duration>) {
        self.in_flight.fetch_sub(1, Relaxed);
        let Some(took) = took else { return };
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX / WEIGHT);
        let old = self.latency.load(Relaxed);
        // A lost update among workers loses one figure of many.
        let new = if old == 0 {
            took
        } else {
            old - old / WEIGHT + took / WEIGHT
        };
        self.latency.store(new, Relaxed);
    }

    /// Sessions open.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        self.sessions.load(Relaxed)
    }

    /// Commands without a complete answer.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Moving average of the time to answer; zero before the first answer.
    #[must_use]
    pub fn latency(&self) -> Duration {
        Duration::from_nanos(self.latency.load(Relaxed))
    }

    /// What one more session would meet: the greater, the worse. Sessions that do nothing now may
    /// do something later, so they count, but less than commands in flight.
    #[must_use]
    pub fn score(&self) -> u64 {
        let waiting = u64::from(self.in_flight()) * 8 + u64::from(self.sessions()) + 1;
        waiting.saturating_mul(self.latency.load(Relaxed).max(100_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_or_slow_server_scores_worse() {
        let (idle, busy, slow) = (Load::default(), Load::default(), Load::default());
        busy.begin();
        slow.begin();
        slow.end(Some(Duration::from_millis(50)));
        assert!(idle.score() < busy.score());
        assert!(idle.score() < slow.score());
        assert_eq!(slow.in_flight(), 0);
    }
}
