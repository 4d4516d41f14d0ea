//! Rows of the tables that are switched off in memory, one by one: some check must notice each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code
)]

mod checks;
mod corpus;
mod model;
mod run;
mod switch;
#[path = "../walker/toy/mod.rs"]
mod toy;

use std::sync::{Mutex, MutexGuard, PoisonError};

use mesh_proto::mutation::{self, Row};

/// The switch is the process's, so only one test mutates at a time.
static SWITCH: Mutex<()> = Mutex::new(());

pub struct Mutating {
    _alone: MutexGuard<'static, ()>,
}

impl Mutating {
    pub fn alone() -> Mutating {
        let _alone = SWITCH.lock().unwrap_or_else(PoisonError::into_inner);
        mutation::disable([]);
        Mutating { _alone }
    }

    pub fn without(&self, row: Row) {
        mutation::disable([row]);
    }

    pub fn whole(&self) {
        mutation::disable([]);
    }
}

impl Drop for Mutating {
    fn drop(&mut self) {
        mutation::disable([]);
    }
}
