//! Table ids outside of keys: scan descriptors that carry one, and the pseudo column that a store
//! reads out of a key. Same bits as in keys, `table` mode only.

use crate::{KeyError, Keyspace, Mode};

/// Bits that TiDB's table ids use; the tenant's tag sits above.
const ID_BITS: u32 = 48;

/// A table id that came out of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableId {
    /// It carried the tenant's tag, which has been taken off.
    Tagged(i64),
    /// It carried none: it came out of a value (a global index's partition id), not out of a key.
    Untagged(i64),
}

impl TableId {
    /// The logical id.
    pub fn get(self) -> i64 {
        match self {
            TableId::Tagged(id) | TableId::Untagged(id) => id,
        }
    }
}

impl Keyspace {
    /// The id as the stores' keys hold it; unchanged in modes that leave ids alone.
    ///
    /// # Errors
    /// [`KeyError::TableIdOutOfRange`] for a negative id or one of more than 48 bits.
    pub fn encode_table_id(&self, id: i64) -> Result<i64, KeyError> {
        match (self.mode(), id >> ID_BITS) {
            (Mode::Keyspace | Mode::Prefix, _) => Ok(id),
            (Mode::Table, 0) => Ok(id | self.table_tag()),
            (Mode::Table, _) => Err(KeyError::TableIdOutOfRange),
        }
    }

    /// The id as the tenant knows it; unchanged in modes that leave ids alone.
    ///
    /// # Errors
    /// [`KeyError::Foreign`] for an id with another tenant's tag.
    pub fn decode_table_id(&self, id: i64) -> Result<TableId, KeyError> {
        let tag = id >> ID_BITS << ID_BITS;
        match self.mode() {
            Mode::Keyspace | Mode::Prefix => Ok(TableId::Untagged(id)),
            Mode::Table if tag == 0 => Ok(TableId::Untagged(id)),
            Mode::Table if tag == self.table_tag() => Ok(TableId::Tagged(id & !tag)),
            Mode::Table => Err(KeyError::Foreign),
        }
    }

    fn table_tag(&self) -> i64 {
        i64::from(self.id().get()) << ID_BITS
    }
}
