//! Typed values kept as JSON, changed by compare-and-swap only.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Compare, EtcdClient, EtcdError, KeyValue, Op, Range, Txn};

/// A value with the revision to compare against when changing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// Value.
    pub value: T,
    /// Revision of its last change.
    pub revision: i64,
}

/// What a swap expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No such key.
    Absent,
    /// The key as last changed at this revision.
    Revision(i64),
}

/// What a swap found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap<T> {
    /// The expected; the new value is written at this revision.
    Done {
        /// Revision to expect in the next swap.
        revision: i64,
    },
    /// Something else; nothing is written. `None`: the key does not exist.
    Lost(Option<Versioned<T>>),
}

impl EtcdClient {
    /// A JSON value, if its key exists.
    ///
    /// # Errors
    /// [`EtcdError::Malformed`] when the value is not a `T`; otherwise as any read.
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<Versioned<T>>, EtcdError> {
        self.get(key).await?.map(|kv| decode(&kv)).transpose()
    }

    /// Writes a JSON value if the key is as expected.
    ///
    /// # Errors
    /// As any write: see [`EtcdError::Uncertain`]. Reading the key again tells what happened.
    pub async fn swap_json<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        expect: Expect,
        value: &T,
    ) -> Result<Swap<T>, EtcdError> {
        let txn = Txn::new()
            .when(expect.compare(key))
            .then(Op::put(key, encode(value)?))
            .or_else(Op::range(Range::key(key)));
        let outcome = self.txn(txn).await?;
        if outcome.succeeded {
            return Ok(Swap::Done {
                revision: outcome.revision,
            });
        }
        let found = outcome.reads.into_iter().flatten().next();
        Ok(Swap::Lost(found.map(|kv| decode(&kv)).transpose()?))
    }
}

impl Expect {
    /// As a condition of a transaction.
    pub fn compare(self, key: &str) -> Compare {
        match self {
            Expect::Absent => Compare::absent(key),
            Expect::Revision(revision) => Compare::unchanged_since(key, revision),
        }
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EtcdError> {
    serde_json::to_vec(value).map_err(|error| EtcdError::Malformed(error.to_string()))
}

pub(crate) fn decode<T: DeserializeOwned>(kv: &KeyValue) -> Result<Versioned<T>, EtcdError> {
    match serde_json::from_slice(&kv.value) {
        Ok(value) => Ok(Versioned {
            value,
            revision: kv.mod_revision,
        }),
        Err(error) => {
            let key = String::from_utf8_lossy(&kv.key);
            Err(EtcdError::Malformed(format!("{key}: {error}")))
        }
    }
}
