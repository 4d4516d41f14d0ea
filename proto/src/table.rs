//! The shape of the generated tables: what a message's fields are and what becomes of an RPC.
//!
//! Everything here is `'static` and built by `build.rs`. A message finds a field by number in one
//! array access; the row already says what the walker does with it.

use crate::{
    class::{Class, Form},
    tables::Hook,
};

/// What the gateway does with an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Rewritten by the tables and forwarded to the storage server.
    Forward,
    /// Answered by the gateway's own logic.
    Serve,
    /// Refused, with the reason.
    Refuse {
        /// Why no tenant may call it.
        why: &'static str,
    },
}

/// One RPC of one service.
#[derive(Debug)]
pub struct Rpc {
    /// As on the wire: `/tikvpb.Tikv/KvGet`.
    pub path: &'static str,
    /// Full service name: `tikvpb.Tikv`.
    pub service: &'static str,
    /// Method name: `KvGet`.
    pub method: &'static str,
    /// What the gateway does with it.
    pub route: Route,
    /// Request message.
    pub request: &'static Message,
    /// Response message.
    pub response: &'static Message,
    /// The client sends many messages.
    pub client_streaming: bool,
    /// The server sends many messages.
    pub server_streaming: bool,
    /// Position in [`crate::tables::RPCS`]: dense, for arrays of metrics.
    pub index: u16,
}

/// Wire types that proto3 uses, by their bits in a tag. Groups are refused everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Wire {
    /// Integers, bools, enums.
    Varint = 0,
    /// Eight bytes.
    Fixed64 = 1,
    /// A length and that many bytes.
    Len = 2,
    /// Four bytes.
    Fixed32 = 5,
}

impl Wire {
    /// The three bits of a tag.
    #[inline]
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// The two ends of a range that a message owns, by field number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeFields {
    /// Number of the start field.
    pub start: u32,
    /// Number of the end field.
    pub end: u32,
    /// Number of the bool that turns the range around.
    pub reverse: Option<u32>,
    /// How both ends are written.
    pub form: Form,
}

/// One message type.
pub struct Message {
    /// Full name: `kvrpcpb.GetRequest`.
    pub name: &'static str,
    /// Rows sorted by number.
    pub fields: &'static [Field],
    /// Index by number, up to the last number below 128.
    pub dense: &'static [Option<&'static Field>],
    /// Code that must see the whole message.
    pub hook: Option<Hook>,
    /// Nothing in it or beneath it is ever edited, only checked.
    pub inert: bool,
    /// The range it owns.
    pub range: Option<RangeFields>,
    /// The one raw key that its `KEY_HASH` is a hash of.
    pub hashed_key: Option<u32>,
    /// Bits of the singular fields that must be there.
    pub required: u64,
}

/// One field.
pub struct Field {
    /// Number on the wire.
    pub number: u32,
    /// Name in the schema.
    pub name: &'static str,
    /// Type as the schema writes it: `uint64`, `bytes`, `kvrpcpb.Context`; for reports and checks.
    pub type_name: &'static str,
    /// Wire type of one value.
    pub wire: Wire,
    /// Numbers in a list: both the packed and the plain form are legal.
    pub packed_ok: bool,
    /// A list (or a map, which is a list of entries).
    pub repeated: bool,
    /// Index of the oneof within the message; synthetic ones of `optional` are none.
    pub oneof: Option<u8>,
    /// What it holds.
    pub class: Class,
    /// The message beneath, whether a message field or [`Class::Nested`] bytes.
    pub child: Option<&'static Message>,
    /// Why the class is right.
    pub why: &'static str,
    /// Elements may not vanish.
    pub positional: bool,
    /// A key that may not be empty.
    pub required: bool,
    /// What the walker does; derived from the rest.
    pub step: Step,
    /// This field's own bit.
    pub bit: u64,
    /// Bits of fields that may not have come before: its own if singular, its oneof's.
    pub exclusive: u64,
}

/// What the walker does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Step over.
    Copy,
    /// Step over a list of numbers, packed or plain.
    Numbers,
    /// Walk into a message in which nothing is edited.
    Check,
    /// Walk into a message.
    Descend,
    /// Hand to the key map.
    Edit,
    /// Refuse.
    Forbid,
}

impl Message {
    /// The row of a field number.
    #[inline]
    #[must_use]
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        match self.dense.get(number as usize) {
            Some(row) => *row,
            None => self.sparse(number),
        }
    }

    fn sparse(&self, number: u32) -> Option<&'static Field> {
        let at = self
            .fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()?;
        self.fields.get(at)
    }

    /// The row of a field name.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

// Messages refer to each other in circles, so `Debug` stops at names.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({})", self.name)
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Field({} = {}, {:?})",
            self.name, self.number, self.class
        )
    }
}

// A message is its table row; there is one of each.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Message {}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Field {}
