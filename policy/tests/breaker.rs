//! The breaker's states, one sentence each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::time::{Duration, Instant};

use mesh_policy::{Breaker, BreakerConfig, BreakerError, BreakerState, Keyed, Outcome, Pass};
use proptest::prelude::*;

const CONFIG: BreakerConfig = BreakerConfig {
    window: Duration::from_secs(10),
    min_outcomes: 10,
    error_share: 0.5,
    slow_after: Duration::from_millis(100),
    slow_share: 0.8,
    pause: Duration::from_secs(5),
    probes: 2,
};

const GOOD: Outcome = Outcome::Success(Duration::from_millis(1));
const SLOW: Outcome = Outcome::Success(Duration::from_millis(101));

struct Play {
    start: Instant,
    breaker: Breaker,
}

impl Play {
    fn new() -> Self {
        let start = Instant::now();
        let breaker = Breaker::new(CONFIG, start).unwrap();
        Self { start, breaker }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn pass(&mut self, second: u64) -> Pass {
        self.breaker.admit(self.at(second)).unwrap()
    }

    fn run(&mut self, second: u64, outcome: Outcome, times: usize) {
        for _ in 0..times {
            let pass = self.pass(second);
            self.breaker.settle(pass, outcome, self.at(second));
        }
    }

    fn refused(&mut self, second: u64) -> Option<Duration> {
        let refused = self.breaker.admit(self.at(second)).err()?;
        Some(refused.retry_after)
    }

    fn opened() -> Self {
        let mut play = Self::new();
        play.run(1, Outcome::Failure, 10);
        assert_eq!(play.breaker.state(), BreakerState::Open);
        play
    }
}

#[test]
fn it_opens_when_more_than_the_share_fails_and_enough_is_known() {
    let mut play = Play::new();
    play.run(1, GOOD, 4);
    play.run(1, Outcome::Failure, 5);
    play.run(1, Outcome::Unknown, 5);
    assert_eq!(play.breaker.state(), BreakerState::Closed);
    play.run(1, Outcome::Failure, 1);
    assert_eq!(play.breaker.state(), BreakerState::Open);
    assert_eq!(play.refused(3), Some(Duration::from_secs(3)));
}

#[test]
fn it_opens_when_too_many_are_slow() {
    let mut play = Play::new();
    play.run(1, GOOD, 2);
    play.run(1, SLOW, 8);
    assert_eq!(play.breaker.state(), BreakerState::Closed);
    play.run(1, SLOW, 1);
    assert_eq!(play.breaker.state(), BreakerState::Open);
}

#[test]
fn what_left_the_window_counts_no_more() {
    let mut play = Play::new();
    play.run(1, Outcome::Failure, 9);
    play.run(12, GOOD, 1);
    play.run(12, Outcome::Failure, 1);
    assert_eq!(play.breaker.state(), BreakerState::Closed);
}

#[test]
fn after_the_pause_only_the_probes_pass_and_their_success_closes() {
    let mut play = Play::opened();
    assert!(play.refused(5).is_some());
    let (first, second) = (play.pass(6), play.pass(6));
    assert_eq!(play.refused(7), Some(Duration::from_secs(4)));
    play.breaker.settle(first, GOOD, play.at(7));
    assert_eq!(play.breaker.state(), BreakerState::HalfOpen);
    play.breaker.settle(second, GOOD, play.at(7));
    assert_eq!(play.breaker.state(), BreakerState::Closed);
}

#[test]
fn one_failed_or_slow_probe_opens_again_for_a_whole_pause() {
    for bad in [Outcome::Failure, SLOW] {
        let mut play = Play::opened();
        let pass = play.pass(6);
        play.breaker.settle(pass, bad, play.at(8));
        assert_eq!(play.refused(8), Some(Duration::from_secs(5)));
    }
}

#[test]
fn a_late_outcome_changes_nothing() {
    let mut play = Play::new();
    let late = play.pass(0);
    play.run(1, Outcome::Failure, 10);
    let probe = play.pass(6);
    play.breaker.settle(late, Outcome::Failure, play.at(6));
    assert_eq!(play.breaker.state(), BreakerState::HalfOpen);
    play.breaker.settle(probe, GOOD, play.at(6));
    play.breaker.settle(late, GOOD, play.at(6));
    assert_eq!(play.breaker.state(), BreakerState::HalfOpen);
}

#[test]
fn probes_that_never_end_make_room_after_a_pause() {
    let mut play = Play::opened();
    let lost = (play.pass(6), play.pass(6));
    assert!(play.refused(10).is_some());
    let (first, second) = (play.pass(11), play.pass(11));
    play.breaker.settle(lost.0, Outcome::Failure, play.at(11));
    play.breaker.settle(first, GOOD, play.at(11));
    play.breaker.settle(second, GOOD, play.at(11));
    assert_eq!(play.breaker.state(), BreakerState::Closed);
}

#[test]
fn a_probe_of_unknown_end_gives_its_place_back() {
    let mut play = Play::opened();
    let passes = [play.pass(6), play.pass(6)];
    assert!(play.refused(6).is_some());
    play.breaker.settle(passes[0], Outcome::Unknown, play.at(6));
    assert!(play.refused(6).is_none());
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let now = Instant::now();
    let refused = |config| Breaker::new(config, now).err();
    let share = BreakerConfig {
        error_share: f64::NAN,
        ..CONFIG
    };
    assert_eq!(refused(share), Some(BreakerError::Share));
    let zero = BreakerConfig {
        probes: 0,
        ..CONFIG
    };
    assert_eq!(refused(zero), Some(BreakerError::Zero));
}

#[test]
fn a_full_map_forgets_the_longest_unused_that_may_be_forgotten() {
    let mut map = Keyed::new(2);
    let any = |_: &i32| true;
    map.get_or_insert(&"a", || 1, any);
    map.get_or_insert(&"b", || 2, any);
    map.get_or_insert(&"a", || 0, any);
    map.get_or_insert(&"c", || 3, any);
    assert_eq!(
        (map.get(&"a"), map.get(&"b"), map.get(&"c")),
        (Some(&1), None, Some(&3))
    );
    assert!(map.get_or_insert(&"d", || 4, |_| false).is_none());
    assert_eq!(map.len(), 2);
}

proptest! {
    #[test]
    fn half_open_only_the_probes_pass_in_a_pause(
        steps in prop::collection::vec((0_u64..3000, 0_u8..5), 1..300)
    ) {
        let start = Instant::now();
        let mut breaker = Breaker::new(CONFIG, start).unwrap();
        let (mut now, mut passes) = (start, Vec::new());
        // Half-open passes since the last look at another state, and when the first was.
        let mut trying: Vec<Instant> = Vec::new();
        for (millis, step) in steps {
            now += Duration::from_millis(millis);
            let outcome = match step {
                0 => GOOD,
                1 => SLOW,
                2 => Outcome::Failure,
                3 => Outcome::Failure,
                _ => {
                    if let Ok(pass) = breaker.admit(now) {
                        passes.push(pass);
                        prop_assert_ne!(breaker.state(), BreakerState::Open);
                        if breaker.state() == BreakerState::HalfOpen {
                            trying.push(now);
                        }
                    }
                    continue;
                }
            };
            if let Some(pass) = passes.pop() {
                breaker.settle(pass, outcome, now);
            }
            if breaker.state() != BreakerState::HalfOpen {
                trying.clear();
            }
            let recent = trying.iter().filter(|at| **at + CONFIG.pause > now).count();
            // Those of one pause, and those of the next that replace the ones that never ended.
            prop_assert!(recent <= 2 * CONFIG.probes as usize);
        }
    }
}
