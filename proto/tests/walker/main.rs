//! The walker against its specimen schema and against every table of the real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod differential;
mod drops;
mod edits;
mod laws;
mod reading;
mod strictness;
mod tables;
mod toy;
