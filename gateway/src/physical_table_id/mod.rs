//! The pseudo column `_tidb_tid` (column id −3): the physical table id that a coprocessor reads
//! from the key, and therefore, in `table` mode, reads with the tenant's tag.
//!
//! Going in, [`trace`] follows the column through a DAG to the columns of its answer; coming back,
//! [`rows`] takes the tag off exactly there. Where an expression would see a tagged id in a way
//! that can't be made right, the request is refused by name.
//!
//! The id comes from the key for table scans and for scans of local indexes. For a global index it
//! comes from the index's value, where ids are untagged: such ids are left as they are.

pub mod rows;
pub mod trace;

/// Column id of `_tidb_tid` in TiDB's `ColumnInfo`.
pub const COLUMN_ID: i64 = -3;

/// The ten bytes of the varint −3. A DAG that does not hold them has no such column.
pub const COLUMN_ID_VARINT: [u8; 10] = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];

/// Width of a value in TiDB's chunk encoding, by its MySQL type
/// (`pkg/util/chunk/codec.go`, `getFixedLen`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// So many bytes each.
    Fixed(usize),
    /// Offsets, then data.
    Variable,
}

impl Width {
    /// Width of a column of the MySQL protocol type `tp`.
    pub fn of_type(tp: i32) -> Width {
        match tp {
            // float
            4 => Width::Fixed(4),
            // tiny, short, long, double, longlong, int24, duration, year
            1 | 2 | 3 | 5 | 8 | 9 | 11 | 13 => Width::Fixed(8),
            // timestamp, date, datetime
            7 | 10 | 12 => Width::Fixed(8),
            // new decimal
            246 => Width::Fixed(40),
            _ => Width::Variable,
        }
    }
}

/// One column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Width in chunk encoding.
    pub width: Width,
    /// Whether the column holds physical table ids.
    pub table_id: bool,
}

/// Columns of an answer in order, known when at least one of them holds physical table ids.
pub type Columns = Vec<Column>;

#[cfg(test)]
mod tests;
