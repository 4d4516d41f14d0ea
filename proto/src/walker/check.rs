//! A quick look at messages in which nothing is ever edited.
//!
//! Most of a request is its context, and most of that is epochs and peers. This look answers one
//! question, whether such a message is beyond reproach, and keeps no record for edits. Where it
//! says no, the ordinary walk goes over the same bytes and says why, or strips what is unknown; so
//! it must never say yes where that walk would find anything.

use crate::{
    table::{Message, Step, Wire},
    walker::{MAX_DEPTH, descend::Spot},
    wire::{Cursor, Malformed, packed_varints},
};

/// Steps over the message field if there is nothing to say about it.
#[inline]
pub(super) fn passes(spot: &mut Spot<'_, '_>, depth: u32) -> bool {
    let Some(child) = spot.field.child else {
        return false;
    };
    let before = spot.cursor.pos;
    if enter(spot.cursor, child, depth + 1) {
        return true;
    }
    spot.cursor.pos = before;
    false
}

/// Whether the length-delimited message at the cursor is sound; the cursor is then behind it.
fn enter(cursor: &mut Cursor<'_>, table: &'static Message, depth: u32) -> bool {
    let Ok(len) = cursor.len() else { return false };
    let end = cursor.pos + len;
    let mut inner = cursor.until(end);
    if !sound(&mut inner, table, depth) {
        return false;
    }
    cursor.pos = end;
    true
}

/// Steps over fields that are merely passed on, as long as nothing about them is unusual; returns
/// where it stopped and what was seen by then.
///
/// Positions stay in registers here, which is most of the walker's speed: so nothing is called that
/// takes the cursor along, and every rarity (long tags and lengths, padded numbers, faults) is left
/// to the ordinary walk.
#[inline]
pub(super) fn skim(
    bytes: &[u8],
    mut pos: usize,
    table: &'static Message,
    mut seen: u64,
) -> (usize, u64) {
    while let Some((tag, value_at)) = short_tag(bytes, pos) {
        let Some(field) = table.field(tag >> 3) else {
            break;
        };
        let plain = field.step == Step::Copy && tag & 7 == field.wire.code();
        if !plain || seen & field.exclusive != 0 {
            break;
        }
        let end = match field.wire {
            Wire::Varint => varint_end(bytes, value_at),
            Wire::Len => len_end(bytes, value_at),
            Wire::Fixed64 => Some(value_at + 8),
            Wire::Fixed32 => Some(value_at + 4),
        };
        match end {
            Some(end) if end <= bytes.len() => pos = end,
            _ => break,
        }
        seen |= field.bit;
    }
    (pos, seen)
}

/// A minimal tag of one or two bytes, and where its value starts.
#[inline(always)]
fn short_tag(bytes: &[u8], pos: usize) -> Option<(u32, usize)> {
    let first = u32::from(*bytes.get(pos)?);
    if first < 0x80 {
        return Some((first, pos + 1));
    }
    let second = u32::from(*bytes.get(pos + 1)?);
    let minimal = second.wrapping_sub(1) < 0x7f;
    minimal.then_some(((first & 0x7f) | (second << 7), pos + 2))
}

/// The end of a varint of up to nine bytes: eight at a look, since most numbers are long ones.
#[inline(always)]
fn varint_end(bytes: &[u8], pos: usize) -> Option<usize> {
    let rest = bytes.get(pos..)?;
    let Some(word) = rest.first_chunk::<8>() else {
        return (*rest.first()? < 0x80).then_some(pos + 1);
    };
    let ends = !u64::from_le_bytes(*word) & 0x8080_8080_8080_8080;
    if ends != 0 {
        return Some(pos + (ends.trailing_zeros() / 8) as usize + 1);
    }
    // Timestamps take nine bytes.
    (*rest.get(8)? < 0x80).then_some(pos + 9)
}

/// The end of a value whose minimal length takes one or two bytes; may lie beyond the message.
#[inline(always)]
fn len_end(bytes: &[u8], pos: usize) -> Option<usize> {
    let (len, start) = short_tag(bytes, pos)?;
    Some(start + len as usize)
}

fn sound(cursor: &mut Cursor<'_>, table: &'static Message, depth: u32) -> bool {
    if depth > MAX_DEPTH || table.required != 0 {
        return false;
    }
    let mut seen = 0_u64;
    loop {
        (cursor.pos, seen) = skim(cursor.bytes, cursor.pos, table, seen);
        if cursor.done() {
            return true;
        }
        let Ok(tag) = cursor.tag() else { return false };
        let Some(field) = table.field(tag.number) else {
            return false;
        };
        if tag.wire != field.wire.code() && !(tag.wire == 2 && field.packed_ok) {
            return false;
        }
        if seen & field.exclusive != 0 {
            return false;
        }
        seen |= field.bit;
        let fine = match field.step {
            Step::Copy => cursor.skip(tag.wire).is_ok(),
            Step::Numbers => numbers(cursor, tag.wire, field.wire).is_ok(),
            Step::Check => field
                .child
                .is_some_and(|child| enter(cursor, child, depth + 1)),
            Step::Descend | Step::Edit | Step::Forbid => false,
        };
        if !fine {
            return false;
        }
    }
}

/// Steps over one number, or over a packed list whose every number is one.
pub(super) fn numbers(cursor: &mut Cursor<'_>, came: u32, wire: Wire) -> Result<(), Malformed> {
    if came != 2 {
        return cursor.skip(came);
    }
    let len = cursor.len()?;
    let start = cursor.pos;
    cursor.pos += len;
    let list = cursor.slice(start, cursor.pos);
    match wire {
        Wire::Varint => packed(list),
        Wire::Fixed64 if list.len().is_multiple_of(8) => Ok(()),
        Wire::Fixed32 if list.len().is_multiple_of(4) => Ok(()),
        Wire::Fixed64 | Wire::Fixed32 | Wire::Len => Err(Malformed::Truncated),
    }
}

fn packed(list: &[u8]) -> Result<(), Malformed> {
    let mut pos = 0;
    while let Some(end) = varint_end(list, pos) {
        pos = end;
    }
    // Whatever is left is the end of the list, or unusual.
    let left = list.get(pos..).unwrap_or_default();
    packed_varints(left).try_for_each(|number| number.map(|_| ()))
}
