//! The generated tables and how to look things up in them.

#![allow(
    clippy::indexing_slicing,
    reason = "constant indices into the rows beside them"
)]

use crate::{
    class::{Class, Form},
    mutation,
    table::{Field, Message, RangeFields, Route, Rpc, Step, Wire},
};

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// The row of an RPC by its path, `/tikvpb.Tikv/KvGet`.
#[must_use]
pub fn rpc(path: &str) -> Option<&'static Rpc> {
    let at = RPCS.binary_search_by(|rpc| rpc.path.cmp(path)).ok()?;
    let rpc = RPCS.get(at)?;
    if mutation::active() {
        return mutation::routed(rpc);
    }
    Some(rpc)
}

/// The table of a message by its full name, `kvrpcpb.GetRequest`.
#[must_use]
pub fn message(name: &str) -> Option<&'static Message> {
    let at = MESSAGES
        .binary_search_by(|message| message.name.cmp(name))
        .ok()?;
    MESSAGES.get(at).copied()
}
