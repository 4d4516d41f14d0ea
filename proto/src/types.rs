//! Rust types of every message of the schema, a module per package: `types::kvrpcpb::GetRequest`.
//!
//! For messages that the gateway builds or inspects itself. They drop unknown fields when they
//! decode: what is only passed on goes through the walker instead.

#![allow(missing_docs, unreachable_pub, reason = "generated")]
#![allow(clippy::all, clippy::pedantic, reason = "generated")]
#![allow(rustdoc::all, reason = "generated")]

include!(concat!(env!("OUT_DIR"), "/types.rs"));
