//! A term: the time between two moments at which all connections of a tenant are cut. A tenant that
//! is suspended ends one term and begins the next, in which it is refused; its ports stay bound.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The connections of one term.
#[derive(Debug, Clone)]
pub struct Term {
    closing: CancellationToken,
    connections: TaskTracker,
}

/// Belongs to a connection of a term, as long as the connection lives.
#[derive(Debug)]
pub struct Member {
    /// Fires when the term ends.
    pub closing: CancellationToken,
    _counted: TaskTrackerToken,
}

impl Term {
    /// A term that also ends with `process`.
    pub fn under(process: &CancellationToken) -> Term {
        Term {
            closing: process.child_token(),
            connections: TaskTracker::new(),
        }
    }

    /// Counts a connection in.
    pub fn join(&self) -> Member {
        Member {
            closing: self.closing.clone(),
            _counted: self.connections.token(),
        }
    }

    /// Tells all connections to finish.
    pub fn end(&self) {
        self.closing.cancel();
        self.connections.close();
    }

    /// Returns when the term has ended and its last connection is gone.
    pub async fn over(&self) {
        self.connections.wait().await;
    }
}
