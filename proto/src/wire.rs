//! Protobuf's wire format, as strictly as a gateway needs it.
//!
//! Two readers that disagree about one byte string are how a key slips through: so tags and lengths
//! must be minimal, groups do not exist, and nothing is guessed. Varint *values* may be padded
//! (old encoders do it) up to the ten bytes that every decoder accepts. Nothing here panics.

use crate::table::Wire;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end inside a field.
    #[error("ends inside a field")]
    Truncated,
    /// A tag with leading zero bits in bytes of their own.
    #[error("has a padded tag")]
    PaddedTag,
    /// A length with leading zero bits in bytes of their own.
    #[error("has a padded length")]
    PaddedLength,
    /// A varint of more than ten bytes, or above 64 bits.
    #[error("has a number that is too long")]
    LongVarint,
    /// Field number 0 or above 2^29 - 1.
    #[error("has a field number out of bounds")]
    FieldNumber,
    /// Start or end of a group.
    #[error("has a group")]
    Group,
    /// Wire types 6 and 7.
    #[error("has an undefined wire type")]
    WireType,
}

/// One field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Integers, bools, enums.
    Varint(u64),
    /// Eight bytes, little endian.
    Fixed64(u64),
    /// Bytes, text, a message or a packed list.
    Len(&'a [u8]),
    /// Four bytes, little endian.
    Fixed32(u32),
}

/// One field as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawField<'a> {
    /// Field number.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// Tag and value together, to be copied as they are.
    pub raw: &'a [u8],
    /// Where `raw` starts in the message.
    pub start: usize,
}

impl<'a> RawField<'a> {
    /// The bytes of a length-delimited value.
    #[must_use]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Len(bytes) => Some(bytes),
            Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_) => None,
        }
    }

    /// The number of a varint value.
    #[must_use]
    pub fn varint(&self) -> Option<u64> {
        match self.value {
            Value::Varint(number) => Some(number),
            Value::Len(_) | Value::Fixed64(_) | Value::Fixed32(_) => None,
        }
    }
}

/// The fields of one message in their order; ends after the first error.
#[must_use]
pub fn fields(bytes: &[u8]) -> Fields<'_> {
    Fields {
        cursor: Cursor { bytes, pos: 0 },
    }
}

/// Iterator of [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<RawField<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.done() {
            return None;
        }
        let field = self.cursor.field();
        if field.is_err() {
            self.cursor.pos = self.cursor.bytes.len();
        }
        Some(field)
    }
}

/// The values of a packed list of varints; ends after the first error.
#[must_use]
pub fn packed_varints(bytes: &[u8]) -> PackedVarints<'_> {
    PackedVarints {
        cursor: Cursor { bytes, pos: 0 },
    }
}

/// Iterator of [`packed_varints`].
#[derive(Clone, Debug)]
pub struct PackedVarints<'a> {
    cursor: Cursor<'a>,
}

impl Iterator for PackedVarints<'_> {
    type Item = Result<u64, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.done() {
            return None;
        }
        let number = self.cursor.varint();
        if number.is_err() {
            self.cursor.pos = self.cursor.bytes.len();
        }
        Some(number)
    }
}

/// A position in bytes that end where the message ends.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) pos: usize,
}

/// Field number and wire type.
pub(crate) struct Tag {
    pub(crate) number: u32,
    pub(crate) wire: u32,
}

impl<'a> Cursor<'a> {
    /// The same position, in a message that ends earlier.
    #[inline]
    pub(crate) fn until(&self, end: usize) -> Self {
        Self {
            bytes: self.bytes.get(..end).unwrap_or_default(),
            pos: self.pos,
        }
    }

    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.pos).ok_or(Malformed::Truncated)?;
        self.pos += 1;
        Ok(byte)
    }

    #[inline(always)]
    pub(crate) fn tag(&mut self) -> Result<Tag, Malformed> {
        let first = u32::from(self.byte()?);
        let tag = if first < 0x80 {
            first
        } else {
            self.long_tag(first)?
        };
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed::FieldNumber);
        }
        Ok(Tag {
            number,
            wire: tag & 7,
        })
    }

    #[inline(always)]
    fn long_tag(&mut self, first: u32) -> Result<u32, Malformed> {
        let second = u32::from(self.byte()?);
        if second.wrapping_sub(1) < 0x7f {
            return Ok((first & 0x7f) | (second << 7));
        }
        self.pos -= 1;
        self.longer_tag(first & 0x7f)
    }

    #[cold]
    fn longer_tag(&mut self, mut tag: u32) -> Result<u32, Malformed> {
        for shift in [7, 14, 21, 28] {
            let byte = u32::from(self.byte()?);
            if shift == 28 && byte > 0x0f {
                return Err(Malformed::FieldNumber);
            }
            tag |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return if byte == 0 {
                    Err(Malformed::PaddedTag)
                } else {
                    Ok(tag)
                };
            }
        }
        Err(Malformed::FieldNumber)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        self.long_varint(u64::from(first & 0x7f))
    }

    #[inline(never)]
    fn long_varint(&mut self, mut number: u64) -> Result<u64, Malformed> {
        for shift in (7..=63).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Malformed::LongVarint);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed::LongVarint)
    }

    /// A length whose bytes are all there.
    #[inline(always)]
    pub(crate) fn len(&mut self) -> Result<usize, Malformed> {
        let start = self.pos;
        let first = usize::from(self.byte()?);
        let mut len = first;
        if first >= 0x80 {
            let second = self.bytes.get(self.pos).copied().map_or(0, usize::from);
            if second.wrapping_sub(1) >= 0x7f {
                return self.long_len(start);
            }
            len = (first & 0x7f) | (second << 7);
            self.pos += 1;
        }
        if len <= self.bytes.len() - self.pos {
            return Ok(len);
        }
        self.long_len(start)
    }

    #[inline(never)]
    fn long_len(&mut self, start: usize) -> Result<usize, Malformed> {
        self.pos = start;
        let number = self.varint()?;
        if self.pos - start > 1 && number >> (7 * (self.pos - start - 1)) == 0 {
            return Err(Malformed::PaddedLength);
        }
        let left = self.bytes.len() - self.pos;
        match usize::try_from(number) {
            Ok(len) if len <= left => Ok(len),
            _ => Err(Malformed::Truncated),
        }
    }

    #[inline]
    pub(crate) fn advance(&mut self, count: usize) -> Result<(), Malformed> {
        if count > self.bytes.len() - self.pos {
            return Err(Malformed::Truncated);
        }
        self.pos += count;
        Ok(())
    }

    /// Steps over a value of the given wire type.
    #[inline]
    pub(crate) fn skip(&mut self, wire: u32) -> Result<(), Malformed> {
        match wire {
            0 => self.varint().map(|_| ()),
            2 => {
                let len = self.len()?;
                self.advance(len)
            }
            1 => self.advance(8),
            5 => self.advance(4),
            3 | 4 => Err(Malformed::Group),
            _ => Err(Malformed::WireType),
        }
    }

    /// Bytes between two positions of this cursor's past.
    #[inline]
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let start = self.pos;
        self.advance(N)?;
        <[u8; N]>::try_from(self.slice(start, self.pos)).map_err(|_| Malformed::Truncated)
    }

    #[inline]
    fn field(&mut self) -> Result<RawField<'a>, Malformed> {
        let start = self.pos;
        let tag = self.tag()?;
        let value = match tag.wire {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = self.len()?;
                let at = self.pos;
                self.pos += len;
                Value::Len(self.slice(at, self.pos))
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            3 | 4 => return Err(Malformed::Group),
            _ => return Err(Malformed::WireType),
        };
        Ok(RawField {
            number: tag.number,
            value,
            raw: self.slice(start, self.pos),
            start,
        })
    }
}

/// Bytes that a varint takes, 1 to 10.
#[inline]
#[must_use]
pub const fn varint_len(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends a varint.
#[inline]
pub fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a tag.
#[inline]
pub fn put_tag(number: u32, wire: Wire, out: &mut Vec<u8>) {
    put_varint((u64::from(number) << 3) | u64::from(wire.code()), out);
}

/// Appends a varint field, zero included.
pub fn put_varint_field(number: u32, value: u64, out: &mut Vec<u8>) {
    put_tag(number, Wire::Varint, out);
    put_varint(value, out);
}

/// Appends a length-delimited field, empty included.
pub fn put_bytes_field(number: u32, value: &[u8], out: &mut Vec<u8>) {
    put_tag(number, Wire::Len, out);
    put_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// A length-delimited field that is being written; finish it with [`Framed::close`].
#[derive(Debug)]
#[must_use = "an open field has a wrong length until it is closed"]
pub struct Framed {
    len_at: usize,
    width: usize,
}

impl Framed {
    /// Appends the tag and room for a length. A good guess saves moving the body afterwards.
    pub fn open(number: u32, guess: usize, out: &mut Vec<u8>) -> Self {
        put_tag(number, Wire::Len, out);
        let len_at = out.len();
        put_varint(guess as u64, out);
        Self {
            len_at,
            width: out.len() - len_at,
        }
    }

    /// Writes the length of everything that was appended since.
    pub fn close(self, out: &mut Vec<u8>) {
        let len = out.len().saturating_sub(self.len_at + self.width);
        patch_len(out, self.len_at, self.width, len);
    }
}

/// Overwrites the length varint of `width` bytes at `at`; moves what follows when its width changes.
#[inline]
pub(crate) fn patch_len(out: &mut Vec<u8>, at: usize, width: usize, len: usize) {
    let mut number = len as u64;
    let wanted = varint_len(number);
    if wanted != width {
        resize_gap(out, at, width, wanted);
    }
    let Some(room) = out.get_mut(at..at + wanted) else {
        return;
    };
    let last = wanted - 1;
    for (position, byte) in room.iter_mut().enumerate() {
        let more = if position == last { 0 } else { 0x80 };
        *byte = (number.to_le_bytes()[0] & 0x7f) | more;
        number >>= 7;
    }
}

#[cold]
fn resize_gap(out: &mut Vec<u8>, at: usize, width: usize, wanted: usize) {
    let end = (at + width).min(out.len());
    let zeros = [0_u8; 10];
    out.splice(at.min(end)..end, zeros.iter().copied().take(wanted));
}
