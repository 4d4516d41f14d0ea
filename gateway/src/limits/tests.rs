//! Gates and lanes together: who waits, in which order, and that everything is given back.

use std::num::NonZeroU64;

use futures::FutureExt;

use super::lane::ALWAYS;
use super::*;

fn bound(n: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(n)
}

fn lane(gate: &Arc<Gate>) -> Lane {
    Lane::new(gate.clone(), Arc::new(Turns::new(1_000)))
}

fn gate(limits: Limits) -> Arc<Gate> {
    let gate = Gate::new(8);
    gate.set(&limits);
    Arc::new(gate)
}

fn in_flight(gate: &Gate) -> (u64, u64) {
    let rates = gate.rates();
    (rates.in_flight_requests, rates.in_flight_bytes)
}

#[tokio::test]
async fn without_limits_everything_passes_and_is_given_back() {
    let gate = gate(Limits::default());
    let one = lane(&gate);
    for _ in 0..100 {
        one.enter(10, 1000).now_or_never().unwrap().unwrap();
    }
    assert_eq!(in_flight(&gate), (1000, 100_000));
    one.leave(300, 5);
    assert_eq!(in_flight(&gate), (700, 70_000));
    one.leave(5000, 5);
    assert_eq!(
        in_flight(&gate),
        (0, 0),
        "more answers than requests give back what there was"
    );
    one.enter(1, 10).await.unwrap();
    drop(one);
    assert_eq!(
        in_flight(&gate),
        (0, 0),
        "a stream that ends gives back what was never answered"
    );
}

#[tokio::test]
async fn a_frame_without_requests_leaves_nothing_in_flight() {
    let gate = gate(Limits {
        in_flight_bytes: NonZeroU64::new(100),
        ..Limits::default()
    });
    let one = lane(&gate);
    for _ in 0..3 {
        one.enter(0, 1000).now_or_never().unwrap().unwrap();
        one.leave(0, 0);
    }
    assert_eq!(in_flight(&gate), (0, 0));
    one.enter(1, 50).now_or_never().unwrap().unwrap();
    one.leave(0, 7);
    assert_eq!(
        in_flight(&gate),
        (1, 50),
        "a part of an answer gives nothing back"
    );
}

#[tokio::test]
async fn requests_in_flight_are_bounded_and_pass_in_order_as_answers_come() {
    let gate = gate(Limits {
        in_flight_requests: bound(2),
        ..Limits::default()
    });
    let (first, second, third) = (lane(&gate), lane(&gate), lane(&gate));
    first.enter(2, 1).await.unwrap();
    let mut earlier = Box::pin(second.enter(1, 1));
    let mut later = Box::pin(third.enter(1, 1));
    assert!((&mut earlier).now_or_never().is_none());
    assert!((&mut later).now_or_never().is_none());
    assert_eq!(gate.rates().waiting, 2);
    first.leave(1, 0);
    assert!((&mut later).now_or_never().is_none(), "not before its turn");
    assert!((&mut earlier).now_or_never().is_some());
    assert!((&mut later).now_or_never().is_none(), "the bound holds");
    first.leave(1, 0);
    assert!((&mut later).now_or_never().is_some());
    assert_eq!(gate.rates().in_flight_requests, 2);
}

#[tokio::test]
async fn calls_to_pd_pay_their_rate_and_are_never_in_flight() {
    let gate = gate(Limits {
        in_flight_requests: bound(1),
        requests_per_second: bound(3),
        ..Limits::default()
    });
    let one = lane(&gate);
    one.enter(1, 1).await.unwrap();
    gate.call().now_or_never().unwrap().unwrap();
    gate.call().now_or_never().unwrap().unwrap();
    assert_eq!(in_flight(&gate), (1, 1));
    assert!(gate.call().now_or_never().is_none(), "the rate holds");
}

#[tokio::test]
async fn bytes_in_flight_are_bounded() {
    let gate = gate(Limits {
        in_flight_bytes: NonZeroU64::new(100),
        ..Limits::default()
    });
    let one = lane(&gate);
    one.enter(1, 1000).await.unwrap();
    let mut next = Box::pin(one.enter(1, 1));
    assert!((&mut next).now_or_never().is_none());
    one.leave(1, 0);
    assert!(
        (&mut next).now_or_never().is_some(),
        "a frame larger than the bound passes alone"
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_told_which_limit_it_is() {
    let gate = gate(Limits {
        in_flight_requests: bound(1),
        ..Limits::default()
    });
    let one = lane(&gate);
    one.enter(1, 1).await.unwrap();
    assert_eq!(one.enter(3, 1).await, Err(Busy("requests in flight")));
    assert_eq!(gate.rates().refused, 3);
    assert_eq!(gate.rates().waiting, 0);
    assert_eq!(in_flight(&gate), (1, 1), "what is refused takes nothing");
}

#[tokio::test]
async fn a_hogs_queue_is_bounded_and_its_neighbour_never_waits() {
    let limits = Limits {
        in_flight_requests: bound(1),
        ..Limits::default()
    };
    let (hog, neighbour) = (gate(limits), gate(limits));
    let turns = Arc::new(Turns::new(1_000));
    let lanes: Vec<Lane> = (0..WAITING + 10)
        .map(|_| Lane::new(hog.clone(), turns.clone()))
        .collect();
    lanes[0].enter(1, 1).await.unwrap();
    let mut waiting: Vec<_> = lanes
        .iter()
        .map(|lane| Box::pin(lane.enter(1, 1)))
        .collect();
    let mut refused = 0;
    for frame in &mut waiting {
        // The runtime makes a task that polls on and on wait, too.
        tokio::task::yield_now().await;
        if frame.now_or_never() == Some(Err(Busy("frames that wait"))) {
            refused += 1;
        }
    }
    assert_eq!(refused, 10);
    assert_eq!(hog.rates().waiting as usize, WAITING);
    let other = Lane::new(neighbour.clone(), turns);
    for _ in 0..100 {
        other
            .enter(1, 1)
            .now_or_never()
            .expect("does not wait")
            .unwrap();
        other.leave(1, 1);
    }
    assert_eq!(neighbour.rates().refused, 0);
}

#[tokio::test]
async fn a_tenant_that_waits_for_locks_on_all_seats_holds_up_nobody_elses_few_requests() {
    let turns = Arc::new(Turns::new(10));
    let hog = Lane::new(gate(Limits::default()), turns.clone());
    hog.enter(ALWAYS, 1).now_or_never().unwrap().unwrap();
    hog.enter(1, 1).now_or_never().unwrap().unwrap();
    let mut more = Box::pin(hog.enter(ALWAYS, 1));
    assert!((&mut more).now_or_never().is_none(), "its own turn comes");
    let neighbour = Lane::new(gate(Limits::default()), turns);
    for _ in 0..ALWAYS {
        let passed = neighbour.enter(1, 1).now_or_never();
        passed.expect("does not wait").unwrap();
    }
}

#[tokio::test]
async fn limits_change_while_frames_wait() {
    let gate = gate(Limits {
        in_flight_requests: bound(1),
        ..Limits::default()
    });
    let one = lane(&gate);
    one.enter(1, 1).await.unwrap();
    let mut waits = Box::pin(one.enter(1, 1));
    assert!((&mut waits).now_or_never().is_none());
    gate.set(&Limits::default());
    assert!((&mut waits).now_or_never().is_some());
}

#[tokio::test]
async fn requests_per_second_let_a_second_s_worth_through_and_answers_cost_bytes() {
    let gate = gate(Limits {
        requests_per_second: bound(10),
        bytes_per_second: bound(1000),
        ..Limits::default()
    });
    let one = lane(&gate);
    for _ in 0..9 {
        one.enter(1, 1).now_or_never().unwrap().unwrap();
    }
    one.leave(9, 5_000);
    let mut tenth = Box::pin(one.enter(1, 1));
    assert!(
        (&mut tenth).now_or_never().is_none(),
        "the answers are paid for first"
    );
}

#[test]
fn setting_the_same_limits_again_refills_nothing() {
    let limits = Limits {
        requests_per_second: bound(10),
        ..Limits::default()
    };
    let gate = Gate::new(8);
    gate.set(&limits);
    let before = gate.bounds.load_full().unwrap();
    gate.set(&limits);
    assert!(Arc::ptr_eq(&before, &gate.bounds.load_full().unwrap()));
}
