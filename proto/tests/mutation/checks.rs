//! The checks that must notice a row's loss. Each answers `Err` with what is wrong.

use std::collections::VecDeque;

use mesh_proto::{
    At, Bounds, Class, Field, Form, Hook, KeyList, KeyMap, Message, Nested, Range, RawField, Step,
    Unhandled, Unknown, Value, Verdict, WalkError, Wire, fields,
    mutation::Check,
    rewrite, tables,
    wire::{packed_varints, put_bytes_field, put_tag, put_varint, put_varint_field},
};

use crate::{
    corpus::{Aim, Values, populated, walked},
    model::{Model, Never, Refused, expected},
};

/// Values that are all different.
#[derive(Default)]
pub struct Distinct(u64);

impl Values for Distinct {
    fn bytes(&mut self, _: &'static Message, _: &'static Field) -> Vec<u8> {
        self.0 += 1;
        format!("v{}", self.0).into_bytes()
    }

    fn number(&mut self, _: &'static Message, _: &'static Field) -> u64 {
        self.0 += 1;
        self.0
    }
}

type Checked = Result<(), String>;

/// Everything that can be checked about one message.
pub fn message(table: &'static Message) -> Checked {
    as_the_model_says(table, Aim::default())?;
    for field in table.fields {
        let alternative = field.oneof.is_some() || field.step == Step::Forbid;
        if alternative {
            as_the_model_says(table, aim_at(field))?;
        }
        if field.required {
            refuses_without(table, field.number)?;
        }
        if field.positional {
            keeps_count(table, field)?;
        }
        if field.class == Class::Nested {
            looks_into(table, field)?;
        }
    }
    Ok(())
}

fn aim_at(field: &'static Field) -> Aim<'static> {
    Aim {
        path: &[],
        field: Some(field),
    }
}

fn as_the_model_says(table: &'static Message, aim: Aim<'_>) -> Checked {
    let bytes = populated(table, aim, &mut Distinct::default());
    let (mut walked, mut modelled) = (Model::default(), Model::default());
    let mut out = Vec::new();
    let got = rewrite(table, &bytes, &mut walked, &mut out);
    let got = got.map(|_| out).map_err(|_| Refused);
    let want = expected(table, &bytes, &mut modelled);
    if got != want {
        return Err(format!("{} comes out otherwise", table.name));
    }
    if walked.regions != modelled.regions {
        return Err(format!("{}: other region ids are asked about", table.name));
    }
    Ok(())
}

fn refuses_without(table: &'static Message, number: u32) -> Checked {
    let whole = populated(table, Aim::default(), &mut Distinct::default());
    let row = table.field(number).unwrap();
    let (mut absent, mut empty) = (Vec::new(), Vec::new());
    for field in fields(&whole).map(Result::unwrap) {
        if field.number == number {
            put_bytes_field(number, &[], &mut empty);
        } else {
            absent.extend_from_slice(field.raw);
            empty.extend_from_slice(field.raw);
        }
    }
    let accepts =
        |bytes: &[u8]| rewrite(table, bytes, &mut Model::default(), &mut Vec::new()).is_ok();
    if accepts(&empty) || (!row.repeated && accepts(&absent)) {
        return Err(format!("{}.{} may be missing", table.name, row.name));
    }
    Ok(())
}

/// No element of a positional list vanishes when everything beneath it is foreign.
fn keeps_count(table: &'static Message, field: &'static Field) -> Checked {
    let path = [field];
    let aims: Vec<Aim<'_>> = match walked(field) {
        None => vec![aim_at(field)],
        Some(child) => child
            .fields
            .iter()
            .map(|inner| Aim {
                path: &path,
                field: Some(inner),
            })
            .collect(),
    };
    for aim in aims {
        let bytes = populated(table, aim, &mut OwnAbove(table, field));
        // Other messages beside the list would fall to their own foreign values first.
        let beside = |raw: &RawField<'_>| {
            raw.number != field.number
                && table
                    .field(raw.number)
                    .is_some_and(|row| walked(row).is_some())
        };
        let list = fields(&bytes)
            .map(Result::unwrap)
            .filter(|raw| !beside(raw));
        let bytes: Vec<u8> = list.flat_map(|raw| raw.raw.to_vec()).collect();
        let mut out = Vec::new();
        let outcome = rewrite(table, &bytes, &mut Foreign, &mut out);
        let whole = outcome.is_ok_and(|outcome| !outcome.dropped_whole);
        if whole && elements(field, &out) != elements(field, &bytes) {
            return Err(format!("{}.{} lost an element", table.name, field.name));
        }
    }
    Ok(())
}

fn elements(field: &'static Field, bytes: &[u8]) -> usize {
    let came = fields(bytes)
        .flatten()
        .filter(|raw| raw.number == field.number);
    came.map(|raw| match raw.value {
        Value::Len(list) if field.packed_ok => packed_varints(list).count(),
        _ => 1,
    })
    .sum()
}

const FOREIGN: &[u8] = b"foreign";
const FOREIGN_ID: u64 = 666;

/// The message's own fields hold the tenant's, the list in question and all beneath somebody else's.
struct OwnAbove(&'static Message, &'static Field);

impl OwnAbove {
    fn is_own(&self, message: &'static Message, field: &'static Field) -> bool {
        message == self.0 && field != self.1
    }
}

impl Values for OwnAbove {
    fn bytes(&mut self, message: &'static Message, field: &'static Field) -> Vec<u8> {
        let own: &[u8] = b"own";
        if self.is_own(message, field) {
            own
        } else {
            FOREIGN
        }
        .to_vec()
    }

    fn number(&mut self, message: &'static Message, field: &'static Field) -> u64 {
        if self.is_own(message, field) {
            1
        } else {
            FOREIGN_ID
        }
    }
}

/// A message beneath bytes must be looked into, down to the nearest value that is edited.
fn looks_into(table: &'static Message, field: &'static Field) -> Checked {
    let Some(way) = nearest_edit(field) else {
        return Err(format!(
            "{}.{}: nothing beneath is edited",
            table.name, field.name
        ));
    };
    let (path, edited) = (&way[..way.len() - 1], way[way.len() - 1]);
    as_the_model_says(
        table,
        Aim {
            path,
            field: Some(edited),
        },
    )
}

fn nearest_edit(field: &'static Field) -> Option<Vec<&'static Field>> {
    let mut ways: VecDeque<Vec<&'static Field>> = [vec![field]].into();
    let mut seen: Vec<&'static Message> = Vec::new();
    while let Some(way) = ways.pop_front() {
        let Some(child) = walked(way[way.len() - 1]) else {
            continue;
        };
        if seen.contains(&child) {
            continue;
        }
        seen.push(child);
        for inner in child.fields {
            let longer: Vec<&'static Field> = way.iter().copied().chain([inner]).collect();
            if inner.step == Step::Edit {
                return Some(longer);
            }
            ways.push_back(longer);
        }
    }
    None
}

/// Leaves out whatever is somebody else's.
struct Foreign;

fn judged(key: &[u8]) -> Verdict {
    if key == FOREIGN {
        Verdict::Drop
    } else {
        Verdict::Same
    }
}

impl KeyMap for Foreign {
    type Error = Never;

    fn key(&mut self, _: At, _: Form, key: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Never> {
        Ok(judged(key))
    }

    fn range(&mut self, _: At, range: Range<'_>, _: &mut Bounds) -> Result<Verdict, Never> {
        Ok(judged(range.start))
    }

    fn buckets(&mut self, _: At, keys: &[&[u8]], _: &mut KeyList) -> Result<Verdict, Never> {
        Ok(keys.first().map_or(Verdict::Same, |key| judged(key)))
    }

    fn text(&mut self, _: At, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Never> {
        Ok(Verdict::Same)
    }

    fn address(&mut self, _: At, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Never> {
        Ok(Verdict::Same)
    }

    fn scoped_name(&mut self, _: At, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Never> {
        Ok(Verdict::Same)
    }

    fn table_id(&mut self, _: At, id: i64) -> Result<i64, Never> {
        Ok(id)
    }

    fn lease_id(&mut self, _: At, id: i64) -> Result<i64, Never> {
        Ok(id)
    }

    fn region_id(&mut self, _: At, id: u64) -> Result<Verdict, Never> {
        Ok(if id == FOREIGN_ID {
            Verdict::Drop
        } else {
            Verdict::Same
        })
    }

    fn key_hash(&mut self, _: At, _: Option<&[u8]>, hash: u64) -> Result<u64, Never> {
        Ok(hash)
    }

    fn hook(
        &mut self,
        _: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<Never>> {
        nested.rewrite(body, self, out)
    }
}

/// What the walker demands of every message, whatever its table says.
pub fn demand(check: Check) -> Checked {
    let (table, bytes) = violation(check);
    let table = tables::message(table).unwrap();
    let mut map = Strict;
    match rewrite(table, &bytes, &mut map, &mut Vec::new()) {
        Ok(_) => Err(format!("{check:?} is not demanded")),
        Err(_) => Ok(()),
    }
}

fn violation(check: Check) -> (&'static str, Vec<u8>) {
    let mut bytes = Vec::new();
    let table = match check {
        Check::Repeated => {
            put_varint_field(1, 1, &mut bytes);
            put_varint_field(1, 1, &mut bytes);
            "mesh.specimen.Context"
        }
        Check::SecondMember => {
            put_bytes_field(4, b"k", &mut bytes);
            put_varint_field(255, 1, &mut bytes);
            "mesh.specimen.Envelope.Command"
        }
        Check::WireType => {
            put_varint_field(5, 1, &mut bytes);
            "mesh.specimen.Context"
        }
        Check::Unknown => {
            put_varint_field(4000, 1, &mut bytes);
            "mesh.specimen.Context"
        }
        Check::Numbers => {
            put_bytes_field(4, &[0x80], &mut bytes);
            "mesh.specimen.Context"
        }
        Check::Depth => {
            for _ in 0..=mesh_proto::MAX_DEPTH {
                let mut outer = Vec::new();
                put_tag(5, Wire::Len, &mut outer);
                put_varint(bytes.len() as u64, &mut outer);
                outer.extend_from_slice(&bytes);
                bytes = outer;
            }
            "mesh.specimen.Lock"
        }
    };
    (table, bytes)
}

/// Refuses what is unknown and leaves everything else.
struct Strict;

impl KeyMap for Strict {
    type Error = Unhandled;

    fn key(&mut self, _: At, _: Form, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn range(&mut self, _: At, _: Range<'_>, _: &mut Bounds) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn unknown(&mut self, _: &'static Message, _: u32) -> Unknown {
        Unknown::Refuse
    }

    fn region_id(&mut self, _: At, _: u64) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }
}
