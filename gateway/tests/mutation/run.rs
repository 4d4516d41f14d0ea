//! Every row that a forwarded request or answer can meet is switched off once.

use mesh_proto::{
    Class, Field, Message,
    mutation::{self, Decision, Row},
    tables,
};

use crate::SWITCH;
use crate::hooks;
use crate::isolation::{self, Checked};
use crate::reach::{Direction, Reach, reach, vanishing};

const DIRECTIONS: [Direction; 2] = [Direction::Up, Direction::Down];

/// Rows of messages that the key phases meet. Where the gateway leaves nothing out beneath a
/// positional list, the row is a second wall, and the walker's own run has tried it (proto/tests).
fn rows(reach: &Reach) -> Vec<Row> {
    let loses_elements = |row: &Row| {
        let list = field_of(*row);
        row.decision != Decision::Positional || list.is_some_and(|list| !vanishing(list).is_empty())
    };
    let met = |message: &&&'static Message| {
        DIRECTIONS
            .iter()
            .any(|direction| reach.contains_key(&(*direction, message.name)))
    };
    tables::MESSAGES
        .iter()
        .filter(met)
        .flat_map(|message| mutation::rows_of(message))
        .filter(loses_elements)
        .collect()
}

fn field_of(row: Row) -> Option<&'static Field> {
    tables::message(row.owner)?.field_named(row.field?)
}

/// A row that shows only when the hook before it is off, too.
fn behind(row: Row) -> Option<Row> {
    let hashes = field_of(row)?.class == Class::KeyHash;
    mutation::row(row.owner, None, Decision::Hook).filter(|_| hashes)
}

/// What the laws say about a row, on every way that leads to it.
fn checked(reach: &Reach, row: Row) -> Checked {
    let message = tables::message(row.owner).unwrap();
    if row.decision == Decision::Hook
        && let Some(law) = hooks::checked(message.hook.unwrap(), message)
    {
        return law;
    }
    if behind(row).is_some() {
        return hooks::hash_behind_hook(message);
    }
    let field = field_of(row);
    if row.decision == Decision::Positional
        && let Some(way) = reach.get(&(Direction::Down, message.name))
    {
        return isolation::keeps_count(way, field.unwrap());
    }
    for direction in DIRECTIONS {
        if let Some(way) = reach.get(&(direction, message.name)) {
            isolation::message(direction, way, message, field)
                .map_err(|law| format!("{direction:?}: {law}"))?;
        }
    }
    Ok(())
}

#[test]
fn the_loss_of_any_row_on_a_forwarded_message_is_noticed() {
    let _alone = SWITCH.blocking_lock();
    let reach = reach();
    let rows = rows(&reach);
    let whole = |row: &Row| {
        mutation::disable(behind(*row));
        checked(&reach, *row)
            .err()
            .map(|law| format!("{row}: {law}"))
    };
    let complaints: Vec<String> = rows.iter().filter_map(whole).collect();
    assert!(
        complaints.is_empty(),
        "with every row on:\n{}",
        complaints.join("\n")
    );

    let mut unnoticed = Vec::new();
    for row in &rows {
        mutation::disable(behind(*row).into_iter().chain([*row]));
        if checked(&reach, *row).is_ok() {
            unnoticed.push(row.to_string());
        }
    }
    mutation::disable([]);
    println!(
        "{} rows of forwarded messages switched off one by one, {} noticed",
        rows.len(),
        rows.len() - unnoticed.len()
    );
    assert!(
        unnoticed.is_empty(),
        "not noticed:\n{}",
        unnoticed.join("\n")
    );
}
