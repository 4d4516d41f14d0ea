//! What a tenant took lately, for people.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mesh_admin_client::Rates;
use parking_lot::Mutex;

use super::Gate;

/// Everything since the tenant's ports opened.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) requests: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    /// Frames that had to ask a limit.
    pub(super) delayed: AtomicU64,
    /// Requests told that the server is busy.
    pub(super) refused: AtomicU64,
    samples: Mutex<[Option<Sample>; 2]>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    requests: u64,
    received: u64,
    sent: u64,
}

impl Gate {
    /// Takes a sample; rates are between the last two.
    pub fn sample(&self) {
        let sample = self.now();
        let mut samples = self.counts.samples.lock();
        let [_, last] = *samples;
        *samples = [last, Some(sample)];
    }

    /// What the tenant takes now.
    pub fn rates(&self) -> Rates {
        let samples = *self.counts.samples.lock();
        let [requests, received, sent] = match samples {
            [Some(from), Some(to)] => per_second(&from, &to),
            _ => [0.0; 3],
        };
        Rates {
            requests_per_second: requests,
            received_bytes_per_second: received,
            sent_bytes_per_second: sent,
            in_flight_requests: self.in_flight_requests.load(Ordering::Relaxed),
            in_flight_bytes: self.in_flight_bytes.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed) as u64,
            refused: self.counts.refused.load(Ordering::Relaxed),
            connections: self.seats.taken() as u64,
        }
    }

    fn now(&self) -> Sample {
        Sample {
            at: Instant::now(),
            requests: self.counts.requests.load(Ordering::Relaxed),
            received: self.counts.received.load(Ordering::Relaxed),
            sent: self.counts.sent.load(Ordering::Relaxed),
        }
    }
}

fn per_second(from: &Sample, to: &Sample) -> [f64; 3] {
    let seconds = to.at.duration_since(from.at).as_secs_f64().max(0.001);
    let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
    [
        rate(from.requests, to.requests),
        rate(from.received, to.received),
        rate(from.sent, to.sent),
    ]
}
