//! Leases known to be a tenant's, remembered so that a keep-alive costs no extra question.
//!
//! Only ownership that etcd confirmed is remembered. It never changes hands: an entry that
//! outlives its lease lets a call through that etcd itself then refuses.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Entries per generation; two generations are kept.
const GENERATION: usize = 65_536;

/// A bounded set of marker keys: when the young generation is full, the old one is forgotten.
#[derive(Debug, Default)]
pub(super) struct OwnedLeases {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<Bytes>,
    old: HashSet<Bytes>,
}

impl OwnedLeases {
    pub(super) fn remember(&self, marker: Bytes) {
        self.locked(|generations| generations.insert(marker));
    }

    pub(super) fn knows(&self, marker: &Bytes) -> bool {
        self.locked(|generations| generations.contains(marker))
    }

    pub(super) fn forget(&self, marker: &Bytes) {
        self.locked(|generations| {
            generations.young.remove(marker);
            generations.old.remove(marker);
        });
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Generations) -> T) -> T {
        work(
            &mut self
                .generations
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Generations {
    fn insert(&mut self, marker: Bytes) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(marker);
    }

    fn contains(&mut self, marker: &Bytes) -> bool {
        if self.young.contains(marker) {
            return true;
        }
        match self.old.take(marker) {
            Some(marker) => {
                self.insert(marker);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(number: usize) -> Bytes {
        Bytes::from(number.to_string())
    }

    #[test]
    fn used_entries_survive_a_generation_and_the_set_stays_bounded() {
        let leases = OwnedLeases::default();
        leases.remember(marker(0));
        for number in 1..4 * GENERATION {
            leases.remember(marker(number));
            if number % 1000 == 0 {
                assert!(leases.knows(&marker(0)));
            }
        }
        assert!(leases.knows(&marker(0)));
        assert!(!leases.knows(&marker(1)));
        leases.locked(|sets| assert!(sets.young.len() + sets.old.len() <= 2 * GENERATION));
    }

    #[test]
    fn what_is_forgotten_is_asked_again() {
        let leases = OwnedLeases::default();
        leases.remember(marker(7));
        leases.forget(&marker(7));
        assert!(!leases.knows(&marker(7)));
    }
}
