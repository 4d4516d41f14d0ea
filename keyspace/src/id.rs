//! Tenant ids, checked once where they are made.
//!
//! An id that does not fit its mode's layout would spill into another tenant's range, so nothing
//! that holds a [`TenantId`] checks again except [`crate::Keyspace::new`], which pairs it with a
//! mode.

use std::fmt;

use crate::Mode;

/// Number of a tenant within its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(u32);

/// An id that the mode's layout can't hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tenant id {id} is outside 1..={max} of mode {mode}", max = TenantId::last(*mode))]
pub struct IdOutOfRange {
    /// Mode that was asked for.
    pub mode: Mode,
    /// The refused id.
    pub id: u32,
}

impl TenantId {
    /// First id of every mode; 0 stands for the plain TiDB that may own the stores already.
    pub const FIRST: TenantId = TenantId(1);

    /// Checks `id` against the mode's width.
    ///
    /// # Errors
    /// [`IdOutOfRange`] for 0 and for ids above [`TenantId::last`].
    pub const fn new(mode: Mode, id: u32) -> Result<Self, IdOutOfRange> {
        if id == 0 || id > Self::last(mode) {
            return Err(IdOutOfRange { mode, id });
        }
        Ok(TenantId(id))
    }

    /// Greatest id of a mode: 15 bits in `table`, 24 in the others.
    pub const fn last(mode: Mode) -> u32 {
        match mode {
            Mode::Table => 0x7FFF,
            Mode::Keyspace | Mode::Prefix => 0xFF_FFFF,
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
