//! Connections of a tenant: counted, and bounded by a limit that may change at any time. Those that
//! are open when it falls stay; the next waits until enough have gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts open connections.
#[derive(Debug)]
pub struct Seats {
    taken: AtomicUsize,
    limit: AtomicUsize,
    freed: Notify,
}

/// One connection's seat, given back when it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Seats>);

impl Seats {
    /// So many at a time.
    pub fn new(limit: usize) -> Seats {
        Seats {
            taken: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            freed: Notify::new(),
        }
    }

    /// Another limit from now on.
    pub fn set_limit(&self, limit: usize) {
        if self.limit.swap(limit, Ordering::SeqCst) < limit {
            self.freed.notify_waiters();
        }
    }

    /// Waits for a seat.
    pub async fn take(self: &Arc<Self>) -> Seat {
        loop {
            // Before the look, so that a seat given back in between is not missed.
            let freed = self.freed.notified();
            if let Some(seat) = self.try_take() {
                return seat;
            }
            freed.await;
        }
    }

    /// A seat, if there is one.
    pub fn try_take(self: &Arc<Self>) -> Option<Seat> {
        let below = |taken: usize| (taken < self.limit.load(Ordering::SeqCst)).then(|| taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, below);
        taken.is_ok().then(|| Seat(self.clone()))
    }

    /// Seats taken now.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_limit_that_falls_lets_nobody_in_and_one_that_rises_wakes_those_who_wait() {
        let seats = Arc::new(Seats::new(2));
        let first = seats.take().await;
        let second = seats.take().await;
        assert!(seats.try_take().is_none());
        seats.set_limit(1);
        drop(second);
        assert!(seats.try_take().is_none(), "one is open, one is allowed");
        let waiting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        seats.set_limit(2);
        let third = waiting.await.unwrap();
        assert_eq!(seats.taken(), 2);
        drop((first, third));
        assert_eq!(seats.taken(), 0);
    }
}
