//! A second opinion on what a walk must give: it takes a message apart by the table, maps every
//! value and puts it together again, without the walker's code. Every class is mapped to something
//! that no other class gives.

use mesh_proto::{
    At, Bounds, Class, Form, Hook, KeyList, KeyMap, Message, Nested, Range, Step, Unhandled, Value,
    Verdict, WalkError, fields, tables,
    wire::{packed_varints, put_bytes_field, put_tag, put_varint, put_varint_field},
};

/// A field of no message, by which a hook shows that it has seen one.
const SEEN: u32 = 19_999;

/// The map of both sides.
#[derive(Default)]
pub struct Model {
    /// Region ids are only asked about.
    pub regions: Vec<u64>,
}

fn marked(mark: u8, value: &[u8]) -> Vec<u8> {
    [&[b'<', mark, b'>'], value].concat()
}

fn key_of(form: Form, key: &[u8]) -> Vec<u8> {
    marked(form as u8 + b'0', key)
}

fn range_of(range: Range<'_>) -> (Vec<u8>, Vec<u8>) {
    let mark = (range.form as u8) * 2 + u8::from(range.reverse);
    // The mark of an end tells that both ends and the turn were known.
    let lengths = (range.start.len() * 16 + range.end.len()) as u8;
    (
        marked(b'A' + mark, &[range.start, &[lengths]].concat()),
        marked(b'a' + mark, &[range.end, &[lengths]].concat()),
    )
}

fn hash_of(key: Option<&[u8]>, hash: u64) -> u64 {
    let key = key.map_or(77, |key| 1000 + key.len() as u64);
    hash.wrapping_add(key)
}

fn id_of(class: Class, id: u64) -> u64 {
    match class {
        Class::TableId => id + (1 << 40),
        Class::LeaseId => id + (1 << 41),
        _ => id,
    }
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Never(#[from] pub Unhandled);

fn give(value: Vec<u8>, out: &mut Vec<u8>) -> Result<Verdict, Never> {
    out.extend_from_slice(&value);
    Ok(Verdict::Keep)
}

impl KeyMap for Model {
    type Error = Never;

    fn key(&mut self, _: At, form: Form, key: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Never> {
        give(key_of(form, key), out)
    }

    fn range(&mut self, _: At, range: Range<'_>, out: &mut Bounds) -> Result<Verdict, Never> {
        (out.start, out.end) = range_of(range);
        Ok(Verdict::Keep)
    }

    fn buckets(&mut self, _: At, keys: &[&[u8]], out: &mut KeyList) -> Result<Verdict, Never> {
        keys.iter().for_each(|key| out.push(&marked(b'B', key)));
        Ok(Verdict::Keep)
    }

    fn text(&mut self, _: At, text: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Never> {
        give(marked(b'T', text), out)
    }

    fn address(&mut self, _: At, address: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Never> {
        give(marked(b'@', address), out)
    }

    fn scoped_name(&mut self, _: At, name: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Never> {
        give(marked(b'N', name), out)
    }

    fn table_id(&mut self, at: At, id: i64) -> Result<i64, Never> {
        Ok(id_of(at.field.class, id.cast_unsigned()).cast_signed())
    }

    fn lease_id(&mut self, at: At, id: i64) -> Result<i64, Never> {
        Ok(id_of(at.field.class, id.cast_unsigned()).cast_signed())
    }

    fn region_id(&mut self, _: At, id: u64) -> Result<Verdict, Never> {
        self.regions.push(id);
        Ok(Verdict::Keep)
    }

    fn key_hash(&mut self, _: At, key: Option<&[u8]>, hash: u64) -> Result<u64, Never> {
        Ok(hash_of(key, hash))
    }

    fn hook(
        &mut self,
        _: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<Never>> {
        let _ = nested.rewrite(body, self, out)?;
        put_varint_field(SEEN, 1, out);
        Ok(Verdict::Keep)
    }
}

/// The walk was refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

/// What the walker must give for a sound message.
pub fn expected(
    table: &'static Message,
    bytes: &[u8],
    model: &mut Model,
) -> Result<Vec<u8>, Refused> {
    let table = tables::message(table.name).unwrap_or(table);
    let mut out = Vec::new();
    let range = range_in(table, bytes);
    for field in fields(bytes) {
        let came = field.expect("the corpus is sound");
        let row = table
            .field(came.number)
            .expect("the corpus knows the table");
        match (row.step, came.value) {
            (Step::Forbid, _) => return Err(Refused),
            (Step::Check | Step::Descend, Value::Len(inner)) => {
                let child = row.child.expect("a message beneath");
                put_bytes_field(row.number, &expected(child, inner, model)?, &mut out);
            }
            (Step::Edit, Value::Len(value)) if row.packed_ok => {
                let ids: Vec<u64> = packed_varints(value).map(Result::unwrap).collect();
                let mut list = Vec::new();
                for id in ids {
                    put_varint(number(row.class, id, model), &mut list);
                }
                put_bytes_field(row.number, &list, &mut out);
            }
            (Step::Edit, Value::Len(value)) => {
                let value = bytes_of(row.class, value, range.as_ref());
                put_bytes_field(row.number, &value, &mut out);
            }
            (Step::Edit, Value::Varint(value)) => {
                let value = match row.class {
                    Class::KeyHash => hash_of(hashed(table, bytes).as_deref(), value),
                    class => number(class, value, model),
                };
                put_tag(row.number, row.wire, &mut out);
                put_varint(value, &mut out);
            }
            _ => out.extend_from_slice(came.raw),
        }
    }
    if table.hook.is_some() {
        put_varint_field(SEEN, 1, &mut out);
    }
    Ok(out)
}

fn number(class: Class, id: u64, model: &mut Model) -> u64 {
    if class == Class::RegionId {
        model.regions.push(id);
    }
    id_of(class, id)
}

fn bytes_of(class: Class, value: &[u8], range: Option<&(Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    match (class, range) {
        (Class::RawKey, _) => key_of(Form::Raw, value),
        (Class::EncodedKey, _) => key_of(Form::Encoded, value),
        (Class::EtcdKey, None) => key_of(Form::Etcd, value),
        (Class::RawStart | Class::EncodedStart | Class::EtcdKey, Some((start, _))) => start.clone(),
        (Class::RawEnd | Class::EncodedEnd | Class::EtcdRangeEnd, Some((_, end))) => end.clone(),
        (Class::BucketKeys, _) => marked(b'B', value),
        (Class::Text, _) => marked(b'T', value),
        (Class::Address, _) => marked(b'@', value),
        (Class::ScopedName, _) => marked(b'N', value),
        other => panic!("no value of this class is bytes: {other:?}"),
    }
}

/// Both ends of the message's range, found by their classes.
fn range_in(table: &'static Message, bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let of_class = |class: Class| table.fields.iter().find(move |field| field.class == class);
    let pairs = [
        (Class::RawStart, Class::RawEnd, Form::Raw),
        (Class::EncodedStart, Class::EncodedEnd, Form::Encoded),
        (Class::EtcdKey, Class::EtcdRangeEnd, Form::Etcd),
    ];
    let (start, end, form) = pairs
        .into_iter()
        .find_map(|(start, end, form)| Some((of_class(start)?, of_class(end)?, form)))?;
    let came = |number: u32| fields(bytes).flatten().find(|field| field.number == number);
    let bytes_in = |number: u32| {
        came(number)
            .and_then(|field| field.bytes())
            .unwrap_or_default()
    };
    let turned = of_class(Class::Reverse).and_then(|field| came(field.number)?.varint());
    Some(range_of(Range {
        form,
        reverse: turned.is_some_and(|flag| flag != 0),
        start: bytes_in(start.number),
        end: bytes_in(end.number),
    }))
}

/// The only raw key beside a hash.
fn hashed(table: &'static Message, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut keys = table
        .fields
        .iter()
        .filter(|field| field.class == Class::RawKey);
    let key = keys.next().filter(|key| !key.repeated)?;
    if keys.next().is_some() {
        return None;
    }
    let came = fields(bytes)
        .flatten()
        .find(|field| field.number == key.number)?;
    came.bytes().map(<[u8]>::to_vec)
}
