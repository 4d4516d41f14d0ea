//! The laws: what a message of known keys must become, whatever the tables say.

use mesh_gateway::decorate::decorate;
use mesh_gateway::exchange::{Exchange, Scope};
use mesh_gateway::fault::Fault;
use mesh_gateway::metrics::Metrics;
use mesh_gateway::undecorate::undecorate;
use mesh_keyspace::Keyspace;
use mesh_proto::{Class, Field, Message, Step, Walker, fields, wire::put_bytes_field};

use crate::corpus::{Aim, populated};
use crate::plant::{ADDRESS, DUMP, Plant, Planted, Whose, own};
use crate::reach::{Direction, Way, vanishing};

pub type Checked = Result<(), String>;

/// Head of a row's or index's key without a tag, with the tenant's, with the neighbour's.
const UNTAGGED: &[u8] = &[0x74, 0x80, 0x00, 0x00, 0x00, 0x00];
const OWN: &[u8] = &[0x74, 0x80, 0x01, 0x00, 0x00, 0x00];
const NEIGHBOUR: &[u8] = &[0x74, 0x80, 0x02, 0x00, 0x00, 0x00];

pub fn up(
    keyspace: &Keyspace,
    table: &'static Message,
    body: &[u8],
) -> Result<(Vec<u8>, Exchange), Fault> {
    let metrics = Metrics::default();
    let scope = Scope {
        keyspace,
        metrics: &metrics,
    };
    let mut out = Vec::new();
    let exchange = decorate(&mut Walker::new(), scope, table, body, &mut out)?;
    Ok((out, exchange))
}

pub fn down(exchange: &Exchange, table: &'static Message, body: &[u8]) -> Result<Vec<u8>, Fault> {
    let metrics = Metrics::default();
    let keyspace = own();
    let scope = Scope {
        keyspace: &keyspace,
        metrics: &metrics,
    };
    let mut out = Vec::new();
    undecorate(&mut Walker::new(), scope, exchange, table, body, &mut out)?;
    Ok(out)
}

/// Everything about one message on one way; `field` is the one in question.
pub fn message(
    direction: Direction,
    way: &Way,
    table: &'static Message,
    field: Option<&'static Field>,
) -> Checked {
    if let Some(field) = field {
        if field.step == Step::Forbid {
            return is_refused(direction, way, field);
        }
        if field.required && direction == Direction::Up {
            refuses_without(way, field)?;
        }
        if field.class == Class::Address {
            return hides_address(direction, way, field);
        }
    }
    own_keys(direction, way, field)?;
    let Some(field) = field.filter(|_| direction == Direction::Down) else {
        return Ok(());
    };
    for whose in [Whose::Neighbour, Whose::Zero] {
        foreign_key(way, table, field, whose)?;
    }
    Ok(())
}

fn aim<'w>(way: &'w Way, field: Option<&'static Field>) -> Aim<'w> {
    Aim {
        path: &way.path,
        field,
    }
}

fn has(out: &[u8], part: &[u8]) -> bool {
    out.windows(part.len()).any(|window| window == part)
}

fn own_keys(direction: Direction, way: &Way, field: Option<&'static Field>) -> Checked {
    let mut plant = Plant::new(direction, Whose::Own, None);
    let body = populated(way.root, aim(way, field), &mut plant);
    match direction {
        Direction::Up => {
            let (out, _) = up(&own(), way.root, &body).map_err(|fault| fault.to_string())?;
            arrived(&plant.planted, &out, |planted| &planted.physical)?;
            not_in(&out, UNTAGGED, "a key without the tenant's tag")
        }
        Direction::Down => {
            let out =
                down(&Exchange::default(), way.root, &body).map_err(|fault| fault.to_string())?;
            arrived(&plant.planted, &out, |planted| &planted.logical)?;
            not_in(&out, OWN, "a key with the tenant's tag")?;
            not_in(&out, DUMP.as_bytes(), "a key in a text")
        }
    }
}

fn arrived(planted: &[Planted], out: &[u8], form: impl Fn(&Planted) -> &[u8]) -> Checked {
    match planted
        .iter()
        .find(|planted| !has(out, form(planted)) && !is_left_out(planted))
    {
        None => Ok(()),
        Some(lost) => Err(format!(
            "{:?} did not arrive as the other side knows it",
            lost.field
        )),
    }
}

/// What no tenant gets to see even of its own.
fn is_left_out(planted: &Planted) -> bool {
    // The first and last bucket boundary are the region's, whatever they were.
    planted.class == Class::BucketKeys
}

fn not_in(out: &[u8], part: &[u8], what: &str) -> Checked {
    if has(out, part) {
        Err(format!("{what} comes out"))
    } else {
        Ok(())
    }
}

/// Somebody else's key is left out or fails the answer.
fn foreign_key(way: &Way, table: &'static Message, field: &'static Field, whose: Whose) -> Checked {
    let mut plant = Plant::new(Direction::Down, whose, Some((table, field)));
    let body = populated(way.root, aim(way, Some(field)), &mut plant);
    let Ok(out) = down(&Exchange::default(), way.root, &body) else {
        return Ok(());
    };
    not_in(&out, NEIGHBOUR, "a neighbour's key")?;
    for planted in plant
        .planted
        .iter()
        .filter(|planted| planted.whose == whose)
    {
        not_in(&out, &planted.physical, "somebody else's value")?;
        not_in(&out, &planted.logical, "somebody else's value, untagged")?;
    }
    Ok(())
}

fn is_refused(direction: Direction, way: &Way, field: &'static Field) -> Checked {
    let mut plant = Plant::new(direction, Whose::Own, None);
    let body = populated(way.root, aim(way, Some(field)), &mut plant);
    let accepted = match direction {
        Direction::Up => up(&own(), way.root, &body).is_ok(),
        Direction::Down => down(&Exchange::default(), way.root, &body).is_ok(),
    };
    if accepted {
        Err("a forbidden field passes".to_owned())
    } else {
        Ok(())
    }
}

fn hides_address(direction: Direction, way: &Way, field: &'static Field) -> Checked {
    let mut plant = Plant::new(direction, Whose::Own, None);
    let body = populated(way.root, aim(way, Some(field)), &mut plant);
    let out = match direction {
        Direction::Up => up(&own(), way.root, &body).map(|(out, _)| out),
        Direction::Down => down(&Exchange::default(), way.root, &body),
    };
    match out {
        Err(_) => Ok(()),
        Ok(out) => not_in(&out, ADDRESS.as_bytes(), "an address"),
    }
}

fn refuses_without(way: &Way, field: &'static Field) -> Checked {
    let mut plant = Plant::new(Direction::Up, Whose::Own, None);
    let body = populated(way.root, aim(way, Some(field)), &mut plant);
    let empty = replaced(way.root, &body, &way.path, field, Some(&[]));
    let absent = replaced(way.root, &body, &way.path, field, None);
    let accepted = |body: &[u8]| up(&own(), way.root, body).is_ok();
    if accepted(&empty) || (!field.repeated && accepted(&absent)) {
        return Err("a key may be missing".to_owned());
    }
    Ok(())
}

/// The body with another value in the field at the end of the path, or without it.
fn replaced(
    table: &'static Message,
    body: &[u8],
    path: &[&'static Field],
    field: &'static Field,
    value: Option<&[u8]>,
) -> Vec<u8> {
    let mut out = Vec::new();
    for came in fields(body).map(Result::unwrap) {
        match path.split_first() {
            Some((step, rest)) if came.number == step.number => {
                let child = step.child.unwrap();
                let inner = replaced(child, came.bytes().unwrap(), rest, field, value);
                put_bytes_field(came.number, &inner, &mut out);
            }
            None if came.number == field.number => {
                if let Some(value) = value {
                    put_bytes_field(came.number, value, &mut out);
                }
            }
            _ => out.extend_from_slice(came.raw),
        }
    }
    debug_assert!(table.field(field.number).is_some() || !path.is_empty());
    out
}

/// A positional list answers with as many elements as it has, or not at all.
pub fn keeps_count(way: &Way, list: &'static Field) -> Checked {
    for (beneath, holder) in vanishing(list) {
        let edge = holder.field(holder.range.unwrap().start).unwrap();
        let path: Vec<&'static Field> = way.path.iter().copied().chain(beneath).collect();
        let aim = Aim {
            path: &path,
            field: Some(edge),
        };
        let mut plant = Plant::new(Direction::Down, Whose::Neighbour, Some((holder, edge)));
        let body = populated(way.root, aim, &mut plant);
        let Ok(out) = down(&Exchange::default(), way.root, &body) else {
            continue;
        };
        if elements(&body, &way.path, list) != elements(&out, &way.path, list) {
            return Err("an element of a positional list vanishes".to_owned());
        }
    }
    Ok(())
}

fn elements(body: &[u8], path: &[&'static Field], list: &'static Field) -> usize {
    let here = |number| {
        fields(body)
            .flatten()
            .filter(move |came| came.number == number)
    };
    match path.split_first() {
        None => here(list.number).count(),
        Some((step, rest)) => here(step.number)
            .map(|came| elements(came.bytes().unwrap_or_default(), rest, list))
            .sum(),
    }
}
