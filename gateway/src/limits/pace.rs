//! Token buckets for requests and bytes per second.
//!
//! What costs more than the bucket holds passes when the bucket is full, and the rest is owed: who
//! comes next pays it first. So no message is too large to ever pass, and the average is kept.

use std::num::NonZeroU32;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

type Limiter =
    RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// So many cells per second, a second's worth at once.
pub(super) struct Bucket {
    limiter: Limiter,
    burst: NonZeroU32,
}

impl Bucket {
    pub(super) fn new(per_second: NonZeroU32) -> Bucket {
        Bucket {
            limiter: RateLimiter::direct_with_clock(Quota::per_second(per_second), MonotonicClock),
            burst: per_second,
        }
    }

    /// Pays what is owed and as much of `cost` as the bucket ever holds; the rest is owed. May be
    /// dropped at any time: what was paid until then stays paid.
    pub(super) async fn pay(&self, owed: &mut u64, cost: u64) {
        while let Some(part) = self.part(*owed) {
            self.wait(part).await;
            *owed -= u64::from(part.get());
        }
        if let Some(part) = self.part(cost) {
            self.wait(part).await;
            *owed = cost - u64::from(part.get());
        }
    }

    /// As much as the bucket holds at once; none of nothing.
    fn part(&self, cost: u64) -> Option<NonZeroU32> {
        let part = cost.min(u64::from(self.burst.get()));
        u32::try_from(part).ok().and_then(NonZeroU32::new)
    }

    async fn wait(&self, cells: NonZeroU32) {
        // An error would mean more cells than the bucket holds.
        while let Ok(Err(until)) = self.limiter.check_n(cells) {
            let pause = until.wait_time_from(MonotonicClock.now());
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_is_too_large_passes_and_is_owed() {
        let bucket = Bucket::new(NonZeroU32::new(1000).unwrap());
        let mut owed = 0;
        bucket.pay(&mut owed, 10_000).now_or_never().unwrap();
        assert_eq!(owed, 9_000);
        assert!(
            bucket.pay(&mut owed, 1).now_or_never().is_none(),
            "the debt comes first"
        );
        assert!(owed <= 9_000);
    }

    #[tokio::test]
    async fn a_bucket_lets_a_second_s_worth_through_at_once_and_then_waits() {
        let bucket = Bucket::new(NonZeroU32::new(10).unwrap());
        let mut owed = 0;
        for _ in 0..10 {
            bucket.pay(&mut owed, 1).now_or_never().unwrap();
        }
        assert!(bucket.pay(&mut owed, 1).now_or_never().is_none());
    }
}
