//! The MySQL front: clients connect to one address and reach their own tenant's TiDB servers.
//!
//! A session's way: `worker` accepts → `session` → `handshake::client` greets and reads the login →
//! `route` finds the tenant → `fleet` picks a TiDB → `handshake::authenticate` relays what the two
//! have to say to each other → `relay` carries commands and answers, byte for byte → `migration` takes
//! it to another TiDB when its own is left.
#![forbid(unsafe_code)]

pub mod admin;
pub mod config;
pub mod fault;
pub mod fleet;
pub mod handshake;
pub mod metrics;
pub mod migration;
pub mod obstacle;
pub mod packet;
pub mod proxy;
pub mod proxy_header;
pub mod relay;
pub mod route;
pub mod serve;
pub mod session;
pub mod sessions;
pub mod tls;
pub mod wire;
pub mod worker;
