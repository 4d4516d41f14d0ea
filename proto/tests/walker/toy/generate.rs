//! Valid messages of any table, from a seed.

use mesh_proto::{
    Class, Field, Message, Step, Wire,
    wire::{Framed, put_bytes_field, put_tag, put_varint},
};

/// How deep generated messages nest; recursion in the schema has no end of its own.
const DEPTH: u32 = 5;

/// Repeatable randomness (xorshift).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    pub fn bytes(&mut self) -> Vec<u8> {
        let len = match self.below(10) {
            0 => 0,
            1 => 120 + self.below(16),
            2 => self.below(400),
            _ => self.below(20),
        };
        (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    fn number(&mut self) -> u64 {
        let shift = self.below(64);
        self.next() >> shift
    }
}

/// A message that every strict reader accepts; fields come in any order.
pub fn message(table: &'static Message, dice: &mut Dice) -> Vec<u8> {
    let mut out = Vec::new();
    body(table, dice, 0, &mut out);
    out
}

fn body(table: &'static Message, dice: &mut Dice, depth: u32, out: &mut Vec<u8>) {
    let mut order: Vec<&'static Field> = table.fields.iter().collect();
    if dice.below(4) == 0 {
        let turn = dice.below(order.len().max(1) as u64) as usize;
        order.rotate_left(turn);
    }
    let mut seen = 0;
    let density = 1 + dice.below(4);
    for field in order {
        if field.step == Step::Forbid || seen & field.exclusive != 0 {
            continue;
        }
        if !field.required && dice.below(5) > density {
            continue;
        }
        if field.child.is_some() && depth >= DEPTH {
            continue;
        }
        seen |= field.bit;
        let count = if field.repeated { 1 + dice.below(3) } else { 1 };
        if field.packed_ok && dice.below(3) > 0 {
            packed(field, count, dice, out);
        } else {
            for _ in 0..count {
                value(field, dice, depth, out);
            }
        }
    }
}

fn packed(field: &Field, count: u64, dice: &mut Dice, out: &mut Vec<u8>) {
    let mut list = Vec::new();
    for _ in 0..count {
        scalar(field.wire, dice, &mut list);
    }
    put_bytes_field(field.number, &list, out);
}

fn value(field: &'static Field, dice: &mut Dice, depth: u32, out: &mut Vec<u8>) {
    if let Some(child) = field.child.filter(|_| field.class != Class::Opaque) {
        let framed = Framed::open(field.number, 0, out);
        body(child, dice, depth + 1, out);
        framed.close(out);
    } else if field.wire == Wire::Len {
        let mut bytes = text_or_bytes(field, dice);
        if field.required && bytes.is_empty() {
            bytes.push(b'k');
        }
        put_bytes_field(field.number, &bytes, out);
    } else {
        put_tag(field.number, field.wire, out);
        match field.class {
            Class::Reverse => put_varint(dice.below(2), out),
            _ => scalar(field.wire, dice, out),
        }
    }
}

fn text_or_bytes(field: &Field, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.bytes();
    if field.type_name == "string" {
        bytes.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
    }
    bytes
}

fn scalar(wire: Wire, dice: &mut Dice, out: &mut Vec<u8>) {
    match wire {
        Wire::Varint => put_varint(dice.number(), out),
        Wire::Fixed32 => out.extend_from_slice(&dice.next().to_le_bytes()[..4]),
        Wire::Fixed64 => out.extend_from_slice(&dice.next().to_le_bytes()),
        Wire::Len => {}
    }
}
