//! One server running a script: its sessions, and a record of every statement's outcome.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_integration::sql::{Outcome, Session, SqlError};
use tokio::task::JoinHandle;

use super::script::{Statement, Step, View};

/// A statement with what it brought back.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) sql: String,
    pub(super) expected: Option<u16>,
    pub(super) code: Option<u16>,
    pub(super) message: String,
    pub(super) text: String,
}

enum Slot {
    Idle(Session),
    Busy(Statement, JoinHandle<(Session, Outcome)>),
}

/// Long enough for a statement to reach the point where it waits for a lock.
const PAUSE: Duration = Duration::from_millis(700);

/// A statement that takes longer hangs.
const STATEMENT_LIMIT: Duration = Duration::from_secs(120);

pub(super) async fn play(address: &str, database: &str, steps: &[Step]) -> Vec<Record> {
    let mut first = Session::connect(address).await.expect("a session");
    first
        .execute(&format!("DROP DATABASE IF EXISTS {database}"))
        .await
        .expect("dropped");
    first
        .execute(&format!("CREATE DATABASE {database}"))
        .await
        .expect("created");
    let mut slots = BTreeMap::new();
    let mut records = Vec::new();
    for step in steps {
        match step {
            Step::Pause => tokio::time::sleep(PAUSE).await,
            Step::Join(name) => {
                let slot = slots.remove(name).expect("a session to join");
                let (session, record) = join(slot).await;
                records.extend(record);
                slots.insert(name.clone(), Slot::Idle(session));
            }
            Step::Run(statement) => {
                let slot = slots.remove(&statement.session);
                let session = match slot {
                    Some(slot) => join(slot).await.0,
                    None => Session::connect_to(address, Some(database))
                        .await
                        .expect("a session"),
                };
                let slot = start(session, statement, &mut records).await;
                slots.insert(statement.session.clone(), slot);
            }
        }
    }
    records
}

async fn start(session: Session, statement: &Statement, records: &mut Vec<Record>) -> Slot {
    let (owned, sql) = (statement.clone(), statement.sql.clone());
    let task = tokio::spawn(async move {
        let mut session = session;
        let run = async {
            if owned.prepared {
                session.run_prepared(&sql).await
            } else {
                session.run(&sql).await
            }
        };
        let outcome = tokio::time::timeout(STATEMENT_LIMIT, run).await;
        let outcome = match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => broken(&format!("{error:#}")),
            Err(_) => broken("no answer in time"),
        };
        (session, outcome)
    });
    let slot = Slot::Busy(statement.clone(), task);
    if statement.background {
        return slot;
    }
    let (session, record) = join(slot).await;
    records.extend(record);
    Slot::Idle(session)
}

async fn join(slot: Slot) -> (Session, Option<Record>) {
    match slot {
        Slot::Idle(session) => (session, None),
        Slot::Busy(statement, task) => {
            let (session, outcome) = task.await.expect("the statement ends");
            (session, Some(record(&statement, &outcome)))
        }
    }
}

fn record(statement: &Statement, outcome: &Outcome) -> Record {
    let message = outcome.error.as_ref().map(|error| error.message.clone());
    Record {
        sql: statement.sql.clone(),
        expected: statement.error,
        code: outcome.error.as_ref().map(|error| error.code),
        message: message.unwrap_or_default(),
        text: seen(statement.view, outcome),
    }
}

fn seen(view: View, outcome: &Outcome) -> String {
    let mut outcome = outcome.clone();
    if let Some(error) = &mut outcome.error {
        error.message = without_timestamps(&error.message);
    }
    for text in outcome.warnings.iter_mut().flatten() {
        *text = without_estimates(&without_timestamps(text)).to_owned();
    }
    match view {
        View::Everything => {}
        View::Nothing => return String::new(),
        View::Shape => outcome.results.iter_mut().for_each(|set| set.rows.clear()),
        View::Regions => {
            for row in outcome.results.iter_mut().flat_map(|set| &mut set.rows) {
                *row = row[1..3].to_vec();
            }
            outcome.results.iter_mut().for_each(|set| set.rows.sort());
        }
    }
    outcome.render()
}

/// A hang or a lost connection is an outcome too, of a kind that is never expected.
fn broken(message: &str) -> Outcome {
    let error = SqlError {
        code: 0,
        state: String::new(),
        message: message.to_owned(),
    };
    Outcome {
        error: Some(error),
        ..Outcome::default()
    }
}

/// Why ANALYZE chose its sample rate depends on whether PD has heard of the rows yet.
fn without_estimates(note: &str) -> &str {
    note.split_once(", reason to use this rate is")
        .map_or(note, |(rate, _)| rate)
}

/// Timestamps of transactions inside messages differ between any two runs.
fn without_timestamps(message: &str) -> String {
    let mut text = String::new();
    let mut digits = String::new();
    for character in message.chars().chain(['\0']) {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        text.push_str(if digits.len() >= 15 { "<ts>" } else { &digits });
        digits.clear();
        if character != '\0' {
            text.push(character);
        }
    }
    text
}
