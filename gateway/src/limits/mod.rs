//! What a tenant may take of this process, by the limits in its record.
//!
//! ```text
//! frame ─▶ gate (the tenant's own limits, in order of arrival) ─▶ turns (fair among tenants) ─▶ store
//! ```
//!
//! A frame over a limit waits, and with it the connection that it came on: the client's own flow
//! control holds the rest back. What waits too long, or finds too much waiting, is answered "server
//! is busy", which TiDB and every other TiKV client answer by waiting and trying again. What must
//! stay true: queues are bounded; a tenant without limits pays one load and a few additions per
//! frame; limits change while frames wait.

mod lane;
mod pace;
mod rates;
mod round;
mod seats;
mod turns;

pub use lane::{Busy, Lane};
pub use seats::{Seat, Seats};
pub use turns::Turns;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use mesh_tenants::Limits;
use tokio::sync::{Mutex, Notify};

use pace::Bucket;
use rates::Counts;

/// Frames of one tenant that may wait at its gate.
const WAITING: usize = 256;
/// How long a frame waits before its requests are told that the server is busy: clients give a
/// request up after tens of seconds, and whatever waits keeps its connection waiting.
const PATIENCE: Duration = Duration::from_secs(2);

static GATES: AtomicU64 = AtomicU64::new(0);

/// One tenant's way in.
pub struct Gate {
    /// Connections.
    pub seats: Arc<Seats>,
    /// Connections by configuration, when the record sets no limit.
    connections: usize,
    /// Tells the gates of this process apart.
    key: u64,
    weight: AtomicU64,
    bounds: ArcSwapOption<Bounds>,
    counts: Counts,
    in_flight_requests: AtomicU64,
    in_flight_bytes: AtomicU64,
    /// Bytes of answers that are not paid for yet.
    answered: AtomicU64,
    /// Whoever holds it is next.
    turn: Mutex<Debt>,
    waiting: AtomicUsize,
    /// Requests were answered, or the limits changed.
    freed: Notify,
}

/// Whether what passes is in flight until it is given back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

/// Limits of a record, with the buckets that go with them.
struct Bounds {
    limits: Limits,
    requests: Option<Bucket>,
    bytes: Option<Bucket>,
}

/// What was let through and is not paid for.
#[derive(Default)]
struct Debt {
    requests: u64,
    bytes: u64,
}

impl Gate {
    /// A tenant without limits but the configuration's on connections.
    pub fn new(connections: usize) -> Gate {
        Gate {
            seats: Arc::new(Seats::new(connections)),
            connections,
            key: GATES.fetch_add(1, Ordering::Relaxed),
            weight: AtomicU64::new(1),
            bounds: ArcSwapOption::empty(),
            counts: Counts::default(),
            in_flight_requests: AtomicU64::new(0),
            in_flight_bytes: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            turn: Mutex::default(),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    /// Sets the limits; what goes on already is bounded by them from now on.
    pub fn set(&self, limits: &Limits) {
        let connections = limits.connections.map(|n| n.get() as usize);
        self.seats
            .set_limit(connections.unwrap_or(self.connections));
        let weight = limits.weight.map_or(1, NonZeroU32::get);
        self.weight.store(u64::from(weight), Ordering::Relaxed);
        let bounded = Limits {
            connections: None,
            weight: None,
            ..*limits
        };
        let unchanged = match self.bounds.load().as_ref() {
            None => bounded.is_unbounded(),
            Some(bounds) => bounds.limits == bounded,
        };
        if unchanged {
            return;
        }
        let bounds = (!bounded.is_unbounded()).then(|| Arc::new(Bounds::new(bounded)));
        self.bounds.store(bounds);
        self.freed.notify_one();
    }

    /// Lets a call to PD pass. It pays for being a request and is never in flight: PD's streams stay
    /// open for days, and a tenant whose store requests are all under way still has to find regions.
    ///
    /// # Errors
    /// [`Busy`] when it waited too long, or too many wait already.
    pub async fn call(&self) -> Result<(), Busy> {
        let passed = self.pass(1, 0, Held::No).await;
        if passed.is_err() {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        passed
    }

    /// Waits, if need be, until the tenant's own limits let a frame pass.
    async fn pass(&self, requests: u64, bytes: u64, held: Held) -> Result<(), Busy> {
        if self.bounds.load().is_none() {
            self.take(requests, bytes, held);
            return Ok(());
        }
        let Some(_waiting) = Waiting::of(&self.waiting) else {
            return Err(Busy("frames that wait"));
        };
        self.counts.delayed.fetch_add(1, Ordering::Relaxed);
        let short = AtomicUsize::new(0);
        let passing = self.in_turn(requests, bytes, held, &short);
        match tokio::time::timeout(PATIENCE, passing).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Busy(name_of(short.load(Ordering::Relaxed)))),
        }
    }

    async fn in_turn(&self, requests: u64, bytes: u64, held: Held, short: &AtomicUsize) {
        let mut debt = self.turn.lock().await;
        let bounds = loop {
            let freed = self.freed.notified();
            let Some(bounds) = self.bounds.load_full() else {
                break None;
            };
            match bounds.full(self) {
                Some(_) if held == Held::No => break Some(bounds),
                None => break Some(bounds),
                Some(limit) => short.store(limit, Ordering::Relaxed),
            }
            freed.await;
        };
        if let Some(bounds) = bounds {
            if let Some(bucket) = &bounds.requests {
                short.store(REQUESTS, Ordering::Relaxed);
                bucket.pay(&mut debt.requests, requests).await;
            }
            if let Some(bucket) = &bounds.bytes {
                short.store(BYTES, Ordering::Relaxed);
                debt.bytes = debt
                    .bytes
                    .saturating_add(self.answered.swap(0, Ordering::Relaxed));
                bucket.pay(&mut debt.bytes, bytes).await;
            }
        }
        self.take(requests, bytes, held);
    }

    fn take(&self, requests: u64, bytes: u64, held: Held) {
        self.counts.requests.fetch_add(requests, Ordering::Relaxed);
        self.counts.received.fetch_add(bytes, Ordering::Relaxed);
        if held == Held::No {
            return;
        }
        self.in_flight_requests
            .fetch_add(requests, Ordering::Relaxed);
        self.in_flight_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Requests are no longer in flight. Whoever gives back and then sees nobody wait, and whoever
    /// waits and then sees no room, must not miss each other: hence one order for all of it.
    fn give(&self, requests: u64, bytes: u64) {
        self.in_flight_requests
            .fetch_sub(requests, Ordering::SeqCst);
        self.in_flight_bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    /// An answer of so many bytes goes out.
    fn answer(&self, bytes: u64) {
        self.counts.sent.fetch_add(bytes, Ordering::Relaxed);
        let bounds = self.bounds.load();
        if bounds.as_ref().is_some_and(|bounds| bounds.bytes.is_some()) {
            self.answered.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

const REQUESTS: usize = 1;
const BYTES: usize = 2;
const IN_FLIGHT_REQUESTS: usize = 3;
const IN_FLIGHT_BYTES: usize = 4;

/// Limits as the tenant reads them.
fn name_of(limit: usize) -> &'static str {
    match limit {
        REQUESTS => "requests per second",
        BYTES => "bytes per second",
        IN_FLIGHT_REQUESTS => "requests in flight",
        IN_FLIGHT_BYTES => "bytes in flight",
        _ => "frames that wait",
    }
}

impl Bounds {
    fn new(limits: Limits) -> Bounds {
        Bounds {
            limits,
            requests: limits.requests_per_second.map(Bucket::new),
            bytes: limits.bytes_per_second.map(Bucket::new),
        }
    }

    /// The limit that what is in flight has reached. A frame that begins below it passes whole.
    fn full(&self, gate: &Gate) -> Option<usize> {
        let requests = gate.in_flight_requests.load(Ordering::SeqCst);
        let bytes = gate.in_flight_bytes.load(Ordering::SeqCst);
        let limits = &self.limits;
        if limits
            .in_flight_requests
            .is_some_and(|most| requests >= u64::from(most.get()))
        {
            return Some(IN_FLIGHT_REQUESTS);
        }
        limits
            .in_flight_bytes
            .is_some_and(|most| bytes >= most.get())
            .then_some(IN_FLIGHT_BYTES)
    }
}

/// Counts a frame that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn of(count: &AtomicUsize) -> Option<Waiting<'_>> {
        let below = |waiting: usize| (waiting < WAITING).then(|| waiting + 1);
        let counted = count.fetch_update(Ordering::SeqCst, Ordering::Relaxed, below);
        // Made only when counted: dropping one that was not would make room for another frame.
        counted.is_ok().then(|| Waiting(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
