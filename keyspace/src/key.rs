//! The two key spaces as two types, so that decorating twice or not at all does not compile.

use std::fmt;

use crate::Redacted;

/// A key as the tenant's TiDB sees it. Prints its length and class only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogicalKey<'a>(pub &'a [u8]);

/// A key as the shared stores hold it. Prints its length and class only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhysicalKey<'a>(pub &'a [u8]);

impl fmt::Display for LogicalKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Redacted::of(self.0).fmt(f)
    }
}

impl fmt::Debug for LogicalKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogicalKey({})", Redacted::of(self.0))
    }
}

impl fmt::Display for PhysicalKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Redacted::of(self.0).fmt(f)
    }
}

impl fmt::Debug for PhysicalKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhysicalKey({})", Redacted::of(self.0))
    }
}
