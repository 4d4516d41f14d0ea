//! Regions as a tenant sees them.
//!
//! A tenant's logical key space is covered by regions without gap or overlap, whatever the storage
//! cluster's regions are: those that hold nothing of the tenant don't exist for it, those that hold
//! more are clipped, and in `table` mode the last region of the `m` part is followed by the first
//! one of the `t` part as if nothing lay between them.
//!
//! Reading order: [`clip`] (one region, pure), [`view`] (look-ups and scans, over any
//! [`source::RegionSource`]), [`source`] (PD as a source), [`service`] (the RPCs),
//! [`query`] (the streaming one).

mod clip;
mod ownership;
mod query;
mod service;
mod source;
mod split;
mod view;

pub use ownership::RegionOwnership;
pub(super) use service::Regions;
pub(super) use split::Splits;
