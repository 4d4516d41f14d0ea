//! Rows of the protocol's tables that are switched off in memory, one by one, under the gateway's own
//! phases: a tenant's keys must come out as that tenant's and nobody else's, a refusal must stay one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[path = "../../../proto/tests/mutation/corpus.rs"]
mod corpus;
mod hooks;
mod isolation;
mod plant;
mod ports;
mod reach;
mod routes;
mod run;
mod storage;

/// The switch is the process's, so only one test mutates at a time.
static SWITCH: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
