//! Takes the tenant's tag off the physical table ids in a coprocessor's rows.
//!
//! Rows come in one of two encodings (tipb `EncodeType`):
//!
//! ```text
//! chunk    per column: length u32 | null count u32 | null bitmap (when nulls) |
//!          offsets i64 × (length+1) (variable width) | data           all little endian
//! default  per value: flag byte | value as TiDB's codec writes datums
//! ```
//!
//! In chunk encoding an id is 8 bytes and is patched in place; in datum encoding it may be a
//! varint, and the row gets shorter.

use mesh_keyspace::{KeyError, Keyspace};

use super::{Column, Width};

/// Rows that don't have the shape that the request asked for.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The encoding ends early or holds what it must not.
    #[error("coprocessor rows are malformed: {0}")]
    Malformed(&'static str),
    /// An id with the tag of another tenant.
    #[error("coprocessor rows hold a foreign table id: {0}")]
    Key(#[from] KeyError),
}

const SHORT: RowsError = RowsError::Malformed("they end early");

/// Patches one buffer of chunk-encoded rows in place.
///
/// # Errors
/// [`RowsError`]; the buffer may then be half patched and must not be used.
pub fn patch_chunk(
    data: &mut [u8],
    columns: &[Column],
    keyspace: &Keyspace,
) -> Result<(), RowsError> {
    let mut at = 0;
    while at < data.len() {
        for column in columns {
            at = patch_column(data, at, column, keyspace)?;
        }
    }
    Ok(())
}

fn patch_column(
    data: &mut [u8],
    at: usize,
    column: &Column,
    keyspace: &Keyspace,
) -> Result<usize, RowsError> {
    let length = read_u32(data, at)?;
    let nulls = read_u32(data, at + 4)?;
    let mut at = at + 8;
    if nulls > 0 {
        at += length.div_ceil(8);
    }
    let bytes = match column.width {
        Width::Fixed(width) => length.checked_mul(width).ok_or(SHORT)?,
        Width::Variable => {
            let last = at + length.checked_mul(8).ok_or(SHORT)?;
            let end = read_u64(data, last)?;
            at = last + 8;
            usize::try_from(end).map_err(|_| SHORT)?
        }
    };
    let end = at
        .checked_add(bytes)
        .filter(|end| *end <= data.len())
        .ok_or(SHORT)?;
    if column.table_id {
        let values = data.get_mut(at..end).ok_or(SHORT)?;
        patch_ids(values, keyspace)?;
    }
    Ok(end)
}

fn patch_ids(values: &mut [u8], keyspace: &Keyspace) -> Result<(), RowsError> {
    for value in values.as_chunks_mut::<8>().0 {
        *value = keyspace
            .decode_table_id(i64::from_le_bytes(*value))?
            .get()
            .to_le_bytes();
    }
    Ok(())
}

fn read_u32(data: &[u8], at: usize) -> Result<usize, RowsError> {
    let bytes = data
        .get(at..)
        .and_then(|rest| rest.first_chunk::<4>())
        .ok_or(SHORT)?;
    Ok(u32::from_le_bytes(*bytes) as usize)
}

fn read_u64(data: &[u8], at: usize) -> Result<u64, RowsError> {
    let bytes = data
        .get(at..)
        .and_then(|rest| rest.first_chunk::<8>())
        .ok_or(SHORT)?;
    Ok(u64::from_le_bytes(*bytes))
}

/// Rewrites one buffer of datum-encoded rows into `out`.
///
/// # Errors
/// [`RowsError`].
pub fn patch_datums(
    data: &[u8],
    columns: &[Column],
    keyspace: &Keyspace,
    out: &mut Vec<u8>,
) -> Result<(), RowsError> {
    let mut rest = data;
    while !rest.is_empty() {
        for column in columns {
            let size = datum_size(rest)?;
            let (datum, after) = rest.split_at_checked(size).ok_or(SHORT)?;
            if column.table_id {
                patch_datum(datum, keyspace, out)?;
            } else {
                out.extend_from_slice(datum);
            }
            rest = after;
        }
    }
    Ok(())
}

/// Flags of TiDB's datum codec (`pkg/util/codec/codec.go`).
mod flag {
    pub(super) const NIL: u8 = 0;
    pub(super) const BYTES: u8 = 1;
    pub(super) const COMPACT_BYTES: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const UINT: u8 = 4;
    pub(super) const FLOAT: u8 = 5;
    pub(super) const DECIMAL: u8 = 6;
    pub(super) const DURATION: u8 = 7;
    pub(super) const VARINT: u8 = 8;
    pub(super) const UVARINT: u8 = 9;
}

const SIGN: u64 = 1 << 63;

fn patch_datum(datum: &[u8], keyspace: &Keyspace, out: &mut Vec<u8>) -> Result<(), RowsError> {
    let (flag, value) = datum.split_first().ok_or(SHORT)?;
    match *flag {
        flag::NIL => out.extend_from_slice(datum),
        flag::INT => {
            let bytes = value.first_chunk::<8>().ok_or(SHORT)?;
            let id = (u64::from_be_bytes(*bytes) ^ SIGN) as i64;
            let id = keyspace.decode_table_id(id)?.get() as u64 ^ SIGN;
            out.push(flag::INT);
            out.extend_from_slice(&id.to_be_bytes());
        }
        flag::VARINT => {
            let (zigzag, _) = read_uvarint(value)?;
            let id = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
            let id = keyspace.decode_table_id(id)?.get();
            out.push(flag::VARINT);
            write_uvarint(((id << 1) ^ (id >> 63)) as u64, out);
        }
        _ => return Err(RowsError::Malformed("a table id is not an integer")),
    }
    Ok(())
}

/// Size of the datum at the head of `data`, flag included.
fn datum_size(data: &[u8]) -> Result<usize, RowsError> {
    let (flag, value) = data.split_first().ok_or(SHORT)?;
    let size = match *flag {
        flag::NIL => 0,
        flag::INT | flag::UINT | flag::FLOAT | flag::DURATION => 8,
        flag::VARINT | flag::UVARINT => read_uvarint(value)?.1,
        flag::COMPACT_BYTES => {
            let (zigzag, head) = read_uvarint(value)?;
            let length = usize::try_from(zigzag >> 1).map_err(|_| SHORT)?;
            head.checked_add(length).ok_or(SHORT)?
        }
        flag::BYTES => memcomparable_size(value)?,
        flag::DECIMAL => decimal_size(value)?,
        // JSON and vectors: their sizes need their own formats; no plan mixes them with
        // `_tidb_tid` in this encoding, as chunk encoding covers them.
        _ => return Err(RowsError::Malformed("a datum of unknown kind")),
    };
    Ok(1 + size)
}

fn memcomparable_size(value: &[u8]) -> Result<usize, RowsError> {
    let mut size = 0;
    loop {
        let marker = *value.get(size + 8).ok_or(SHORT)?;
        size += 9;
        if marker != 0xff {
            return Ok(size);
        }
    }
}

/// Bytes that a decimal's digits take, by count of digits beyond the last full word of nine.
const DIGIT_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

fn decimal_size(value: &[u8]) -> Result<usize, RowsError> {
    let precision = usize::from(*value.first().ok_or(SHORT)?);
    let fraction = usize::from(*value.get(1).ok_or(SHORT)?);
    let whole = precision
        .checked_sub(fraction)
        .ok_or(RowsError::Malformed("a decimal"))?;
    Ok(2 + digits_size(whole) + digits_size(fraction))
}

fn digits_size(digits: usize) -> usize {
    digits / 9 * 4 + DIGIT_BYTES.get(digits % 9).copied().unwrap_or(0)
}

fn read_uvarint(data: &[u8]) -> Result<(u64, usize), RowsError> {
    let mut value = 0u64;
    for (index, byte) in data.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index as u32);
        if byte & 0x80 == 0 {
            return Ok((value, index + 1));
        }
    }
    Err(SHORT)
}

fn write_uvarint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
