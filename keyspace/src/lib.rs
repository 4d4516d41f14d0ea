//! Tenant key codec: what a tenant's TiDB sees (logical) to what the shared stores hold (physical)
//! and back.
//!
//! This crate exists so that one place decides which bytes belong to whom. It is pure: bytes in,
//! bytes out; no I/O, no clock, no protocol. What must stay true, in every [`Mode`] and [`Form`]:
//!
//! - **Order is kept.** Sorting before or after encoding gives the same sequence.
//! - **Round trip.** Decoding what was encoded gives the same bytes; decoding anything else is
//!   [`KeyError::Foreign`] or another error, never a guess.
//! - **Tenants are disjoint.** A tenant's image is a union of one or two ranges known in advance
//!   ([`Keyspace::ranges`]), and no bound of any shape leaves them.
//! - **Clipping tiles.** However the stores cut physical space into regions, what a tenant sees of
//!   them covers its logical space without gap or overlap.
//!
//! The layouts are on-disk formats and never change; `tests/vectors.rs` pins them byte by byte.
//!
//! | mode | logical | physical | tenant's ranges |
//! |---|---|---|---|
//! | `table` | `m` rest | `m` `01` id₂ rest | `[m 01 id, m 01 id+1)` |
//! | | `t` `80 00` six bytes rest | `t` (`8000` or id)₂ six bytes rest | `[t 8000+id, t 8000+id+1)` |
//! | `keyspace` | any | `x` (raw form: `r`) id₃ any | `[x id, x id+1)` |
//! | `prefix` | any | `02` `mesh` id₃ any | `[02 mesh id, 02 mesh id+1)` |
//!
//! Subscripts count bytes, ids are big-endian, bytes are hexadecimal.
#![forbid(unsafe_code)]

mod edge;
mod error;
mod id;
mod key;
#[cfg(feature = "laws")]
pub mod laws;
mod layout;
pub mod memcomparable;
mod mode;
mod place;
mod point;
mod range;
mod region;
mod table_id;
mod view;

pub use edge::Edge;
pub use error::{KeyClass, KeyError, Redacted};
pub use id::{IdOutOfRange, TenantId};
pub use key::{LogicalKey, PhysicalKey};
pub use layout::Keyspace;
pub use mode::{Form, Mode, UnknownMode};
pub use place::{Bound, Position};
pub use range::{Parts, PhysicalRange, RangeImage, RangeSet};
pub use region::Visibility;
pub use table_id::TableId;
