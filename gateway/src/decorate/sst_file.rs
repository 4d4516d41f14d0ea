//! Files that a store keeps between the writing of their pairs and their ingestion
//! (import_sstpb `SSTMeta`).
//!
//! A store keeps the files of all tenants in one directory and finds them by uuid, region and
//! epoch. What a tenant ingests must be what it wrote itself, so the first five bytes of every uuid
//! say whose file it is: mode letter, then the tenant's id in four bytes, big endian. Marking a
//! marked uuid changes nothing, so `Write`, its answer and `Ingest` agree without anybody
//! remembering files, also across gateways. Eighty-eight bits of the client's own remain.

use mesh_keyspace::{Keyspace, Mode};
use mesh_proto::{Edit, Nested, Verdict, WalkError, fields};

use super::{DecorateError, Decorator};
use crate::scoped_name::mode_letter;

/// Bytes of a uuid.
const UUID_LEN: usize = 16;
/// Fields of `SSTMeta`.
const UUID: u32 = 1;
const API_VERSION: u32 = 11;
/// `kvrpcpb.APIVersion`.
const V1: u64 = 0;
const V2: u64 = 2;

impl Decorator<'_> {
    pub(super) fn sst_meta(
        &mut self,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<DecorateError>> {
        let uuid = marked(self.keyspace, body)?;
        let api_version = match self.keyspace.mode() {
            Mode::Table | Mode::Prefix => V1,
            Mode::Keyspace => V2,
        };
        let edits = [
            (UUID, Edit::Bytes(&uuid)),
            (API_VERSION, Edit::Varint(api_version)),
        ];
        nested.rewrite_with(body, &edits, self, out)
    }
}

/// The uuid of a file, marked as the tenant's.
fn marked(keyspace: &Keyspace, body: &[u8]) -> Result<[u8; UUID_LEN], DecorateError> {
    let malformed = DecorateError::Malformed("a file whose uuid has not 16 bytes");
    let uuid = fields(body)
        .flatten()
        .filter(|field| field.number == UUID)
        .last()
        .and_then(|field| field.bytes());
    let Some(Ok(mut uuid)) = uuid.map(<[u8; UUID_LEN]>::try_from) else {
        return Err(malformed);
    };
    let id = keyspace.id().get().to_be_bytes();
    let mark = [mode_letter(keyspace)].into_iter().chain(id);
    uuid.iter_mut()
        .zip(mark)
        .for_each(|(byte, mark)| *byte = mark);
    Ok(uuid)
}
