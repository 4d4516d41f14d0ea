//! The modes a tenant can be kept in and the two forms a key has on the wire.

use std::fmt;
use std::str::FromStr;

/// How a tenant's keys are told apart in the shared stores. Fixed when the tenant is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Mode {
    /// Tenant id inside table ids and after the `m` of meta keys: any TiKV, coprocessor included.
    Table,
    /// TiKV's own keyspaces: `x` or `r` and a 3-byte id in front.
    Keyspace,
    /// Eight fixed bytes in front: clients that send no coprocessor requests.
    Prefix,
}

/// Whether key bytes are as TiDB built them or in memcomparable encoding, as region boundaries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// As built.
    Raw,
    /// In [`crate::memcomparable`] encoding, without a timestamp.
    Encoded,
}

/// A word that names no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode: expected table, keyspace or prefix")]
pub struct UnknownMode;

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 3] = [Mode::Table, Mode::Keyspace, Mode::Prefix];

    /// The word for the mode in configuration, flags and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Table => "table",
            Mode::Keyspace => "keyspace",
            Mode::Prefix => "prefix",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(word: &str) -> Result<Self, UnknownMode> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == word)
            .ok_or(UnknownMode)
    }
}
