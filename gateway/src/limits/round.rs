//! Deficit round robin over bounded queues, one per tenant. Pure: what waits goes in, what is next
//! comes out.
//!
//! In each round a queue that has something waiting gets a quantum times its weight and lets out
//! what that pays for; what it could not spend it keeps for the next round, what it has left when it
//! runs empty it loses. So in any stretch in which two queues are never empty, what they let out
//! differs from the ratio of their weights by less than one quantum and one largest item each,
//! however much waits in either.

use std::collections::{HashMap, VecDeque};

/// Paid to a queue of weight 1 in each round, in the unit of costs.
const QUANTUM: u64 = 16;

/// Which queue.
pub(super) type Key = u64;

/// The queues.
#[derive(Debug)]
pub(super) struct RoundRobin<T> {
    queues: HashMap<Key, Queue<T>>,
    /// Queues that are not empty, in the order of their turns.
    turns: VecDeque<Key>,
    /// Whether the first of them was paid for this turn.
    paid: bool,
    /// Items that one queue may hold.
    bound: usize,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<(u64, T)>,
    weight: u64,
    deficit: u64,
}

impl<T> RoundRobin<T> {
    /// Empty queues that hold `bound` items each at most.
    pub(super) fn new(bound: usize) -> RoundRobin<T> {
        RoundRobin {
            queues: HashMap::new(),
            turns: VecDeque::new(),
            paid: false,
            bound,
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Puts an item at the end of a queue; gives it back when the queue is full.
    pub(super) fn push(&mut self, key: Key, weight: u64, cost: u64, item: T) -> Result<(), T> {
        let queue = self.queues.entry(key).or_insert_with(|| Queue {
            items: VecDeque::new(),
            weight: 1,
            deficit: 0,
        });
        if queue.items.len() >= self.bound {
            return Err(item);
        }
        if queue.items.is_empty() {
            self.turns.push_back(key);
        }
        queue.weight = weight.max(1);
        queue.items.push_back((cost, item));
        Ok(())
    }

    /// Takes the next item out, with its cost.
    pub(super) fn next(&mut self) -> Option<(u64, T)> {
        loop {
            let key = *self.turns.front()?;
            let Some(queue) = self.queues.get_mut(&key) else {
                self.end_turn(false);
                continue;
            };
            if !self.paid {
                queue.deficit = queue.deficit.saturating_add(QUANTUM * queue.weight);
                self.paid = true;
            }
            let cost = queue.items.front().map_or(0, |(cost, _)| *cost);
            if cost > queue.deficit {
                self.end_turn(true);
                continue;
            }
            let item = queue.items.pop_front();
            queue.deficit -= cost;
            if queue.items.is_empty() {
                // A tenant that has gone leaves nothing behind.
                self.queues.remove(&key);
                self.end_turn(false);
            }
            if item.is_some() {
                return item;
            }
        }
    }

    fn end_turn(&mut self, again: bool) {
        self.paid = false;
        if let Some(key) = self.turns.pop_front()
            && again
        {
            self.turns.push_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOG: Key = 1;
    const NEIGHBOUR: Key = 2;

    fn drain(round: &mut RoundRobin<Key>, items: usize) -> Vec<Key> {
        (0..items)
            .map_while(|_| round.next().map(|(_, key)| key))
            .collect()
    }

    #[test]
    fn a_neighbour_waits_for_one_quantum_of_a_hog_however_much_the_hog_queues() {
        let mut round = RoundRobin::new(10_000);
        for _ in 0..5_000 {
            round.push(HOG, 1, 1, HOG).unwrap();
        }
        drain(&mut round, 7);
        round.push(NEIGHBOUR, 1, 1, NEIGHBOUR).unwrap();
        let order = drain(&mut round, 1_000);
        let place = order.iter().position(|key| *key == NEIGHBOUR).unwrap();
        assert!(place <= QUANTUM as usize, "behind {place} of the hog's");
    }

    #[test]
    fn a_full_queue_gives_back_and_leaves_others_room() {
        let mut round = RoundRobin::new(2);
        round.push(HOG, 1, 1, HOG).unwrap();
        round.push(HOG, 1, 1, HOG).unwrap();
        assert_eq!(round.push(HOG, 1, 1, HOG), Err(HOG));
        round.push(NEIGHBOUR, 1, 1, NEIGHBOUR).unwrap();
        assert_eq!(drain(&mut round, 9).len(), 3);
        assert!(round.is_empty() && round.queues.is_empty());
    }

    #[test]
    fn an_item_dearer_than_a_quantum_comes_when_it_is_paid_for() {
        let mut round = RoundRobin::new(8);
        round.push(HOG, 1, 10 * QUANTUM, HOG).unwrap();
        round.push(NEIGHBOUR, 1, 1, NEIGHBOUR).unwrap();
        round.push(NEIGHBOUR, 1, 1, NEIGHBOUR).unwrap();
        assert_eq!(drain(&mut round, 9), [NEIGHBOUR, NEIGHBOUR, HOG]);
    }

    proptest! {
        /// Two queues that never run empty get shares by their weights.
        #[test]
        fn shares_follow_the_weights(
            weights in (1..5u64, 1..5u64),
            costs in proptest::collection::vec((1..40u64, 1..40u64), 300),
        ) {
            let mut round = RoundRobin::new(1_000);
            for (first, second) in &costs {
                round.push(HOG, weights.0, *first, HOG).unwrap();
                round.push(NEIGHBOUR, weights.1, *second, NEIGHBOUR).unwrap();
            }
            let mut out = [0u64, 0];
            for _ in 0..100 {
                let (cost, key) = round.next().unwrap();
                out[usize::try_from(key - 1).unwrap()] += cost;
            }
            let share = [out[0] / weights.0, out[1] / weights.1];
            let slack = QUANTUM + 40;
            prop_assert!(share[0].abs_diff(share[1]) <= 2 * slack, "{:?}", share);
        }

        /// Each queue stays in order, and everything comes out.
        #[test]
        fn nothing_is_lost_and_a_queue_keeps_its_order(
            pushes in proptest::collection::vec((0..4u64, 1..50u64), 1..200),
        ) {
            let mut round = RoundRobin::new(1_000);
            for (number, (key, cost)) in pushes.iter().enumerate() {
                round.push(*key, 1, *cost, (*key, number)).unwrap();
            }
            let mut last = HashMap::new();
            let mut count = 0;
            while let Some((_, (key, number))) = round.next() {
                prop_assert!(last.insert(key, number).is_none_or(|before| before < number));
                count += 1;
            }
            prop_assert_eq!(count, pushes.len());
        }
    }
}
