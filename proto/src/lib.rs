//! The protocol between a tenant's TiDB and the storage cluster, as tables: what every field of
//! every routed message is, and nothing about what to do with it.
//!
//! `schema/` says what a field holds; the build step turns that into [`tables`] and [`types`]; the
//! [`walker`](rewrite) edits wire bytes by a table and asks a [`KeyMap`] what becomes of each value.
//! What must stay true: a field that nobody decided about stops the build, a field that the tables
//! do not know never passes by itself, and everything that is not edited passes byte for byte.

#![forbid(unsafe_code)]

mod class;
mod fault;
mod key_map;
pub mod mutation;
mod table;
pub mod tables;
pub mod types;
mod walker;
pub mod wire;

pub use class::{Class, Form};
pub use fault::{Fault, Unhandled, WalkError};
pub use key_map::{At, Bounds, KeyList, KeyMap, Range, Unknown, Verdict};
pub use table::{Field, Message, RangeFields, Route, Rpc, Step, Wire};
pub use tables::Hook;
pub use walker::{Edit, MAX_DEPTH, Nested, Outcome, Walker, rewrite};
pub use wire::{Fields, Malformed, RawField, Value, fields};
