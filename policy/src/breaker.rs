//! A circuit breaker: stops sending to what fails or has become slow, tries again with a few, and
//! goes on as before once they succeed.
//!
//! ```text
//!          too many errors, or too many slow          pause over
//! closed ─────────────────────────────────────▶ open ───────────▶ half-open
//!   ▲                                             ▲   any failure      │
//!   │                                             └────────────────────┤
//!   └──────────────────────────────────────────────── all probes good ─┘
//! ```
//!
//! What must stay true: an outcome counts only in the state in which it was let through, so late
//! answers from before an opening can't close or open it again; half-open, no more than the
//! probes pass; a probe that never ends doesn't block for ever.

use std::time::{Duration, Instant};

/// When to open, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerConfig {
    /// Outcomes older than this don't count.
    pub window: Duration,
    /// With fewer outcomes in the window it stays closed.
    pub min_outcomes: u32,
    /// Opens when more than this share of the outcomes are errors. 1 never opens by errors.
    pub error_share: f64,
    /// An outcome that took longer is slow.
    pub slow_after: Duration,
    /// Opens when more than this share of the outcomes are slow. 1 never opens by slowness.
    pub slow_share: f64,
    /// How long it stays open, and how long it waits for probes.
    pub pause: Duration,
    /// How many are let through half-open; all must succeed.
    pub probes: u32,
}

/// A configuration that can't work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BreakerError {
    /// A share isn't between 0 and 1.
    #[error("a share must lie between 0 and 1")]
    Share,
    /// The window, the pause or the number of probes is zero.
    #[error("the window, the pause and the number of probes must not be zero")]
    Zero,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer came, after so long. Slow ones count against it too.
    Success(Duration),
    /// An error that tells of the server, not of the statement.
    Failure,
    /// Nobody knows: the client went away, or the error was the statement's own.
    Unknown,
}

/// What a breaker does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes.
    Closed,
    /// Nothing passes.
    Open,
    /// A few pass, to try.
    HalfOpen,
}

/// Let through. Its outcome belongs to this state of the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the outcome has to be told with it"]
pub struct Pass {
    generation: u64,
}

/// Not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server fails or is too slow at present, try again in {retry_after:?}")]
pub struct Tripped {
    /// When it may be tried again.
    pub retry_after: Duration,
}

/// Parts of the window: the share of outcomes that leave it at once.
const SLICES: usize = 10;

/// A breaker for one target.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: BreakerState,
    /// Counts changes of state.
    generation: u64,
    changed: Instant,
    slices: [Slice; SLICES],
    probes_out: u32,
    probes_good: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Which part of time it counts, in slices since the breaker was made.
    number: u64,
    total: u32,
    errors: u32,
    slow: u32,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(config: BreakerConfig, now: Instant) -> Result<Self, BreakerError> {
        let shares = [config.error_share, config.slow_share];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err(BreakerError::Share);
        }
        if config.window.as_nanos() < SLICES as u128 || config.pause.is_zero() || config.probes == 0
        {
            return Err(BreakerError::Zero);
        }
        Ok(Self {
            config,
            state: BreakerState::Closed,
            generation: 0,
            changed: now,
            slices: [Slice::default(); SLICES],
            probes_out: 0,
            probes_good: 0,
        })
    }

    /// Asks to go through.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Tripped> {
        let since = now.saturating_duration_since(self.changed);
        if self.state != BreakerState::Closed && since >= self.config.pause {
            // Half-open, the probes have been out for a whole pause: try others.
            if self.state == BreakerState::Open || self.probes_out >= self.config.probes {
                self.change(BreakerState::HalfOpen, now);
            }
        }
        match self.state {
            BreakerState::Closed => {}
            BreakerState::HalfOpen if self.probes_out < self.config.probes => self.probes_out += 1,
            BreakerState::HalfOpen | BreakerState::Open => {
                return Err(Tripped {
                    retry_after: self.config.pause.saturating_sub(since),
                });
            }
        }
        Ok(Pass {
            generation: self.generation,
        })
    }

    /// Tells how it ended.
    pub fn settle(&mut self, pass: Pass, outcome: Outcome, now: Instant) {
        if pass.generation != self.generation {
            return;
        }
        let bad = match outcome {
            Outcome::Success(took) => took > self.config.slow_after && self.config.slow_share < 1.0,
            Outcome::Failure => true,
            Outcome::Unknown => false,
        };
        match self.state {
            BreakerState::Closed => self.count(outcome, now),
            BreakerState::HalfOpen if bad => self.change(BreakerState::Open, now),
            BreakerState::HalfOpen if outcome == Outcome::Unknown => self.probes_out -= 1,
            BreakerState::HalfOpen => {
                self.probes_good += 1;
                if self.probes_good >= self.config.probes {
                    self.change(BreakerState::Closed, now);
                }
            }
            BreakerState::Open => {}
        }
    }

    /// What it does, by what was told so far.
    pub fn state(&self) -> BreakerState {
        self.state
    }

    fn change(&mut self, state: BreakerState, now: Instant) {
        self.state = state;
        self.generation += 1;
        self.changed = now;
        self.slices = [Slice::default(); SLICES];
        self.probes_out = 0;
        self.probes_good = 0;
    }

    fn count(&mut self, outcome: Outcome, now: Instant) {
        let number = self.slice_number(now);
        let Some(slice) = self.slices.get_mut((number % SLICES as u64) as usize) else {
            return;
        };
        if slice.number != number {
            *slice = Slice {
                number,
                ..Slice::default()
            };
        }
        match outcome {
            Outcome::Unknown => return,
            Outcome::Failure => slice.errors = slice.errors.saturating_add(1),
            Outcome::Success(took) if took > self.config.slow_after => {
                slice.slow = slice.slow.saturating_add(1);
            }
            Outcome::Success(_) => {}
        }
        slice.total = slice.total.saturating_add(1);
        if self.should_open(number) {
            self.change(BreakerState::Open, now);
        }
    }

    fn slice_number(&self, now: Instant) -> u64 {
        let slice = self.config.window.as_nanos() / SLICES as u128;
        let since = now.saturating_duration_since(self.changed).as_nanos();
        // From 1, because untouched slices have 0.
        u64::try_from(since / slice).unwrap_or(u64::MAX - 1) + 1
    }

    fn should_open(&self, current: u64) -> bool {
        let recent = |slice: &&Slice| slice.number + SLICES as u64 > current;
        let sum = |part: fn(&Slice) -> u32| -> u64 {
            self.slices
                .iter()
                .filter(recent)
                .map(|slice| u64::from(part(slice)))
                .sum()
        };
        let total = sum(|slice| slice.total);
        let above = |part: u64, share: f64| part as f64 > share * total as f64;
        total >= u64::from(self.config.min_outcomes)
            && (above(sum(|slice| slice.errors), self.config.error_share)
                || above(sum(|slice| slice.slow), self.config.slow_share))
    }
}
