//! The loop over a message's fields: strictness first, then what the row says.

use crate::{
    class::Class,
    fault::{Fault, WalkError},
    key_map::{At, Bounds, KeyMap, Range, Unknown, Verdict},
    mutation::{self, Check, Decision},
    table::{Field, Message, RangeFields, Step},
    walker::{
        Edit, MAX_DEPTH, check,
        session::{Flow, Mark, Session, Walked, fault, malformed},
    },
    wire::{Cursor, Malformed, Tag, Value, fields, put_bytes_field},
};

/// A message that is about to be walked.
pub(super) struct Level<'e> {
    pub(super) table: &'static Message,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) depth: u32,
    /// Some element of a list around it may vanish.
    pub(super) listed: bool,
    /// A hook's will for fields of this message.
    pub(super) edits: &'e [(u32, Edit<'e>)],
}

/// A field of the message, its tag read.
pub(super) struct Spot<'c, 's> {
    pub(super) table: &'static Message,
    pub(super) field: &'static Field,
    pub(super) tag_at: usize,
    pub(super) wire: u32,
    pub(super) cursor: &'c mut Cursor<'s>,
    /// Fields that came before this one.
    pub(super) seen: u64,
    /// Where the message starts.
    pub(super) body_at: usize,
}

impl<'s, M: KeyMap> Session<'s, '_, M> {
    /// Walks the body of one message.
    #[inline]
    pub(super) fn message(&mut self, level: &Level<'_>) -> Walked<M> {
        if level.depth > MAX_DEPTH && !self.is_off(Check::Depth) {
            return Err(fault(level.table, None, Fault::TooDeep));
        }
        match &level.table.range {
            Some(range) => self.ranged(level, range),
            None => self.fields(level, None),
        }
    }

    #[inline(never)]
    fn ranged(&mut self, level: &Level<'_>, range: &RangeFields) -> Walked<M> {
        let mut bounds = self.walker.bounds.pop().unwrap_or_default();
        let flow = match self.bounds(level, range, &mut bounds) {
            Ok(Verdict::Drop) => Ok(Flow::Dropped),
            Ok(Verdict::Same) => self.fields(level, None),
            Ok(Verdict::Keep) => self.fields(level, Some(&bounds)),
            Err(error) => Err(error),
        };
        self.walker.bounds.push(bounds);
        flow
    }

    #[inline(never)]
    fn fields(&mut self, level: &Level<'_>, bounds: Option<&Bounds>) -> Walked<M> {
        let table = level.table;
        let mut cursor = self.cursor(level.start, level.end);
        let mut seen = 0_u64;
        loop {
            if level.edits.is_empty() {
                (cursor.pos, seen) = check::skim(cursor.bytes, cursor.pos, table, seen);
            }
            if cursor.done() {
                break;
            }
            let tag_at = cursor.pos;
            let tag = cursor.tag().map_err(|error| malformed(table, error))?;
            let Some(field) = table.field(tag.number) else {
                self.unknown(table, &tag, tag_at, &mut cursor)?;
                continue;
            };
            if tag.wire != field.wire.code() && !(tag.wire == 2 && field.packed_ok) {
                self.wrong_wire(table, field, &tag)?;
                cursor
                    .skip(tag.wire)
                    .map_err(|error| malformed(table, error))?;
                continue;
            }
            if seen & field.exclusive != 0 {
                self.twice(table, field, seen)?;
            }
            let mut spot = Spot {
                table,
                field,
                tag_at,
                wire: tag.wire,
                cursor: &mut cursor,
                seen,
                body_at: level.start,
            };
            seen |= field.bit;
            if self.field(&mut spot, level, bounds)? == Flow::Dropped {
                return Ok(Flow::Dropped);
            }
        }
        if table.required & !seen != 0 {
            self.missing(table, seen)?;
        }
        if let (Some(range), Some(bounds)) = (&table.range, bounds) {
            self.add_bounds(level, range, bounds, seen);
        }
        if !level.edits.is_empty() {
            self.add_edits(level, seen);
        }
        Ok(Flow::Kept)
    }

    #[inline(always)]
    fn field(
        &mut self,
        spot: &mut Spot<'_, 's>,
        level: &Level<'_>,
        bounds: Option<&Bounds>,
    ) -> Walked<M> {
        let field = spot.field;
        if !level.edits.is_empty()
            && let Some((_, edit)) = level
                .edits
                .iter()
                .find(|(number, _)| *number == field.number)
        {
            return self.overridden(spot, level, *edit);
        }
        if self.mutated && mutation::field_off(spot.table, field, Decision::Value) {
            return self.copy(spot);
        }
        match field.step {
            Step::Copy => self.copy(spot),
            Step::Numbers => self.numbers(spot),
            Step::Check if check::passes(spot, level.depth) => Ok(Flow::Kept),
            Step::Check | Step::Descend => match field.child {
                Some(child) => self.descend(spot, child, level),
                None => self.copy(spot),
            },
            Step::Edit => self.edit(spot, bounds),
            Step::Forbid => Err(fault(
                spot.table,
                Some(field),
                Fault::Forbidden { why: field.why },
            )),
        }
    }

    fn copy(&mut self, spot: &mut Spot<'_, 's>) -> Walked<M> {
        spot.cursor
            .skip(spot.wire)
            .map_err(|error| malformed(spot.table, error))?;
        Ok(Flow::Kept)
    }

    /// Walks into a message field; decides what a drop beneath takes with it.
    pub(super) fn descend(
        &mut self,
        spot: &mut Spot<'_, 's>,
        child: &'static Message,
        level: &Level<'_>,
    ) -> Walked<M> {
        let field = spot.field;
        let mark = self.mark();
        let len_at = spot.cursor.pos;
        let len = spot
            .cursor
            .len()
            .map_err(|error| malformed(spot.table, error))?;
        let start = spot.cursor.pos;
        let end = start + len;
        spot.cursor.pos = end;
        self.enter(len_at, start, len);
        let positional = self.is_positional(spot.table, field);
        let listed = if field.repeated {
            !positional
        } else {
            level.listed
        };
        let inner = Level {
            table: child,
            start,
            end,
            depth: level.depth + 1,
            listed,
            edits: &[],
        };
        let flow = match self.wanted_hook(child) {
            Some(hook) => self.hook(&inner, hook)?,
            None => self.message(&inner)?,
        };
        if flow == Flow::Kept {
            self.leave(end);
            return Ok(Flow::Kept);
        }
        if positional {
            return Err(fault(spot.table, Some(field), Fault::Positional));
        }
        if !field.repeated && level.listed {
            return Ok(Flow::Dropped);
        }
        self.leave_out(mark, spot.tag_at, end);
        Ok(Flow::Kept)
    }

    /// Takes back what was written of a field since `mark`, and the field itself.
    pub(super) fn leave_out(&mut self, mark: Mark, tag_at: usize, end: usize) {
        self.restore(mark);
        self.cut(tag_at, end);
        self.dropped += 1;
    }

    #[cold]
    fn unknown(
        &mut self,
        table: &'static Message,
        tag: &Tag,
        tag_at: usize,
        cursor: &mut Cursor<'s>,
    ) -> Result<(), WalkError<M::Error>> {
        cursor
            .skip(tag.wire)
            .map_err(|error| malformed(table, error))?;
        if self.is_off(Check::Unknown) {
            return Ok(());
        }
        match self.map.unknown(table, tag.number) {
            Unknown::Refuse => Err(WalkError {
                message: table.name,
                field: "",
                number: tag.number,
                fault: Fault::Unknown,
            }),
            Unknown::Strip => {
                self.cut(tag_at, cursor.pos);
                self.stripped += 1;
                Ok(())
            }
            Unknown::Pass => Ok(()),
        }
    }

    /// Looks the range up and asks the key map, before anything of the message is walked.
    fn bounds(
        &mut self,
        level: &Level<'_>,
        range: &RangeFields,
        bounds: &mut Bounds,
    ) -> Result<Verdict, WalkError<M::Error>> {
        let table = level.table;
        let Some(field) = table.field(range.start) else {
            return Ok(Verdict::Same);
        };
        let mut asked = Range {
            form: range.form,
            reverse: false,
            start: &[],
            end: &[],
        };
        for raw in fields(self.src.get(level.start..level.end).unwrap_or_default()) {
            let raw = raw.map_err(|error| malformed(table, error))?;
            match raw.value {
                Value::Len(bytes) if raw.number == range.start => asked.start = bytes,
                Value::Len(bytes) if raw.number == range.end => asked.end = bytes,
                Value::Varint(flag) if Some(raw.number) == range.reverse => {
                    asked.reverse = flag != 0 && self.may_turn(table, raw.number)
                }
                _ => {}
            }
        }
        bounds.start.clear();
        bounds.end.clear();
        let verdict = self.map.range(
            At {
                message: table,
                field,
            },
            asked,
            bounds,
        );
        let verdict = verdict.map_err(|error| fault(table, Some(field), Fault::Map(error)))?;
        if self.mutated {
            mutation::keep_ends_of_disabled_rows(table, range, asked, bounds);
        }
        Ok(verdict)
    }

    /// Ends that were not on the wire go to the end of the message.
    #[inline(never)]
    fn add_bounds(&mut self, level: &Level<'_>, range: &RangeFields, bounds: &Bounds, seen: u64) {
        for (number, value) in [(range.start, &bounds.start), (range.end, &bounds.end)] {
            let absent = level
                .table
                .field(number)
                .is_some_and(|field| seen & field.bit == 0);
            if absent && !value.is_empty() {
                self.flush(level.end);
                put_bytes_field(number, value, self.out);
            }
        }
    }
}

/// Which class carries which end.
pub(super) fn end_of(bounds: &Bounds, class: Class) -> Option<&[u8]> {
    match class {
        Class::RawStart | Class::EncodedStart | Class::EtcdKey => Some(&bounds.start),
        Class::RawEnd | Class::EncodedEnd | Class::EtcdRangeEnd => Some(&bounds.end),
        _ => None,
    }
}

/// Refusals, which a mutation run may switch off.
impl<M: KeyMap> Session<'_, '_, M> {
    #[inline]
    pub(super) fn is_off(&self, check: Check) -> bool {
        self.mutated && mutation::check_off(check)
    }

    #[inline]
    pub(super) fn is_positional(&self, table: &'static Message, field: &'static Field) -> bool {
        let off = || self.mutated && mutation::field_off(table, field, Decision::Positional);
        field.positional && !off()
    }

    fn may_turn(&self, table: &'static Message, reverse: u32) -> bool {
        let off = |field| mutation::field_off(table, field, Decision::Value);
        !self.mutated || !table.field(reverse).is_some_and(off)
    }

    #[cold]
    fn wrong_wire(
        &self,
        table: &'static Message,
        field: &'static Field,
        tag: &Tag,
    ) -> Result<(), WalkError<M::Error>> {
        let kind = match tag.wire {
            3 | 4 => Fault::Malformed(Malformed::Group),
            6 | 7 => Fault::Malformed(Malformed::WireType),
            _ if self.is_off(Check::WireType) => return Ok(()),
            _ => Fault::WireType,
        };
        Err(fault(table, Some(field), kind))
    }

    #[cold]
    fn twice(
        &self,
        table: &'static Message,
        field: &'static Field,
        seen: u64,
    ) -> Result<(), WalkError<M::Error>> {
        let (check, kind) = if seen & field.bit != 0 {
            (Check::Repeated, Fault::Repeated)
        } else {
            (Check::SecondMember, Fault::SecondMember)
        };
        if self.is_off(check) {
            return Ok(());
        }
        Err(fault(table, Some(field), kind))
    }

    #[cold]
    fn missing(&self, table: &'static Message, seen: u64) -> Result<(), WalkError<M::Error>> {
        let required = if self.mutated {
            mutation::required(table)
        } else {
            table.required
        };
        let absent = required & !seen;
        let field = table.fields.iter().find(|field| field.bit & absent != 0);
        match field {
            None => Ok(()),
            Some(field) => Err(fault(table, Some(field), Fault::Missing)),
        }
    }
}
