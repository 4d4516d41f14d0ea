//! End-to-end tests on real servers. One binary, so that the costly stacks are shared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod corpus;
mod direct;
mod runner;
mod shared;
