//! Edits of whole lists: bucket boundaries, packed ids; and a check of packed numbers.

use crate::{
    fault::{Fault, WalkError},
    key_map::KeyMap,
    key_map::Verdict,
    mutation::Check,
    walker::{
        check,
        descend::Spot,
        session::{Flow, Session, Walked, fault, malformed},
    },
    wire::{fields, packed_varints, put_bytes_field, put_varint},
};

impl<'s, M: KeyMap> Session<'s, '_, M> {
    /// Packed numbers are opaque, but must be numbers.
    #[inline(never)]
    pub(super) fn numbers(&mut self, spot: &mut Spot<'_, 's>) -> Walked<M> {
        let walked = check::numbers(spot.cursor, spot.wire, spot.field.wire);
        if self.is_off(Check::Numbers) {
            return Ok(Flow::Kept);
        }
        walked.map_err(|error| fault(spot.table, Some(spot.field), Fault::Malformed(error)))?;
        Ok(Flow::Kept)
    }

    /// Packed ids, each decided on its own.
    pub(super) fn packed(&mut self, spot: &mut Spot<'_, 's>) -> Walked<M> {
        let len_at = spot.cursor.pos;
        let len = spot
            .cursor
            .len()
            .map_err(|error| malformed(spot.table, error))?;
        let list = spot.cursor.slice(spot.cursor.pos, spot.cursor.pos + len);
        spot.cursor.pos += len;
        let mut numbers = std::mem::take(&mut self.walker.numbers);
        numbers.clear();
        let changed = self.ids(spot, list, &mut numbers);
        if let Ok(true) = changed {
            self.flush(len_at);
            put_varint(numbers.len() as u64, self.out);
            self.out.extend_from_slice(&numbers);
            self.skip_to(spot.cursor.pos);
        }
        self.walker.numbers = numbers;
        changed.map(|_| Flow::Kept)
    }

    fn ids(
        &mut self,
        spot: &Spot<'_, 's>,
        list: &[u8],
        numbers: &mut Vec<u8>,
    ) -> Result<bool, WalkError<M::Error>> {
        let mut changed = false;
        for old in packed_varints(list) {
            let old =
                old.map_err(|error| fault(spot.table, Some(spot.field), Fault::Malformed(error)))?;
            let new = self
                .id(spot.at(), old)
                .map_err(|error| spot.map_error(error))?;
            changed |= new != Some(old);
            match new {
                Some(new) => put_varint(new, numbers),
                None if self.is_positional(spot.table, spot.field) => {
                    return Err(fault(spot.table, Some(spot.field), Fault::Positional));
                }
                None => self.dropped += 1,
            }
        }
        Ok(changed)
    }

    /// All boundaries are decided together when the first is met; the others are then left out.
    pub(super) fn buckets(&mut self, spot: &mut Spot<'_, 's>) -> Walked<M> {
        spot.cursor
            .skip(spot.wire)
            .map_err(|error| malformed(spot.table, error))?;
        if spot.seen & spot.field.bit != 0 {
            if self.walker.keys_same {
                return Ok(Flow::Kept);
            }
            self.cut(spot.tag_at, spot.cursor.pos);
            return Ok(Flow::Kept);
        }
        let mut keys = Vec::new();
        for raw in fields(spot.cursor.slice(spot.tag_at, spot.cursor.bytes.len())) {
            let raw = raw.map_err(|error| malformed(spot.table, error))?;
            keys.extend(raw.bytes().filter(|_| raw.number == spot.field.number));
        }
        self.walker.keys.clear();
        let verdict = self.map.buckets(spot.at(), &keys, &mut self.walker.keys);
        let verdict = verdict.map_err(|error| spot.map_error(error))?;
        self.walker.keys_same = verdict == Verdict::Same;
        match verdict {
            Verdict::Same => Ok(Flow::Kept),
            Verdict::Drop => Ok(Flow::Dropped),
            Verdict::Keep => {
                self.flush(spot.tag_at);
                for key in self.walker.keys.iter() {
                    put_bytes_field(spot.field.number, key, self.out);
                }
                self.skip_to(spot.cursor.pos);
                Ok(Flow::Kept)
            }
        }
    }
}
