//! Short byte strings held inline: prefixes and range ends, known when the tenant is.

use std::fmt;
use std::ops::Deref;

use crate::memcomparable;

/// Room for the memcomparable encoding of an eight-byte prefix.
const ROOM: usize = memcomparable::encoded_len(8);

/// Up to 18 bytes, compared as byte strings. An edge is layout, not data: it prints in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edge {
    // Bytes after `len` are zero, so that the derived comparison and hash agree with the slice's.
    bytes: [u8; ROOM],
    len: u8,
}

impl Edge {
    pub(crate) const EMPTY: Edge = Edge {
        bytes: [0; ROOM],
        len: 0,
    };

    /// Copies `bytes`; what does not fit is cut, and no layout has more.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut edge = Edge::EMPTY;
        for (slot, byte) in edge.bytes.iter_mut().zip(bytes) {
            *slot = *byte;
            edge.len += 1;
        }
        edge
    }

    /// The memcomparable encoding of an edge of at most eight bytes.
    pub(crate) fn encoded(&self) -> Self {
        let mut encoded = Vec::with_capacity(ROOM);
        memcomparable::encode(self, &mut encoded);
        Edge::new(&encoded)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Deref for Edge {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Edge {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialOrd for Edge {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Edge {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl fmt::LowerHex for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edge({self:x})")
    }
}
