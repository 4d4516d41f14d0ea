//! Deadlock reports carry fingerprints of physical keys; clients compare them with fingerprints of
//! the keys they know, to tell a deadlock that a retry solves from one that it does not.

use mesh_keyspace::{Form, Keyspace, PhysicalKey};
use mesh_proto::{Edit, Nested, Verdict, WalkError, fields};

use super::{UndecorateError, Undecorator};

const LOCK_KEY: u32 = 2;
const KEY_HASH: u32 = 3;
const WAIT_CHAIN: u32 = 4;
const DEADLOCK_KEY: u32 = 5;
/// `key` of deadlock.WaitForEntry.
const ENTRY_KEY: u32 = 4;

/// Fingerprint of the logical key of a physical one.
pub(super) fn logical_hash(keyspace: &Keyspace, key: &[u8]) -> Result<u64, UndecorateError> {
    let mut logical = Vec::with_capacity(key.len());
    keyspace.decode_key(Form::Raw, PhysicalKey(key), &mut logical)?;
    Ok(farmhash::fingerprint64(&logical))
}

impl Undecorator<'_> {
    /// The hash is that of one of the keys that the report shows; the same key hashes again.
    pub(super) fn deadlock(
        &mut self,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<UndecorateError>> {
        let malformed = UndecorateError::Malformed("a deadlock that can't be decoded");
        let mut hash = 0;
        let mut keys: Vec<&[u8]> = Vec::new();
        for field in fields(body) {
            let Ok(field) = field else {
                return Err(malformed.into());
            };
            match (field.number, field.bytes()) {
                (KEY_HASH, None) => hash = field.varint().unwrap_or(0),
                (DEADLOCK_KEY | LOCK_KEY, Some(key)) => keys.push(key),
                (WAIT_CHAIN, Some(entry)) => keys.extend(entry_key(entry)),
                _ => {}
            }
        }
        let key = keys
            .into_iter()
            .find(|key| farmhash::fingerprint64(key) == hash);
        let hash = key.map_or(Ok(0), |key| logical_hash(self.keyspace, key))?;
        nested.rewrite_with(body, &[(KEY_HASH, Edit::Varint(hash))], self, out)
    }

    /// Another tenant's wait is left out of a store's list.
    pub(super) fn wait_for_entry(
        &mut self,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<UndecorateError>> {
        let Some(key) = entry_key(body) else {
            return Ok(Verdict::Drop);
        };
        match logical_hash(self.keyspace, key) {
            Ok(hash) => nested.rewrite_with(body, &[(KEY_HASH, Edit::Varint(hash))], self, out),
            Err(_) => Ok(Verdict::Drop),
        }
    }
}

fn entry_key(entry: &[u8]) -> Option<&[u8]> {
    fields(entry)
        .flatten()
        .find(|field| field.number == ENTRY_KEY)
        .and_then(|field| field.bytes())
}
