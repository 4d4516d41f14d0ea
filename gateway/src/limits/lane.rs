//! The requests of one stream or call, from the tenant's gate to their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Gate, Held, Turns};

/// Requests that a tenant may always have under way, however busy its worker: requests that wait for
/// locks stay for most of a minute, and a tenant with thousands of them would otherwise hold up all.
pub(super) const ALWAYS: u64 = 64;

/// A frame may not pass now; names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tenant is over its limit of {0}")]
pub struct Busy(pub &'static str);

/// One stream's requests in flight. What is never answered is given back when it is dropped.
pub struct Lane {
    gate: Arc<Gate>,
    turns: Arc<Turns>,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Lane {
    /// A lane through a tenant's gate to the stores.
    pub fn new(gate: Arc<Gate>, turns: Arc<Turns>) -> Lane {
        Lane {
            gate,
            turns,
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Lets a frame of so many requests and bytes pass, when it may.
    ///
    /// # Errors
    /// [`Busy`] when it waited too long, or too many wait already.
    pub async fn enter(&self, requests: u64, bytes: u64) -> Result<(), Busy> {
        let passed = self.pass(requests, bytes).await;
        if passed.is_err() {
            self.gate
                .counts
                .refused
                .fetch_add(requests, Ordering::Relaxed);
        }
        passed
    }

    async fn pass(&self, requests: u64, bytes: u64) -> Result<(), Busy> {
        self.gate.pass(requests, bytes, Held::Yes).await?;
        let passed = Passed {
            gate: &self.gate,
            requests,
            bytes,
        };
        let under_way = self.gate.in_flight_requests.load(Ordering::Relaxed);
        if under_way <= requests.saturating_add(ALWAYS) {
            self.turns.take(requests);
        } else if !self.turns.pass(requests) {
            let weight = self.gate.weight.load(Ordering::Relaxed);
            let turn = self.turns.enter(self.gate.key, weight, requests);
            let in_time = tokio::time::timeout(super::PATIENCE, turn).await;
            if !matches!(in_time, Ok(Ok(()))) {
                return Err(Busy("frames that wait"));
            }
        }
        // In flight until it is answered, or the lane ends.
        std::mem::forget(passed);
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// So many requests are answered, by so many bytes.
    pub fn leave(&self, requests: u64, answer_bytes: u64) {
        self.gate.answer(answer_bytes);
        self.give(requests);
    }

    /// Which of a stream's requests an answer is for is not worth remembering: each gives back the
    /// mean of what is in flight, and the last one all that is left. Without an open request nothing
    /// is in flight: a frame that held none gives its bytes back at once.
    fn give(&self, answered: u64) {
        let open = self.requests.load(Ordering::Relaxed);
        let answered = answered.min(open);
        if answered == 0 && open > 0 {
            return;
        }
        let bytes = self.bytes.load(Ordering::Relaxed);
        let share = if answered == open {
            bytes
        } else {
            bytes / open * answered
        };
        self.requests.fetch_sub(answered, Ordering::Relaxed);
        self.bytes.fetch_sub(share, Ordering::Relaxed);
        self.gate.give(answered, share);
        self.turns.leave(answered);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.give(self.requests.load(Ordering::Relaxed));
    }
}

/// Gives back what passed the gate and got no turn.
struct Passed<'a> {
    gate: &'a Gate,
    requests: u64,
    bytes: u64,
}

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        self.gate.give(self.requests, self.bytes);
    }
}
