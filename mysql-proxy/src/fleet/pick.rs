//! Which server takes the next session: the better of two picked at random. With that, many proxies
//! that know nothing of each other neither agree on one victim nor miss an idle server for long.

use std::sync::Arc;

use rand::seq::IndexedRandom as _;

use super::version::understands;
use super::{Backend, Fleet};
use crate::obstacle::Obstacle;

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
        better_of_two(from)
    }

    /// A server for a session that leaves `old`: one that is trusted, and understands its state.
    ///
    /// # Errors
    /// [`Obstacle::NoServer`], [`Obstacle::OlderServers`].
    pub fn pick_for_move(&self, old: &Backend) -> Result<Arc<Backend>, Obstacle> {
        let all = self.backends.load();
        let mut others: Vec<&Arc<Backend>> = all
            .iter()
            .filter(|one| one.address != old.address && !one.draining() && !one.paused())
            .collect();
        if others.is_empty() {
            return Err(Obstacle::NoServer);
        }
        let version = old.version();
        // One that hasn't told its version yet will when it greets.
        others.retain(|one| one.capabilities().is_none() || understands(&one.version(), &version));
        better_of_two(others).ok_or(Obstacle::OlderServers)
    }
}

fn better_of_two(from: Vec<&Arc<Backend>>) -> Option<Arc<Backend>> {
    let two = from.choose_multiple(&mut rand::rng(), 2);
    two.min_by_key(|backend| backend.load.score())
        .map(|backend| Arc::clone(backend))
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

    #[test]
    fn a_moving_session_gets_another_trusted_server_or_none() {
        let fleet = fleet();
        let all = fleet.backends();
        for _ in 0..20 {
            let other = fleet.pick_for_move(&all[0]).expect("the other");
            assert_eq!(other.address, "b:1");
        }
        all[1].failed();
        let outcome = fleet.pick_for_move(&all[0]);
        assert_eq!(outcome.expect_err("none"), Obstacle::NoServer);
    }
}
