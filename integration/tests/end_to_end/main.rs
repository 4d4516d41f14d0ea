//! End-to-end tests on real servers. One binary, so that the costly stacks are shared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod background;
mod badinput;
mod corpus;
mod destroy;
mod faults;
mod front;
mod hand;
mod hostile;
mod import;
mod isolation;
mod pd_leader;
mod playground;
mod rawrpc;
mod regions;
mod restart;
mod runner;
mod shared;
mod slow_reader;
mod stores;
mod tenancy;
mod tenant0;
mod tls;
mod two_tidb;
mod writer;
