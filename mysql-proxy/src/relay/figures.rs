//! Figures of one session: written by its worker alone, read by whoever asks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A count that one thread raises and others read.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Raises it. Only the owner does, so no locked instruction is needed.
    pub fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Figures {
    /// Whether it goes on at another server if its own dies now.
    #[must_use]
    pub fn outlives_server(&self) -> bool {
        let kept = self.kept.load(Relaxed);
        // Commands of a session that isn't followed are not counted either.
        kept == self.commands.get() + 1 && !self.blind.load(Relaxed)
    }
}

/// What a session has done and is doing.
#[derive(Debug, Default)]
pub struct Figures {
    /// Commands sent to the server.
    pub commands: Count,
    /// Bytes from the client.
    pub received: Count,
    /// Bytes to the client.
    pub sent: Count,
    /// A transaction was open after the last answer.
    pub in_transaction: AtomicBool,
    /// The last answer left a cursor open.
    pub cursor: AtomicBool,
    /// Answers are no longer followed.
    pub blind: AtomicBool,
    /// An answer is due.
    pub busy: AtomicBool,
    /// Its state was kept when one command less than this had been sent; zero when it wasn't.
    pub kept: AtomicU64,
    /// Times that it went to another server.
    pub moves: Count,
}
