//! How many may run at once and how many may start per second, with a queue for those who can
//! wait a little.
//!
//! First come, first served: nobody passes the queue. The queue and the wait are bounded, so an
//! overloaded tenant gets an error in time instead of a pile of sessions. Everything happens
//! under one lock that is never held while waiting.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::bucket::{Rate, TokenBucket};

/// What is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimiterConfig {
    /// The most that run at once; `None` for any number.
    pub concurrency: Option<NonZeroU32>,
    /// The most that start; `None` for any rate.
    pub rate: Option<Rate>,
    /// The most that wait. With 0 nobody waits.
    pub queue: usize,
    /// The longest that one waits.
    pub queue_wait: Duration,
}

/// Names a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The answer to one who wants to start.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// It runs. [`Limiter::leave`] must be called when it ends.
    Entered,
    /// It waits: its waiter comes back from a later call, in [`Released`], at the latest from a
    /// [`Limiter::tick`] at this time.
    Queued {
        /// To give up waiting.
        ticket: Ticket,
        /// When it is refused.
        deadline: Instant,
    },
    /// It may not run.
    Refused(Refusal),
}

/// Why one may not run, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many run as may, and as many wait as may.
    #[error("too many statements at once")]
    Concurrency,
    /// No token is left, and as many wait as may.
    #[error("too many statements per second, the next one may start in {retry_after:?}")]
    Rate {
        /// When the next token comes.
        retry_after: Duration,
    },
}

/// Waiters whose waiting is over. Whoever gets this has to tell them.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the waiters in it wait until they are told"]
pub struct Released<W> {
    /// They run now, and each must leave.
    pub entered: Vec<W>,
    /// They waited too long, and don't run.
    pub expired: Vec<W>,
}

/// A limit with its queue of waiters. `W` is whatever wakes one: a channel's sender, a token.
#[derive(Debug)]
pub struct Limiter<W> {
    config: LimiterConfig,
    state: Mutex<State<W>>,
}

#[derive(Debug)]
struct State<W> {
    running: u32,
    bucket: Option<TokenBucket>,
    queue: VecDeque<Waiter<W>>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter<W> {
    ticket: Ticket,
    deadline: Instant,
    waker: W,
}

impl<W> Limiter<W> {
    /// Nobody runs, nobody waits, all tokens are there.
    pub fn new(config: LimiterConfig, now: Instant) -> Self {
        Self {
            config,
            state: Mutex::new(State {
                running: 0,
                bucket: config.rate.map(|rate| TokenBucket::new(rate, now)),
                queue: VecDeque::new(),
                next_ticket: 0,
            }),
        }
    }

    /// Asks to start. `waker` is made only if it has to wait. Others may be released by the time
    /// that has passed.
    pub fn enter(&self, now: Instant, waker: impl FnOnce() -> W) -> (Entry, Released<W>) {
        let mut state = self.state.lock();
        let released = state.release(self.config, now);
        if state.queue.is_empty() && state.start(self.config, now) {
            return (Entry::Entered, released);
        }
        if state.queue.len() >= self.config.queue || self.config.queue_wait.is_zero() {
            return (Entry::Refused(state.refusal(self.config, now)), released);
        }
        let ticket = Ticket(state.next_ticket);
        let deadline = now + self.config.queue_wait;
        state.next_ticket += 1;
        state.queue.push_back(Waiter {
            ticket,
            deadline,
            waker: waker(),
        });
        (Entry::Queued { ticket, deadline }, released)
    }

    /// One that had entered has ended.
    pub fn leave(&self, now: Instant) -> Released<W> {
        let mut state = self.state.lock();
        state.running = state.running.saturating_sub(1);
        state.release(self.config, now)
    }

    /// Time has passed. To be called at [`Limiter::next_tick`].
    pub fn tick(&self, now: Instant) -> Released<W> {
        self.state.lock().release(self.config, now)
    }

    /// When somebody's waiting ends without anyone leaving; `None` while nobody waits.
    pub fn next_tick(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        let deadline = state.queue.front()?.deadline;
        let room = state.has_room(self.config);
        match &mut state.bucket {
            Some(bucket) if room => Some(deadline.min(now + bucket.until_next(now))),
            _ => Some(deadline),
        }
    }

    /// Gives up waiting. `false`: it is over already, and the waiter is, or will be, told. If it
    /// was told that it runs, it has to leave.
    pub fn cancel(&self, ticket: Ticket) -> bool {
        let mut state = self.state.lock();
        let place = state
            .queue
            .binary_search_by_key(&ticket, |waiter| waiter.ticket);
        place.is_ok_and(|place| state.queue.remove(place).is_some())
    }

    /// How many run and how many wait.
    pub fn load(&self) -> (u32, usize) {
        let state = self.state.lock();
        (state.running, state.queue.len())
    }
}

impl<W> State<W> {
    fn has_room(&self, config: LimiterConfig) -> bool {
        config
            .concurrency
            .is_none_or(|limit| self.running < limit.get())
    }

    fn start(&mut self, config: LimiterConfig, now: Instant) -> bool {
        let started =
            self.has_room(config) && self.bucket.as_mut().is_none_or(|bucket| bucket.take(now));
        self.running += u32::from(started);
        started
    }

    /// Expires and starts waiters from the front. All wait equally long, so deadlines are in the
    /// order of the queue.
    fn release(&mut self, config: LimiterConfig, now: Instant) -> Released<W> {
        let mut released = Released {
            entered: Vec::new(),
            expired: Vec::new(),
        };
        while let Some(front) = self.queue.front() {
            let expired = front.deadline <= now;
            if !expired && !self.start(config, now) {
                break;
            }
            if let Some(waiter) = self.queue.pop_front() {
                let end = match expired {
                    true => &mut released.expired,
                    false => &mut released.entered,
                };
                end.push(waiter.waker);
            }
        }
        released
    }

    fn refusal(&mut self, config: LimiterConfig, now: Instant) -> Refusal {
        match (&mut self.bucket, config.concurrency) {
            (Some(bucket), Some(limit)) if self.running < limit.get() => Refusal::Rate {
                retry_after: bucket.until_next(now),
            },
            (Some(bucket), None) => Refusal::Rate {
                retry_after: bucket.until_next(now),
            },
            _ => Refusal::Concurrency,
        }
    }
}
