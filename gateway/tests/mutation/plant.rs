//! What the corpus puts into fields: keys of a known owner, and things that may not show.

use mesh_keyspace::{Form, Keyspace, LogicalKey, memcomparable};
use mesh_proto::{Class, Field, Message};

use crate::corpus::Values;
use crate::ports::keyspace;
use crate::reach::Direction;

pub const ADDRESS: &str = "10.98.76.54:20160";
/// A key dump as a store prints it.
pub const DUMP: &str = "7480010000000000AB5F7280";

/// Whose key the field aimed at holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Own,
    Neighbour,
    /// The storage's own TiDB, whose keys have no tag.
    Zero,
}

pub fn own() -> Keyspace {
    keyspace(1)
}

pub fn neighbour() -> Keyspace {
    keyspace(2)
}

/// One value that was put in.
#[derive(Debug)]
pub struct Planted {
    pub field: &'static Field,
    pub class: Class,
    /// As the tenant knows it.
    pub logical: Vec<u8>,
    /// As the stores know it.
    pub physical: Vec<u8>,
    pub whose: Whose,
}

pub struct Plant {
    direction: Direction,
    whose: Whose,
    aim: Option<(&'static Message, &'static Field)>,
    pub planted: Vec<Planted>,
    count: i64,
    tables: i64,
}

impl Plant {
    pub fn new(
        direction: Direction,
        whose: Whose,
        aim: Option<(&'static Message, &'static Field)>,
    ) -> Plant {
        Plant {
            direction,
            whose,
            aim,
            planted: Vec::new(),
            count: 0,
            tables: 0,
        }
    }

    /// The neighbour's key, if the field is the one aimed at or the other end of its range.
    fn whose(&self, message: &'static Message, field: &'static Field) -> Whose {
        let is_end = |number| {
            message
                .range
                .is_some_and(|range| range.start == number || range.end == number)
        };
        let aimed = self.aim.is_some_and(|(at, aim)| {
            let same_range = is_end(aim.number) && is_end(field.number);
            at == message && (aim == field || same_range)
        });
        if aimed { self.whose } else { Whose::Own }
    }

    /// A row's key of a table of its own.
    fn key(&mut self, message: &'static Message, field: &'static Field, form: Form) -> Vec<u8> {
        let turned = message.range.is_some_and(|range| range.reverse.is_some());
        let upper = match field.class {
            Class::RawStart => turned,
            Class::RawEnd => !turned,
            Class::EncodedEnd => true,
            _ => false,
        };
        if !matches!(field.class, Class::RawEnd | Class::EncodedEnd) {
            self.tables += 2;
        }
        let table = 0x1000 + self.tables + i64::from(upper);
        let logical = row_key(table, self.tables);
        let whose = self.whose(message, field);
        let physical = match whose {
            Whose::Own => encoded(&own(), &logical),
            Whose::Neighbour => encoded(&neighbour(), &logical),
            Whose::Zero => logical.clone(),
        };
        let in_form = |key: &[u8]| {
            let mut out = Vec::new();
            match form {
                Form::Raw => out.extend_from_slice(key),
                Form::Encoded => memcomparable::encode(key, &mut out),
            }
            out
        };
        self.note(field, whose, in_form(&logical), in_form(&physical))
    }

    fn note(
        &mut self,
        field: &'static Field,
        whose: Whose,
        logical: Vec<u8>,
        physical: Vec<u8>,
    ) -> Vec<u8> {
        let sent = match self.direction {
            Direction::Up => logical.clone(),
            Direction::Down => physical.clone(),
        };
        self.planted.push(Planted {
            field,
            class: field.class,
            logical,
            physical,
            whose,
        });
        sent
    }

    fn text(&mut self, what: &str) -> Vec<u8> {
        self.count += 1;
        format!("{what}{}", self.count).into_bytes()
    }
}

/// `t` + table id + `_r` + handle.
pub fn row_key(table: i64, handle: i64) -> Vec<u8> {
    let ordered = |number: i64| (number as u64 ^ (1 << 63)).to_be_bytes();
    [b"t", &ordered(table)[..], b"_r", &ordered(handle)[..]].concat()
}

pub fn encoded(keyspace: &Keyspace, logical: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    keyspace
        .encode_key(Form::Raw, LogicalKey(logical), &mut out)
        .unwrap();
    out
}

impl Values for Plant {
    fn bytes(&mut self, message: &'static Message, field: &'static Field) -> Vec<u8> {
        match field.class {
            Class::RawKey | Class::RawStart | Class::RawEnd => self.key(message, field, Form::Raw),
            Class::EncodedKey | Class::EncodedStart | Class::EncodedEnd | Class::BucketKeys => {
                self.key(message, field, Form::Encoded)
            }
            Class::ScopedName => {
                let name = self.text("group");
                let whose = self.whose(message, field);
                let scope: &[u8] = if whose == Whose::Neighbour {
                    b"t2_"
                } else {
                    b"t1_"
                };
                let shared = [scope, &name].concat();
                self.note(field, whose, name, shared)
            }
            Class::Text => format!("no {DUMP} here").into_bytes(),
            Class::Address => ADDRESS.as_bytes().to_vec(),
            _ if field.name == "uuid" => {
                [self.text("file").as_slice(), &[0; 16]].concat()[..16].to_vec()
            }
            _ => self.text("value"),
        }
    }

    fn number(&mut self, message: &'static Message, field: &'static Field) -> u64 {
        if (message.name, field.name) == ("coprocessor.Request", "tp") {
            // An analyze request: its data holds neither keys nor ids.
            return 104;
        }
        match field.class {
            Class::Reverse => 1,
            Class::TableId => {
                self.count += 1;
                let id = 0x1_0000 + self.count;
                let tagged = own().encode_table_id(id).unwrap();
                let varint = |id: i64| {
                    let mut out = Vec::new();
                    mesh_proto::wire::put_varint(id.cast_unsigned(), &mut out);
                    out
                };
                let sent = match self.direction {
                    Direction::Up => id,
                    Direction::Down => tagged,
                };
                let whose = Whose::Own;
                self.note(field, whose, varint(id), varint(tagged));
                sent.cast_unsigned()
            }
            _ if field.type_name == "bool" => 1,
            _ => {
                self.count += 1;
                self.count.cast_unsigned()
            }
        }
    }
}
