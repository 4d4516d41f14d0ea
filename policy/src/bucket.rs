//! A token bucket in whole numbers: no rounding, so nothing is granted twice or lost.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How many per second, and how many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back in a second.
    pub per_second: NonZeroU32,
    /// Tokens that are kept at most.
    pub burst: NonZeroU32,
}

/// A token is so much credit. In a nanosecond comes `per_second` of it.
const TOKEN: u64 = 1_000_000_000;

/// Tokens that come back with time.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate: Rate,
    credit: u64,
    refilled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            credit: Self::capacity(rate),
            refilled: now,
        }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        match self.credit.checked_sub(TOKEN) {
            Some(rest) => {
                self.credit = rest;
                true
            }
            None => false,
        }
    }

    /// How long until there is a token; zero if there is one.
    pub fn until_next(&mut self, now: Instant) -> Duration {
        self.refill(now);
        let missing = TOKEN.saturating_sub(self.credit);
        Duration::from_nanos(missing.div_ceil(u64::from(self.rate.per_second.get())))
    }

    fn capacity(rate: Rate) -> u64 {
        u64::from(rate.burst.get()) * TOKEN
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled);
        self.refilled = self.refilled.max(now);
        let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let gained = elapsed.saturating_mul(u64::from(self.rate.per_second.get()));
        let capacity = Self::capacity(self.rate);
        self.credit = self.credit.saturating_add(gained).min(capacity);
    }
}
