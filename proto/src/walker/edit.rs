//! Edits of single values: keys, names, numbers, ends of ranges, and a hook's overrides.

use crate::{
    class::{Class, Form},
    fault::{Fault, Unhandled, WalkError},
    key_map::{At, Bounds, KeyMap, Verdict},
    mutation::{self, Decision},
    walker::{
        Edit,
        descend::{Level, Spot, end_of},
        session::{Flow, Session, Walked, fault, malformed},
    },
    wire::{fields, patch_len, put_bytes_field, put_varint, put_varint_field},
};

impl<'s, M: KeyMap> Session<'s, '_, M> {
    /// A field whose value the key map decides.
    // Kept out of the loop over fields, whose stack frame it would make large.
    #[inline(never)]
    pub(super) fn edit(&mut self, spot: &mut Spot<'_, 's>, bounds: Option<&Bounds>) -> Walked<M> {
        match spot.field.class {
            Class::RawKey => self.bytes(spot, |map, at, key, out| map.key(at, Form::Raw, key, out)),
            Class::EncodedKey => self.bytes(spot, |map, at, key, out| {
                map.key(at, Form::Encoded, key, out)
            }),
            Class::EtcdKey if spot.table.range.is_none() => {
                self.bytes(spot, |map, at, key, out| map.key(at, Form::Etcd, key, out))
            }
            Class::RawStart
            | Class::RawEnd
            | Class::EncodedStart
            | Class::EncodedEnd
            | Class::EtcdKey
            | Class::EtcdRangeEnd => self.range_end(spot, bounds),
            Class::BucketKeys => self.buckets(spot),
            Class::Text => self.bytes(spot, M::text),
            Class::Address => self.bytes(spot, M::address),
            Class::ScopedName => self.bytes(spot, M::scoped_name),
            Class::TableId | Class::LeaseId | Class::RegionId if spot.wire == 2 => {
                self.packed(spot)
            }
            Class::TableId | Class::LeaseId | Class::RegionId | Class::KeyHash => self.number(spot),
            class @ (Class::Undecided
            | Class::Opaque
            | Class::Reverse
            | Class::Nested
            | Class::Forbidden) => Err(spot.map_error(M::Error::from(Unhandled::Class(class)))),
        }
    }

    /// A length-delimited value that the key map writes straight into the output.
    fn bytes(
        &mut self,
        spot: &mut Spot<'_, 's>,
        ask: impl FnOnce(&mut M, At, &[u8], &mut Vec<u8>) -> Result<Verdict, M::Error>,
    ) -> Walked<M> {
        let len_at = spot.cursor.pos;
        let len = spot
            .cursor
            .len()
            .map_err(|error| malformed(spot.table, error))?;
        let start = spot.cursor.pos;
        spot.cursor.pos += len;
        if len == 0 {
            return self.empty(spot);
        }
        let value = spot.cursor.slice(start, start + len);
        let mark = self.mark();
        self.flush(start);
        let written = self.out.len();
        let verdict =
            ask(self.map, spot.at(), value, self.out).map_err(|error| spot.map_error(error))?;
        let Some(new_len) = self.out.len().checked_sub(written) else {
            return Err(fault(spot.table, Some(spot.field), Fault::Output));
        };
        match verdict {
            Verdict::Keep => {
                if new_len != len {
                    let width = start - len_at;
                    patch_len(self.out, written - width, width, new_len);
                }
                self.skip_to(start + len);
                Ok(Flow::Kept)
            }
            Verdict::Same => {
                self.restore(mark);
                Ok(Flow::Kept)
            }
            Verdict::Drop => {
                self.restore(mark);
                self.drop_value(spot)
            }
        }
    }

    /// An empty value is no key and no name; where a key must be, it is refused.
    fn empty(&self, spot: &Spot<'_, 's>) -> Walked<M> {
        let off = || mutation::field_off(spot.table, spot.field, Decision::Required);
        if spot.field.required && !(self.mutated && off()) {
            return Err(fault(spot.table, Some(spot.field), Fault::Missing));
        }
        Ok(Flow::Kept)
    }

    /// An element of a list vanishes; anything else takes its message along.
    pub(super) fn drop_value(&mut self, spot: &Spot<'_, 's>) -> Walked<M> {
        if self.is_positional(spot.table, spot.field) {
            return Err(fault(spot.table, Some(spot.field), Fault::Positional));
        }
        if !spot.field.repeated {
            return Ok(Flow::Dropped);
        }
        self.cut(spot.tag_at, spot.cursor.pos);
        self.dropped += 1;
        Ok(Flow::Kept)
    }

    fn range_end(&mut self, spot: &mut Spot<'_, 's>, bounds: Option<&Bounds>) -> Walked<M> {
        let len_at = spot.cursor.pos;
        let len = spot
            .cursor
            .len()
            .map_err(|error| malformed(spot.table, error))?;
        let start = spot.cursor.pos;
        spot.cursor.pos += len;
        if len == 0 {
            self.empty(spot)?;
        }
        let Some(value) = bounds.and_then(|bounds| end_of(bounds, spot.field.class)) else {
            return Ok(Flow::Kept);
        };
        if value == spot.cursor.slice(start, start + len) {
            return Ok(Flow::Kept);
        }
        if value.is_empty() {
            self.cut(spot.tag_at, spot.cursor.pos);
            return Ok(Flow::Kept);
        }
        self.flush(len_at);
        put_varint(value.len() as u64, self.out);
        self.out.extend_from_slice(value);
        self.skip_to(spot.cursor.pos);
        Ok(Flow::Kept)
    }

    /// One number; signed and unsigned ids share their 64 bits on the wire.
    fn number(&mut self, spot: &mut Spot<'_, 's>) -> Walked<M> {
        let start = spot.cursor.pos;
        let old = spot
            .cursor
            .varint()
            .map_err(|error| malformed(spot.table, error))?;
        let new = match spot.field.class {
            Class::KeyHash => {
                let key = self.hashed_key(spot);
                self.map.key_hash(spot.at(), key, old).map(Some)
            }
            _ => self.id(spot.at(), old),
        };
        match new.map_err(|error| spot.map_error(error))? {
            Some(new) if new == old => Ok(Flow::Kept),
            Some(new) => {
                self.flush(start);
                put_varint(new, self.out);
                self.skip_to(spot.cursor.pos);
                Ok(Flow::Kept)
            }
            None => self.drop_value(spot),
        }
    }

    /// The id that goes out, or `None` when it must vanish.
    pub(super) fn id(&mut self, at: At, id: u64) -> Result<Option<u64>, M::Error> {
        match at.field.class {
            Class::TableId => self
                .map
                .table_id(at, id.cast_signed())
                .map(|id| Some(id.cast_unsigned())),
            Class::LeaseId => self
                .map
                .lease_id(at, id.cast_signed())
                .map(|id| Some(id.cast_unsigned())),
            _ => Ok(match self.map.region_id(at, id)? {
                Verdict::Keep | Verdict::Same => Some(id),
                Verdict::Drop => None,
            }),
        }
    }

    fn hashed_key(&self, spot: &Spot<'_, 's>) -> Option<&'s [u8]> {
        let number = spot.table.hashed_key?;
        let body = spot.cursor.slice(spot.body_at, spot.cursor.bytes.len());
        let key = fields(body)
            .filter_map(Result::ok)
            .find(|raw| raw.number == number)?;
        key.bytes()
    }

    /// A field about which a hook decided.
    #[inline(never)]
    pub(super) fn overridden(
        &mut self,
        spot: &mut Spot<'_, 's>,
        level: &Level<'_>,
        edit: Edit<'_>,
    ) -> Walked<M> {
        if let Edit::As(child) = edit {
            if spot.wire != 2 {
                return Err(fault(spot.table, Some(spot.field), Fault::WireType));
            }
            return self.descend(spot, child, level);
        }
        spot.cursor
            .skip(spot.wire)
            .map_err(|error| malformed(spot.table, error))?;
        let first = spot.seen & spot.field.bit == 0;
        match edit {
            Edit::Keep => return Ok(Flow::Kept),
            Edit::Varint(number) if first && number != 0 => {
                self.flush(spot.tag_at);
                put_varint_field(spot.field.number, number, self.out);
            }
            Edit::Bytes(bytes) if first && !bytes.is_empty() => {
                self.flush(spot.tag_at);
                put_bytes_field(spot.field.number, bytes, self.out);
            }
            Edit::Remove | Edit::Varint(_) | Edit::Bytes(_) | Edit::As(_) => {
                self.flush(spot.tag_at)
            }
        }
        self.skip_to(spot.cursor.pos);
        Ok(Flow::Kept)
    }

    /// Overrides of fields that were not on the wire.
    #[inline(never)]
    pub(super) fn add_edits(&mut self, level: &Level<'_>, seen: u64) {
        for (number, edit) in level.edits {
            if level
                .table
                .field(*number)
                .is_none_or(|field| seen & field.bit != 0)
            {
                continue;
            }
            match edit {
                Edit::Varint(value) if *value != 0 => {
                    self.flush(level.end);
                    put_varint_field(*number, *value, self.out);
                }
                Edit::Bytes(bytes) if !bytes.is_empty() => {
                    self.flush(level.end);
                    put_bytes_field(*number, bytes, self.out);
                }
                Edit::Keep | Edit::Remove | Edit::Varint(_) | Edit::Bytes(_) | Edit::As(_) => {}
            }
        }
    }
}

impl Spot<'_, '_> {
    pub(super) fn at(&self) -> At {
        At {
            message: self.table,
            field: self.field,
        }
    }

    #[cold]
    pub(super) fn map_error<E>(&self, error: E) -> WalkError<E> {
        fault(self.table, Some(self.field), Fault::Map(error))
    }
}
