//! A tenant's layout: which logical prefix becomes which physical prefix.
//!
//! All modes are one thing, a list of [`Part`]s in key order. A part swaps a logical prefix for a
//! physical one and leaves the rest; logical bytes outside every part are no keys, only bounds, and
//! fall between parts. Prefixes have at most eight bytes, so the first memcomparable group tells
//! the part of an encoded key as well.

use std::fmt;

use crate::{Edge, Form, IdOutOfRange, Mode, TenantId};

/// Codec of one tenant's keys. Cheap to copy, never changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Keyspace {
    mode: Mode,
    id: TenantId,
    /// One part, or two with a seam between them.
    parts: (Part, Option<Part>),
    /// First three bytes of the tenant's rows in the store (`table` mode), for the hot path.
    row_head: Option<[u8; 3]>,
}

/// First three bytes of every row that TiDB writes: `t` and the unused top of a table id.
pub(crate) const LOGICAL_ROW_HEAD: [u8; 3] = [b't', 0x80, 0x00];

/// One contiguous piece of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    /// Parts before this one.
    pub(crate) order: u8,
    /// What every logical key of the part starts with.
    pub(crate) logical: Edge,
    /// What takes its place in the store; the part's first physical key.
    pub(crate) physical: Edge,
    /// First physical key after the part.
    pub(crate) end: Edge,
    /// `physical` and `end` in memcomparable form.
    pub(crate) encoded: (Edge, Edge),
    /// Logical name of the part's start in region boundaries; "" for the tenant's start.
    pub(crate) seam: Edge,
    /// Which keys of the part are ever written.
    pub(crate) shape: Shape,
}

/// Shape of the point keys of a part, told by what follows the part's prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// Any byte: raw and transactional clients choose their own keys.
    Any,
    /// A printable ASCII character, as in every meta key. The tag byte 01 is none, which keeps a
    /// plain TiDB's meta keys apart from tagged ones.
    Meta,
    /// The six low bytes of a table id.
    Table,
}

impl Keyspace {
    /// The tenant's codec, transactional keys.
    ///
    /// # Errors
    /// [`IdOutOfRange`] when the id was made for a wider mode.
    pub fn new(mode: Mode, id: TenantId) -> Result<Self, IdOutOfRange> {
        let id = TenantId::new(mode, id.get())?;
        let parts = match mode {
            Mode::Table => (meta_part(id), Some(table_part(id))),
            Mode::Keyspace => (
                whole(keyspace_edge(b'x', id.get()), keyspace_end(b'x', id)),
                None,
            ),
            Mode::Prefix => (whole(prefix_edge(id.get()), prefix_end(id)), None),
        };
        let row_head = match mode {
            Mode::Table => parts
                .1
                .as_ref()
                .and_then(|part| part.physical.first_chunk().copied()),
            Mode::Keyspace | Mode::Prefix => None,
        };
        Ok(Keyspace {
            mode,
            id,
            parts,
            row_head,
        })
    }

    /// The codec of a `keyspace` tenant's raw (non-transactional) keys: `r` instead of `x`.
    ///
    /// # Errors
    /// [`IdOutOfRange`] when the id was made for a wider mode.
    pub fn new_raw(id: TenantId) -> Result<Self, IdOutOfRange> {
        let mode = Mode::Keyspace;
        let id = TenantId::new(mode, id.get())?;
        let part = whole(keyspace_edge(b'r', id.get()), keyspace_end(b'r', id));
        Ok(Keyspace {
            mode,
            id,
            parts: (part, None),
            row_head: None,
        })
    }

    /// The tenant's mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The tenant's id within its mode.
    pub fn id(&self) -> TenantId {
        self.id
    }

    pub(crate) fn row_head(&self) -> Option<[u8; 3]> {
        self.row_head
    }

    /// Parts in key order.
    pub(crate) fn parts(&self) -> impl DoubleEndedIterator<Item = &Part> + Clone {
        std::iter::once(&self.parts.0).chain(self.parts.1.as_ref())
    }

    pub(crate) fn last_part(&self) -> &Part {
        self.parts.1.as_ref().unwrap_or(&self.parts.0)
    }

    pub(crate) fn first_part(&self) -> &Part {
        &self.parts.0
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Keyspace({} {} from {:x})",
            self.mode, self.id, self.parts.0.physical
        )
    }
}

impl Part {
    /// Physical bounds, end exclusive.
    pub(crate) fn bounds(&self, form: Form) -> (&Edge, &Edge) {
        match form {
            Form::Raw => (&self.physical, &self.end),
            Form::Encoded => (&self.encoded.0, &self.encoded.1),
        }
    }

    fn new(logical: Edge, physical: Edge, end: Edge) -> Self {
        Part {
            order: 0,
            logical,
            physical,
            end,
            encoded: (physical.encoded(), end.encoded()),
            seam: Edge::EMPTY,
            shape: Shape::Any,
        }
    }
}

fn meta_part(id: TenantId) -> Part {
    // 15 bits and one more still fit two bytes: the end never carries out of the tag.
    let edge = |tag: u32| {
        let [_, _, high, low] = tag.to_be_bytes();
        Edge::new(&[b'm', 0x01, high, low])
    };
    let part = Part::new(Edge::new(b"m"), edge(id.get()), edge(id.get() + 1));
    Part {
        shape: Shape::Meta,
        ..part
    }
}

fn table_part(id: TenantId) -> Part {
    let edge = |tag: u32| {
        let [_, _, high, low] = (0x8000 | tag).to_be_bytes();
        Edge::new(&[b't', high, low])
    };
    // The last id's end carries out of the sign bit, past every `t` key.
    let end = if id.get() == TenantId::last(Mode::Table) {
        Edge::new(b"u")
    } else {
        edge(id.get() + 1)
    };
    let part = Part::new(Edge::new(&LOGICAL_ROW_HEAD), edge(id.get()), end);
    Part {
        order: 1,
        seam: Edge::new(b"t"),
        shape: Shape::Table,
        ..part
    }
}

fn whole(physical: Edge, end: Edge) -> Part {
    Part::new(Edge::EMPTY, physical, end)
}

fn keyspace_edge(kind: u8, id: u32) -> Edge {
    let [_, high, middle, low] = id.to_be_bytes();
    Edge::new(&[kind, high, middle, low])
}

/// Ends keep the width of the prefix, as PD's own keyspace bounds do, so that one tenant's end is
/// the next one's start; the last id carries into the first byte.
fn keyspace_end(kind: u8, id: TenantId) -> Edge {
    if id.get() == TenantId::last(Mode::Keyspace) {
        return keyspace_edge(kind + 1, 0);
    }
    keyspace_edge(kind, id.get() + 1)
}

fn prefix_edge(id: u32) -> Edge {
    let [_, high, middle, low] = id.to_be_bytes();
    Edge::new(&[0x02, b'm', b'e', b's', b'h', high, middle, low])
}

fn prefix_end(id: TenantId) -> Edge {
    if id.get() == TenantId::last(Mode::Prefix) {
        return Edge::new(&[0x02, b'm', b'e', b's', b'h' + 1, 0, 0, 0]);
    }
    prefix_edge(id.get() + 1)
}
