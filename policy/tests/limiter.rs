//! The limits, exact by the clock and by the thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use mesh_policy::{Entry, Limiter, LimiterConfig, Rate, Refusal, Released, TokenBucket};
use proptest::prelude::*;

const THREADS: usize = 1000;
/// How often each of them enters.
const ROUNDS: usize = 2;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate {
        per_second: number(per_second),
        burst: number(burst),
    }
}

/// Runs `work` on a thousand threads at once.
fn on_all_threads(work: impl Fn(usize) + Send + Sync + 'static) {
    let work = Arc::new(work);
    let start = Arc::new(std::sync::Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|index| {
            let (work, start) = (Arc::clone(&work), Arc::clone(&start));
            let run = move || {
                start.wait();
                work(index);
            };
            thread::Builder::new()
                .stack_size(128 << 10)
                .spawn(run)
                .unwrap()
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

fn tell(released: Released<Sender<bool>>) {
    released
        .entered
        .iter()
        .for_each(|waiter| waiter.send(true).unwrap());
    released
        .expired
        .iter()
        .for_each(|waiter| waiter.send(false).unwrap());
}

#[test]
fn a_thousand_threads_start_exactly_as_many_as_there_are_tokens() {
    let now = Instant::now();
    let limiter: Limiter<()> = Limiter::new(
        LimiterConfig {
            rate: Some(rate(1, 137)),
            ..LimiterConfig::default()
        },
        now,
    );
    let limiter = Arc::new(limiter);
    let entered = Arc::new(AtomicUsize::new(0));
    let (shared, counted) = (Arc::clone(&limiter), Arc::clone(&entered));
    on_all_threads(move |_| {
        for _ in 0..3 {
            let (entry, _) = shared.enter(now, || ());
            if entry == Entry::Entered {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    assert_eq!(entered.load(Ordering::Relaxed), 137);
    assert_eq!(limiter.load(), (137, 0));
}

#[test]
fn of_a_thousand_threads_never_more_run_than_allowed_and_all_get_their_turn() {
    const ALLOWED: u32 = 7;
    let now = Instant::now();
    let limiter = Arc::new(Limiter::new(
        LimiterConfig {
            concurrency: Some(number(ALLOWED)),
            queue: THREADS,
            queue_wait: Duration::from_secs(1),
            ..LimiterConfig::default()
        },
        now,
    ));
    let (running, most, done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicUsize::new(0));
    let seen = Arc::new((running, most, done));
    let (shared, counted) = (Arc::clone(&limiter), Arc::clone(&seen));
    on_all_threads(move |_| {
        let (running, most, done) = &*counted;
        for _ in 0..ROUNDS {
            let (sender, receiver) = channel();
            let (entry, released) = shared.enter(now, || sender);
            tell(released);
            match entry {
                Entry::Entered => {}
                Entry::Queued { .. } => assert!(receiver.recv().unwrap()),
                Entry::Refused(why) => panic!("{why}"),
            }
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::hint::spin_loop();
            running.fetch_sub(1, Ordering::SeqCst);
            tell(shared.leave(now));
            done.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (_, most, done) = &*seen;
    assert!(most.load(Ordering::SeqCst) <= ALLOWED);
    assert_eq!(done.load(Ordering::Relaxed), ROUNDS * THREADS);
    assert_eq!(limiter.load(), (0, 0));
}

#[test]
fn who_waits_is_served_in_order_expires_in_time_or_gives_up() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let limiter = Limiter::new(
        LimiterConfig {
            concurrency: Some(number(1)),
            queue: 3,
            queue_wait: Duration::from_millis(100),
            ..LimiterConfig::default()
        },
        start,
    );
    assert_eq!(limiter.enter(start, || 0).0, Entry::Entered);
    let queued = |name, millis| match limiter.enter(at(millis), || name).0 {
        Entry::Queued { ticket, deadline } => {
            assert_eq!(deadline, at(millis + 100));
            ticket
        }
        other => panic!("{other:?}"),
    };
    queued(1, 0);
    let second = queued(2, 10);
    queued(3, 20);
    assert_eq!(
        limiter.enter(at(20), || 4).0,
        Entry::Refused(Refusal::Concurrency)
    );
    assert!(limiter.cancel(second));
    assert!(!limiter.cancel(second));
    assert_eq!(limiter.next_tick(at(20)), Some(at(100)));
    let expired = limiter.tick(at(100));
    assert_eq!((expired.entered, expired.expired), (vec![], vec![1]));
    let entered = limiter.leave(at(110));
    assert_eq!((entered.entered, entered.expired), (vec![3], vec![]));
    assert_eq!(limiter.load(), (1, 0));
}

#[test]
fn nobody_passes_the_queue_and_tokens_wake_it() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let limiter = Limiter::new(
        LimiterConfig {
            rate: Some(rate(10, 1)),
            queue: 2,
            queue_wait: Duration::from_secs(1),
            ..LimiterConfig::default()
        },
        start,
    );
    assert_eq!(limiter.enter(start, || 0).0, Entry::Entered);
    assert!(matches!(limiter.enter(start, || 1).0, Entry::Queued { .. }));
    assert_eq!(limiter.next_tick(start), Some(at(100)));
    let (entry, released) = limiter.enter(at(100), || 2);
    assert_eq!(released.entered, [1]);
    assert!(matches!(entry, Entry::Queued { .. }));
    assert!(matches!(
        limiter.enter(at(100), || 3).0,
        Entry::Queued { .. }
    ));
    let (refused, _) = limiter.enter(at(130), || 4);
    let retry_after = Duration::from_millis(70);
    assert_eq!(refused, Entry::Refused(Refusal::Rate { retry_after }));
}

proptest! {
    #[test]
    fn a_bucket_grants_its_burst_and_its_rate_to_the_token(
        per_second in 1_u32..5000,
        burst in 1_u32..100,
        steps in prop::collection::vec((0_u64..400_000_000, 0_u32..50), 1..60),
    ) {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(rate(per_second, burst), start);
        let full = u128::from(burst) * 1_000_000_000;
        let (mut now, mut credit) = (start, full);
        for (nanos, asked) in steps {
            now += Duration::from_nanos(nanos);
            credit = (credit + u128::from(nanos) * u128::from(per_second)).min(full);
            let granted = (0..asked).filter(|_| bucket.take(now)).count() as u128;
            prop_assert_eq!(granted, u128::from(asked).min(credit / 1_000_000_000));
            credit -= granted * 1_000_000_000;
            let wait = bucket.until_next(now);
            if !wait.is_zero() {
                prop_assert!(!bucket.clone().take(now + wait - Duration::from_nanos(1)));
            }
            prop_assert!(bucket.clone().take(now + wait));
            // A clock that goes back grants nothing.
            prop_assert_eq!(bucket.clone().take(start), credit >= 1_000_000_000);
        }
    }
}
