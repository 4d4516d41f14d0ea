//! The storage cluster as the gateway reaches it: PD's leader and the stores.

mod dial;
mod held_acks;
mod pd;
mod stores;

pub use dial::{Dialer, Link};
pub use pd::{Leader, Pd};
pub use stores::{Store, Stores, is_tiflash};
