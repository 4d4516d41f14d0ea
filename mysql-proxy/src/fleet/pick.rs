//! Which server takes the next session: the better of two picked at random. With that, many proxies
//! that know nothing of each other neither agree on one victim nor miss an idle server for long.

use std::sync::Arc;

use rand::seq::IndexedRandom as _;

use super::{Backend, Fleet};

impl Fleet {
    /// A server that isn't among `tried`. Servers that failed lately are asked only when there is
    /// no other; draining ones never.
    #[must_use]
    pub fn pick(&self, tried: &[Arc<Backend>]) -> Option<Arc<Backend>> {
        let all = self.backends.load();
        let untried = |backend: &&Arc<Backend>| {
            !backend.draining() && !tried.iter().any(|other| other.address == backend.address)
        };
        let candidates: Vec<&Arc<Backend>> = all.iter().filter(untried).collect();
        let trusted: Vec<_> = candidates
            .iter()
            .filter(|one| !one.paused())
            .copied()
            .collect();
        let from = if trusted.is_empty() {
            candidates
        } else {
            trusted
        };
        let two = from.choose_multiple(&mut rand::rng(), 2);
        two.min_by_key(|backend| backend.load.score())
            .map(|backend| Arc::clone(backend))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        let fleet = Fleet::default();
        fleet.set(&["a:1".to_owned(), "b:1".to_owned()], 5);
        fleet
    }

    #[test]
    fn of_two_the_one_with_fewer_sessions_is_picked() {
        let fleet = fleet();
        fleet.backends()[0].load.join();
        for _ in 0..20 {
            assert_eq!(fleet.pick(&[]).expect("one").address, "b:1");
        }
    }

    #[test]
    fn a_failed_server_is_the_last_resort_and_a_draining_one_is_none() {
        let fleet = fleet();
        let all = fleet.backends();
        all[0].failed();
        for _ in 0..20 {
            assert_eq!(fleet.pick(&[]).expect("one").address, "b:1");
        }
        assert_eq!(fleet.pick(&all[1..]).expect("one").address, "a:1");
        all[0].set_draining(true);
        assert!(fleet.pick(&all[1..]).is_none());
    }
}
