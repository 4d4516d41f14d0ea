//! The bank: transfers, each with its booking in the same transaction, and reads of all accounts.

use mesh_integration::history::Fate;
use mesh_integration::history::bank::{Bank, Transfer};
use mesh_integration::sql::Session;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::load::{Client, Connection, Pulse, Rows, Trouble};

const ACCOUNTS: usize = 6;
const OPENING: i64 = 1000;
const READ_ALL: &str = "SELECT balance FROM bank.account ORDER BY id";

/// What one client remembers.
#[derive(Default)]
pub(super) struct Memory {
    transfers: Vec<Transfer>,
    snapshots: Vec<Vec<i64>>,
}

/// Makes the tables in a tenant.
pub(super) async fn open(address: &str) {
    let mut session = Session::connect(address).await.unwrap();
    let accounts: Vec<String> = (0..ACCOUNTS)
        .map(|id| format!("({id}, {OPENING})"))
        .collect();
    for statement in [
        "CREATE DATABASE bank".to_owned(),
        "CREATE TABLE bank.account (id INT PRIMARY KEY, balance BIGINT)".to_owned(),
        "CREATE TABLE bank.booking (id BIGINT PRIMARY KEY, amount BIGINT, KEY (amount))".to_owned(),
        format!("INSERT INTO bank.account VALUES {}", accounts.join(", ")),
    ] {
        session.execute(&statement).await.unwrap();
    }
}

/// A client whose transfers have ids from `first` on.
pub(super) fn client(address: &str, first: u64) -> Client<Memory> {
    let connection = Connection::new(address);
    Client::start(move |pulse| work(connection, first, pulse))
}

async fn work(mut connection: Connection, first: u64, pulse: Pulse) -> Memory {
    let mut memory = Memory::default();
    let mut rng = StdRng::seed_from_u64(first);
    let accounts: Vec<usize> = (0..ACCOUNTS).collect();
    while pulse.goes_on().await {
        let chosen: Vec<usize> = accounts.choose_multiple(&mut rng, 2).copied().collect();
        let mut transfer = Transfer {
            id: first + memory.transfers.len() as u64,
            from: chosen[0],
            to: chosen[1],
            amount: rand::Rng::random_range(&mut rng, 1..50),
            fate: Fate::Failed,
        };
        transfer.fate = match statements(&mut connection, &transfer).await {
            Ok(()) => connection.commit().await,
            Err(_) => connection.abandon().await,
        };
        pulse.note(transfer.fate);
        memory.transfers.push(transfer);
        if memory.transfers.len().is_multiple_of(3)
            && let Ok(rows) = connection.begin(READ_ALL).await
        {
            memory.snapshots.push(numbers(&rows));
        }
    }
    memory
}

async fn statements(connection: &mut Connection, transfer: &Transfer) -> Result<(), Trouble> {
    let Transfer {
        id,
        from,
        to,
        amount,
        ..
    } = transfer;
    connection.begin("BEGIN PESSIMISTIC").await?;
    for statement in [
        format!("UPDATE bank.account SET balance = balance - {amount} WHERE id = {from}"),
        format!("UPDATE bank.account SET balance = balance + {amount} WHERE id = {to}"),
        format!("INSERT INTO bank.booking VALUES ({id}, {amount})"),
    ] {
        connection.ask(&statement).await?;
    }
    Ok(())
}

/// What all clients remember, and what is there in the end.
pub(super) async fn history(address: &str, memories: Vec<Memory>) -> Bank {
    let mut session = Session::connect(address).await.unwrap();
    let mut bank = Bank {
        opening: OPENING,
        balances: numbers(&session.rows(READ_ALL).await.unwrap()),
        ..Bank::default()
    };
    let booked = session.rows("SELECT id FROM bank.booking").await.unwrap();
    bank.booked = booked.iter().map(|row| row[0].parse().unwrap()).collect();
    for table in ["account", "booking"] {
        let check = format!("ADMIN CHECK TABLE bank.{table}");
        session.execute(&check).await.expect("index and rows agree");
    }
    for memory in memories {
        bank.transfers.extend(memory.transfers);
        bank.snapshots.extend(memory.snapshots);
    }
    bank
}

fn numbers(rows: &Rows) -> Vec<i64> {
    rows.iter().map(|row| row[0].parse().unwrap()).collect()
}
