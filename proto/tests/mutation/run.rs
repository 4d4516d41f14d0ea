//! Every row is switched off once.

use mesh_proto::{
    mutation::{Decision, Row, rows},
    tables::{self, MESSAGES},
};

use crate::{Mutating, checks};

/// What the checks say about the owner of a row.
fn checked(row: Row) -> Result<(), String> {
    match row.decision {
        Decision::Check(check) => checks::demand(check),
        Decision::Route
        | Decision::Hook
        | Decision::Value
        | Decision::Required
        | Decision::Positional => {
            checks::message(tables::message(row.owner).expect("the owner is a message"))
        }
    }
}

#[test]
fn nothing_is_noticed_while_every_row_is_on() {
    let _alone = Mutating::alone();
    let complaints: Vec<String> = MESSAGES
        .iter()
        .filter_map(|message| checks::message(message).err())
        .chain(
            mesh_proto::mutation::Check::ALL
                .into_iter()
                .filter_map(|check| checks::demand(check).err()),
        )
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Routes are the gateway's to take: its own run switches them off (gateway/tests/mutation).
#[test]
fn the_loss_of_any_row_is_noticed() {
    let alone = Mutating::alone();
    let mutated: Vec<Row> = rows()
        .filter(|row| row.decision != Decision::Route)
        .collect();
    let mut unnoticed = Vec::new();
    for row in &mutated {
        alone.without(*row);
        if checked(*row).is_ok() {
            unnoticed.push(row.to_string());
        }
    }
    println!(
        "{} rows of the tables switched off one by one, {} noticed",
        mutated.len(),
        mutated.len() - unnoticed.len()
    );
    assert!(
        unnoticed.is_empty(),
        "not noticed:\n{}",
        unnoticed.join("\n")
    );
}
