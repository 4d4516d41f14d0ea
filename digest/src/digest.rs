//! Digests: the SHA-256 of the normalized statement, equal to TiDB's.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::dialect::Dialect;
use crate::normalize::Normalizer;

/// What TiDB shows as `DIGEST` in `STATEMENTS_SUMMARY` and the slow log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a statement digest is 64 hexadecimal digits, as in STATEMENTS_SUMMARY.DIGEST")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseDigestError)?;
        Ok(Self(bytes))
    }
}

/// Makes digests, one after another, without allocating for each.
///
/// Memory: the longest normalized form so far, up to 64 KiB between statements; during one, the
/// form and 40 bytes for each token that stays in it, so at most about 44 times the statement.
/// Whoever takes statements from a network bounds their length before.
#[derive(Debug, Default)]
pub struct Digester {
    normalizer: Normalizer,
}

impl Digester {
    /// A digester without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The digest that TiDB computes for this text: one statement, its `;` included or not.
    ///
    /// Never fails: what can't be lexed is cut off there, as TiDB does.
    /// [`Digester::is_complete`] tells.
    pub fn digest(&mut self, sql: &[u8]) -> Digest {
        self.digest_as(sql, Dialect::default())
    }

    /// The digest by the meaning that the session gives the text, while TiDB's ignores the
    /// session's modes. The two are equal in the default dialect.
    pub fn digest_as(&mut self, sql: &[u8], dialect: Dialect) -> Digest {
        Digest(Sha256::digest(self.normalizer.normalize(sql, dialect)).into())
    }

    /// The normalized text of the last statement.
    pub fn normalized(&self) -> &str {
        // Every token goes through the lower case, which makes it UTF-8.
        std::str::from_utf8(self.normalizer.text()).unwrap_or_default()
    }

    /// Whether the last statement was read to its end.
    pub fn is_complete(&self) -> bool {
        self.normalizer.is_complete()
    }

    /// Whether the last statement's digest stands for all of it but literals, comments and index
    /// hints. TiDB's rules can be fooled by names such as `` `,` ``; two statements that do
    /// different things may then share a digest.
    pub fn is_exact(&self) -> bool {
        self.normalizer.is_exact()
    }
}
