//! One worker's store requests in flight, shared fairly among the tenants on it.
//!
//! While there is room everybody passes at once. When there is none, frames wait in their tenants'
//! queues and pass by deficit round robin as answers come in: a tenant with a thousand frames
//! waiting does not come before one with a single frame.

use std::cell::OnceCell;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::round::{Key, RoundRobin};

/// Frames of one tenant that may wait on one worker.
const WAITING: usize = 256;

thread_local! {
    static OF_THIS_WORKER: OnceCell<Arc<Turns>> = const { OnceCell::new() };
}

/// The way from one worker to the stores.
pub struct Turns {
    state: Mutex<State>,
    capacity: u64,
}

struct State {
    in_flight: u64,
    round: RoundRobin<oneshot::Sender<()>>,
}

/// Too many frames of the tenant wait already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Turns {
    /// Room for `capacity` requests; a frame that begins below it passes whole.
    pub fn new(capacity: u64) -> Turns {
        Turns {
            state: Mutex::new(State {
                in_flight: 0,
                round: RoundRobin::new(WAITING),
            }),
            capacity: capacity.max(1),
        }
    }

    /// The worker's that the caller runs on.
    pub fn of_this_worker(capacity: u64) -> Arc<Turns> {
        OF_THIS_WORKER.with(|turns| turns.get_or_init(|| Arc::new(Turns::new(capacity))).clone())
    }

    /// Passes if nobody waits and there is room.
    pub(super) fn pass(&self, requests: u64) -> bool {
        let mut state = self.state.lock();
        let passes = state.round.is_empty() && state.in_flight < self.capacity;
        if passes {
            state.in_flight += requests;
        }
        passes
    }

    /// Passes, room or not.
    pub(super) fn take(&self, requests: u64) {
        self.state.lock().in_flight += requests;
    }

    /// Passes, or waits for the turn.
    pub(super) async fn enter(&self, key: Key, weight: u64, requests: u64) -> Result<(), Full> {
        if self.pass(requests) {
            return Ok(());
        }
        let turn = {
            let mut state = self.state.lock();
            let (sender, turn) = oneshot::channel();
            let queued = state.round.push(key, weight, requests, sender);
            queued.map_err(|_| Full)?;
            turn
        };
        let waiting = Waiting {
            turns: self,
            requests,
            turn: Some(turn),
        };
        waiting.passed().await;
        Ok(())
    }

    /// So many requests are answered, or never will be.
    pub(super) fn leave(&self, requests: u64) {
        let mut state = self.state.lock();
        state.in_flight = state.in_flight.saturating_sub(requests);
        while state.in_flight < self.capacity {
            let Some((requests, turn)) = state.round.next() else {
                return;
            };
            // Whoever no longer waits takes no room.
            if turn.send(()).is_ok() {
                state.in_flight += requests;
            }
        }
    }

    /// Requests in flight.
    #[cfg(test)]
    fn in_flight(&self) -> u64 {
        self.state.lock().in_flight
    }
}

/// A frame that waits. Dropped after its turn was granted and before it took it, it gives the room
/// back.
struct Waiting<'a> {
    turns: &'a Turns,
    requests: u64,
    turn: Option<oneshot::Receiver<()>>,
}

impl Waiting<'_> {
    async fn passed(mut self) {
        if let Some(turn) = self.turn.as_mut() {
            // The sender stays in the queue until it is this frame's turn.
            let _ = turn.await;
        }
        self.turn = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(mut turn) = self.turn.take() {
            turn.close();
            if turn.try_recv().is_ok() {
                self.turns.leave(self.requests);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn while_there_is_room_everybody_passes_and_then_turns_are_taken() {
        let turns = Turns::new(4);
        turns.enter(1, 1, 3).await.unwrap();
        turns.enter(1, 1, 3).await.unwrap();
        assert_eq!(
            turns.in_flight(),
            6,
            "a frame that begins below the bound passes whole"
        );
        let mut hog: Vec<_> = (0..40).map(|_| Box::pin(turns.enter(1, 1, 1))).collect();
        for frame in &mut hog {
            assert!(frame.now_or_never().is_none());
        }
        let mut neighbour = Box::pin(turns.enter(2, 1, 1));
        assert!((&mut neighbour).now_or_never().is_none());
        let mut before = 0;
        while (&mut neighbour).now_or_never().is_none() {
            turns.leave(3);
            before += 1;
            assert!(before < 20, "the neighbour starves");
        }
        assert!(turns.in_flight() <= 4);
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_no_room() {
        let turns = Turns::new(1);
        turns.enter(1, 1, 1).await.unwrap();
        let mut granted = Box::pin(turns.enter(1, 1, 1));
        let mut gone = Box::pin(turns.enter(1, 1, 1));
        assert!((&mut granted).now_or_never().is_none());
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        turns.leave(1);
        assert_eq!(turns.in_flight(), 1, "granted, and not taken yet");
        drop(granted);
        assert_eq!(turns.in_flight(), 0);
    }

    #[tokio::test]
    async fn a_queue_is_bounded() {
        let turns = Turns::new(1);
        turns.enter(1, 1, 1).await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING)
            .map(|_| Box::pin(turns.enter(1, 1, 1)))
            .collect();
        for frame in &mut waiting {
            assert!(frame.now_or_never().is_none());
        }
        assert_eq!(turns.enter(1, 1, 1).await, Err(Full));
        assert!(
            turns.enter(2, 1, 1).now_or_never().is_none(),
            "the neighbour may wait"
        );
    }
}
