//! Messages with every field populated, from the tables. The gateway's run over its own phases uses
//! the same ones.

use mesh_proto::{
    Class, Field, Message, Step, Wire,
    wire::{Framed, put_bytes_field, put_tag, put_varint},
};

/// How far populated messages go below the one that is aimed at; recursion has no end of its own.
const DEPTH: u32 = 2;
/// Elements of every list.
const ELEMENTS: usize = 2;

/// What stands in the fields.
pub trait Values {
    fn bytes(&mut self, message: &'static Message, field: &'static Field) -> Vec<u8>;
    fn number(&mut self, message: &'static Message, field: &'static Field) -> u64;
}

/// Where a message is to be complete: the fields that lead to it, and the one field in it that must
/// be there even if it is forbidden, or excludes others.
#[derive(Clone, Copy, Default)]
pub struct Aim<'p> {
    pub path: &'p [&'static Field],
    pub field: Option<&'static Field>,
}

/// A message with every field that can be there at once.
pub fn populated(table: &'static Message, aim: Aim<'_>, values: &mut impl Values) -> Vec<u8> {
    let mut out = Vec::new();
    body(table, aim, values, 0, &mut out);
    out
}

fn body(
    table: &'static Message,
    aim: Aim<'_>,
    values: &mut impl Values,
    depth: u32,
    out: &mut Vec<u8>,
) {
    let chosen = aim.path.first().copied().or(aim.field);
    let mut seen = 0;
    for field in table.fields {
        let is_chosen = chosen == Some(field);
        let shut_out = seen & field.exclusive != 0
            || chosen.is_some_and(|chosen| !is_chosen && chosen.exclusive & field.bit != 0);
        if shut_out || (field.step == Step::Forbid && !is_chosen) {
            continue;
        }
        let leads_on = is_chosen && !aim.path.is_empty();
        if walked(field).is_some() && depth >= DEPTH && !leads_on {
            continue;
        }
        seen |= field.bit;
        let elements = if field.repeated { ELEMENTS } else { 1 };
        for _ in 0..elements {
            match walked(field) {
                Some(child) => {
                    let inner = if leads_on {
                        Aim {
                            path: &aim.path[1..],
                            ..aim
                        }
                    } else {
                        Aim::default()
                    };
                    let framed = Framed::open(field.number, 0, out);
                    body(child, inner, values, depth + u32::from(!leads_on), out);
                    framed.close(out);
                }
                None => scalar(table, field, values, out),
            }
        }
    }
}

/// The message beneath a field that is looked into.
pub fn walked(field: &'static Field) -> Option<&'static Message> {
    field
        .child
        .filter(|_| !matches!(field.class, Class::Opaque | Class::Forbidden))
}

fn scalar(
    table: &'static Message,
    field: &'static Field,
    values: &mut impl Values,
    out: &mut Vec<u8>,
) {
    if field.wire == Wire::Len {
        return put_bytes_field(field.number, &values.bytes(table, field), out);
    }
    let number = values.number(table, field);
    put_tag(field.number, field.wire, out);
    match field.wire {
        Wire::Varint | Wire::Len => put_varint(number, out),
        Wire::Fixed32 => out.extend_from_slice(&number.to_le_bytes()[..4]),
        Wire::Fixed64 => out.extend_from_slice(&number.to_le_bytes()),
    }
}
