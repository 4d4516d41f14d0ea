//! Lists in rows: transactions that append to them and read them.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Instant;

use mesh_integration::history::Fate;
use mesh_integration::history::append::{Lists, Step, Transaction};
use mesh_integration::sql::Session;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::load::{Client, Connection, Pulse, Rows, Trouble};

const LISTS: u32 = 4;

/// The clock of all clients.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).expect("a short test")
}

/// Makes the table in a tenant.
pub(super) async fn open(address: &str) {
    let mut session = Session::connect(address).await.unwrap();
    for statement in [
        "CREATE DATABASE lists",
        "CREATE TABLE lists.list (id INT PRIMARY KEY, elements LONGTEXT)",
    ] {
        session.execute(statement).await.unwrap();
    }
}

/// A client whose elements begin at `first`.
pub(super) fn client(address: &str, first: u64) -> Client<Vec<Transaction>> {
    let connection = Connection::new(address);
    Client::start(move |pulse| work(connection, first, pulse))
}

async fn work(mut connection: Connection, first: u64, pulse: Pulse) -> Vec<Transaction> {
    let mut done = Vec::new();
    let mut rng = StdRng::seed_from_u64(first);
    let mut element = first;
    while pulse.goes_on().await {
        let steps = planned(&mut rng, &mut element);
        let mut transaction = Transaction {
            began: now(),
            ended: 0,
            steps,
            fate: Fate::Failed,
        };
        transaction.fate = match statements(&mut connection, &mut transaction.steps).await {
            Ok(()) => connection.commit().await,
            Err(_) => connection.abandon().await,
        };
        transaction.ended = now();
        pulse.note(transaction.fate);
        done.push(transaction);
    }
    done
}

fn planned(rng: &mut StdRng, element: &mut u64) -> Vec<Step> {
    let steps = 0..rng.random_range(1..4);
    steps
        .map(|_| {
            let list = rng.random_range(0..LISTS);
            if rng.random_bool(0.5) {
                return Step::Read(list, Vec::new());
            }
            *element += 1;
            Step::Append(list, *element)
        })
        .collect()
}

/// Sends the steps and notes what the reads saw.
async fn statements(connection: &mut Connection, steps: &mut [Step]) -> Result<(), Trouble> {
    connection.begin("BEGIN OPTIMISTIC").await?;
    for step in steps {
        match step {
            Step::Append(list, element) => {
                let append = format!(
                    "INSERT INTO lists.list VALUES ({list}, '{element}') \
                     ON DUPLICATE KEY UPDATE elements = CONCAT(elements, ',{element}')"
                );
                connection.ask(&append).await?;
            }
            Step::Read(list, seen) => {
                let read = format!("SELECT elements FROM lists.list WHERE id = {list}");
                let rows = connection.ask(&read).await?;
                *seen = rows
                    .first()
                    .map(|row| elements(&row[0]))
                    .unwrap_or_default();
            }
        }
    }
    Ok(())
}

/// What all clients remember, and what is there in the end.
pub(super) async fn history(address: &str, memories: Vec<Vec<Transaction>>) -> Lists {
    let mut session = Session::connect(address).await.unwrap();
    let read = "SELECT id, elements FROM lists.list";
    let rows: Rows = session.rows(read).await.unwrap();
    let end: BTreeMap<u32, Vec<u64>> = rows
        .iter()
        .map(|row| (row[0].parse().unwrap(), elements(&row[1])))
        .collect();
    Lists {
        transactions: memories.into_iter().flatten().collect(),
        end,
    }
}

fn elements(text: &str) -> Vec<u64> {
    text.split(',').map(|it| it.parse().unwrap()).collect()
}
