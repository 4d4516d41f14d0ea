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

fn sound(cursor: &mut Cursor<'_>, table: &'static Message, depth: u32) -> bool {
    if depth > MAX_DEPTH || table.required != 0 {
        return false;
    }
    let mut seen = 0_u64;
    while !cursor.done() {
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
    true
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
        Wire::Varint => packed_varints(list).try_for_each(|number| number.map(|_| ())),
        Wire::Fixed64 if list.len().is_multiple_of(8) => Ok(()),
        Wire::Fixed32 if list.len().is_multiple_of(4) => Ok(()),
        Wire::Fixed64 | Wire::Fixed32 | Wire::Len => Err(Malformed::Truncated),
    }
}
