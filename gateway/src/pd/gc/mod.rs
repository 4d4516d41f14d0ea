//! Garbage collection: virtual for each tenant, one for the storage cluster.
//!
//! ```text
//! tenant's servers ─▶ service ─▶ state (in the ledger)      what the tenant believes
//!                                  │ hold
//!                                holds ─▶ storage (PD)      what the storage keeps for it
//!                                            ▲
//!                              mover ────────┘              only without a tenant zero
//! ```

mod background;
mod holds;
mod ledger;
mod legacy;
mod mover;
mod service;
mod state;
mod storage;

pub(super) use service::Gc;
pub(super) use state::Timestamp;
