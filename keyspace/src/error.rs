//! Why a key was not mapped. Texts reach tenants and logs, so they hold no key bytes.

use std::fmt;

use crate::memcomparable::Malformed;

/// What may be shown of a key: its length and the class of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// Length in bytes.
    pub len: usize,
    /// Class of the first byte.
    pub class: KeyClass,
}

/// Class of a key by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// No byte at all.
    Empty,
    /// `m`, TiDB's metadata.
    Meta,
    /// `t`, TiDB's rows and indexes.
    Table,
    /// Anything else.
    Other,
}

/// A key, bound or table id that is not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A point key without bytes; callers leave optional keys empty instead of asking.
    #[error("empty key")]
    Empty,
    /// The key or table id belongs to another tenant, or to none. Says nothing about it: its
    /// length would already be the neighbour's.
    #[error("not in the tenant's keyspace")]
    Foreign,
    /// A point key of a shape that TiDB never writes.
    #[error("not a TiDB key: {key}")]
    NotAKey {
        /// What may be shown of it.
        key: Redacted,
    },
    /// Not the memcomparable encoding of any key.
    #[error("malformed encoded key ({reason}): {key}")]
    Malformed {
        /// What is wrong with it.
        reason: Malformed,
        /// What may be shown of it.
        key: Redacted,
    },
    /// A logical table id that leaves no room for the tenant's tag.
    #[error("table id is negative or has more than 48 bits")]
    TableIdOutOfRange,
}

impl Redacted {
    /// Looks at length and first byte, nothing else.
    pub fn of(key: &[u8]) -> Self {
        let class = match key.first() {
            None => KeyClass::Empty,
            Some(b'm') => KeyClass::Meta,
            Some(b't') => KeyClass::Table,
            Some(_) => KeyClass::Other,
        };
        Redacted {
            len: key.len(),
            class,
        }
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            KeyClass::Empty => return f.write_str("empty key"),
            KeyClass::Meta => "m",
            KeyClass::Table => "t",
            KeyClass::Other => "other",
        };
        write!(f, "{class} key of {} bytes", self.len)
    }
}
