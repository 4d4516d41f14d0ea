//! The harness: it builds the real servers, starts them on loopback, and stops exactly what it
//! started. The playground, the benchmarks and the end-to-end tests stand on it.
//!
//! What must stay true:
//! - nothing that a harness process started outlives it, not even when it is killed;
//! - no port is shared by two harness processes on one machine;
//! - every wait is bounded and says what it waited for.

pub mod admin;
pub mod bench;
pub mod certificates;
pub mod dump;
pub mod endpoints;
pub mod eventually;
pub mod history;
pub mod http;
pub mod layout;
pub mod playground;
pub mod ports;
pub mod process;
pub mod product;
pub mod progress;
pub mod relay;
pub mod servers;
pub mod sql;
pub mod stack;

mod nursery;
