use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    AdvanceTxn(u64, Option<u64>),
    AdvanceGc(u64),
    SetBarrier(u8, u64, i64),
    DeleteBarrier(u8),
    UpdateGc(u64),
    UpdateService(u8, u64, i64),
    GcWorker(u64),
    CatchUp(u64, u64),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let ts = || 0u64..100;
    let ttl = || prop_oneof![Just(FOR_EVER), -1i64..20];
    prop_oneof![
        (ts(), proptest::option::of(ts())).prop_map(|(ts, min)| Step::AdvanceTxn(ts, min)),
        ts().prop_map(Step::AdvanceGc),
        (0u8..3, ts(), ttl()).prop_map(|(id, ts, ttl)| Step::SetBarrier(id, ts, ttl)),
        (0u8..3).prop_map(Step::DeleteBarrier),
        ts().prop_map(Step::UpdateGc),
        (0u8..3, ts(), ttl()).prop_map(|(id, ts, ttl)| Step::UpdateService(id, ts, ttl)),
        ts().prop_map(Step::GcWorker),
        (ts(), ts()).prop_map(|(least, gc)| Step::CatchUp(least, gc.min(least))),
        (0i64..30).prop_map(Step::Wait),
    ]
}

fn apply(state: &mut GcState, step: &Step, now: &mut i64) {
    let id = |n: &u8| format!("b{n}");
    match step {
        Step::AdvanceTxn(ts, min) => drop(state.advance_txn(*ts, *min, *now)),
        Step::AdvanceGc(ts) => drop(state.advance_gc(*ts)),
        Step::SetBarrier(n, ts, ttl) => drop(state.set_barrier(&id(n), *ts, *ttl, *now)),
        Step::DeleteBarrier(n) => drop(state.delete_barrier(&id(n))),
        Step::UpdateGc(ts) => drop(state.update_gc(*ts, None, *now)),
        Step::UpdateService(n, ts, ttl) => {
            drop(state.update_service(&id(n), *ts, *ttl, None, *now));
        }
        Step::GcWorker(ts) => {
            drop(state.update_service("gc_worker", *ts, FOR_EVER, None, *now));
        }
        Step::CatchUp(least, gc) => state.catch_up(*least, *gc),
        Step::Wait(seconds) => *now += seconds,
    }
}

proptest! {
    #[test]
    fn nothing_breaks_what_must_hold(steps in proptest::collection::vec(step(), 0..60)) {
        let mut now = 1_000;
        let mut state = GcState::beginning_at(10);
        for step in &steps {
            let before = state.clone();
            apply(&mut state, step, &mut now);
            prop_assert!(state.txn_safe_point >= before.txn_safe_point);
            prop_assert!(state.gc_safe_point >= before.gc_safe_point);
            prop_assert!(state.gc_safe_point <= state.txn_safe_point);
            prop_assert!(state.barriers.values().all(|b| b.ts >= state.txn_safe_point));
            prop_assert!(state.hold(None) >= before.hold(None), "what is held never goes back");
        }
    }

    #[test]
    fn a_failed_change_changes_nothing_but_expired_barriers(
        steps in proptest::collection::vec(step(), 0..30),
        target in 0u64..100,
    ) {
        let mut now = 1_000;
        let mut state = GcState::default();
        for step in &steps {
            apply(&mut state, step, &mut now);
        }
        let mut advanced = state.clone();
        if advanced.advance_gc(target).is_err() {
            prop_assert_eq!(&advanced, &state);
        }
        let mut set = state.clone();
        if set.set_barrier("b0", target, 5, now).is_err() {
            prop_assert_eq!(&set, &state);
        }
    }

    #[test]
    fn a_live_barrier_is_never_passed(ts in 1u64..100, target in 0u64..200, wait in 0i64..20) {
        let mut state = GcState::default();
        state.set_barrier("b", ts, 10, 0).unwrap();
        let advance = state.advance_txn(target, None, wait).unwrap();
        if wait <= 10 {
            prop_assert!(advance.new <= ts);
        } else {
            prop_assert_eq!(advance.new, target);
        }
    }
}

#[test]
fn an_older_gc_worker_sees_the_least_service() {
    let mut state = GcState::beginning_at(5);
    let least = state.update_service("br", 50, 60, None, 0).unwrap();
    assert_eq!((least.id.as_slice(), least.safe_point), (GC_WORKER, 0));
    let least = state
        .update_service("gc_worker", 80, FOR_EVER, None, 0)
        .unwrap();
    assert_eq!((least.id.as_slice(), least.safe_point), (&b"br"[..], 50));
    assert_eq!(state.update_gc(50, None, 0), 50);
    let fault = state
        .update_service("gc_worker", 40, FOR_EVER, None, 0)
        .unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("PD:gc:ErrDecreasingTxnSafePoint")
    );
}

#[test]
fn asking_for_zero_reads_the_safe_point() {
    let mut state = GcState::beginning_at(5);
    assert_eq!(state.update_gc(0, None, 0), 0);
    state
        .update_service("gc_worker", 7, FOR_EVER, None, 0)
        .unwrap();
    assert_eq!(state.update_gc(7, None, 0), 7);
    assert_eq!(state.update_gc(0, None, 0), 7);
}

#[test]
fn a_service_behind_the_txn_safe_point_is_refused_by_its_answer() {
    let mut state = GcState::beginning_at(0);
    state.advance_txn(30, None, 0).unwrap();
    let least = state.update_service("cdc", 20, 60, None, 0).unwrap();
    assert_eq!(least.safe_point, 30);
    assert!(state.barriers.is_empty());
}

#[test]
fn the_oldest_transaction_keeps_the_txn_safe_point_back() {
    let mut state = GcState::beginning_at(0);
    let advance = state.advance_txn(30, Some(20), 0).unwrap();
    assert_eq!(
        (advance.new, advance.blocker),
        (20, Some(Blocker::OldestTransaction))
    );
    // One that is already behind neither advances nor turns back.
    let advance = state.advance_txn(30, Some(10), 0).unwrap();
    assert_eq!((advance.old, advance.new), (20, 20));
}

#[test]
fn a_new_tenant_holds_from_its_creation_on() {
    let mut state = GcState::beginning_at(100);
    assert_eq!(state.hold(None), 100);
    assert_eq!(state.hold(Some(40)), 100);
    state.advance_txn(300, None, 0).unwrap();
    state.advance_gc(250).unwrap();
    assert_eq!(state.hold(None), 250);
    assert_eq!(state.hold(Some(220)), 220);
}

#[test]
fn catching_up_drops_broken_promises() {
    let mut state = GcState::beginning_at(10);
    state.set_barrier("old", 20, FOR_EVER, 0).unwrap();
    state.set_barrier("new", 90, FOR_EVER, 0).unwrap();
    state.catch_up(60, 50);
    assert_eq!(
        (state.txn_safe_point, state.gc_safe_point, state.hold(None)),
        (60, 50, 60)
    );
    assert_eq!(state.barriers.keys().collect::<Vec<_>>(), ["new"]);
    state.catch_up(40, 30);
    assert_eq!((state.txn_safe_point, state.gc_safe_point), (60, 50));
}

#[test]
fn a_time_to_live_that_overflows_never_ends() {
    let mut state = GcState::default();
    let barrier = state.set_barrier("b", 1, FOR_EVER - 5, 1_000).unwrap();
    assert_eq!(barrier.ttl(i64::MAX), FOR_EVER);
}

#[test]
fn the_stored_form_is_read_back() {
    let mut state = GcState::beginning_at(10);
    state.set_barrier("b", 20, 60, 0).unwrap();
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<GcState>(&text).unwrap(), state);
}
