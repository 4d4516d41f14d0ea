//! Many sessions at work while their servers are left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use mesh_integration::sql::Session;
use mesh_integration::stack::Stack;
use mysql_async::prelude::Queryable as _;

use super::{address, connect, drain, front, has_sessions, servers};

const WORKERS: u64 = 24;
const IDLERS: usize = 40;
const ROWS: u64 = 50;

/// Point reads by a prepared statement, then a transaction, then a write on its own: as sysbench's
/// mixed load.
async fn work(
    address: String,
    number: u64,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> Result<()> {
    let mut session = Session::connect_as(&address, "alpha.root", "").await?;
    session.execute("USE load_test").await?;
    session.execute(&format!("SET @worker = {number}")).await?;
    let driver = session.driver();
    let read = driver.prep("SELECT k FROM t WHERE id = ?").await?;
    let write = driver.prep("UPDATE t SET k = k + 1 WHERE id = ?").await?;
    let mut turn = number;
    while !stop.load(Relaxed) {
        turn += 1;
        let driver = session.driver();
        for _ in 0..3 {
            let row: Option<u64> = driver.exec_first(&read, (turn % ROWS,)).await?;
            row.context("a row")?;
        }
        driver.query_drop("BEGIN").await?;
        driver.exec_drop(&write, (number + 1000,)).await?;
        let _: Option<u64> = driver.exec_first(&read, (turn % ROWS,)).await?;
        driver.query_drop("COMMIT").await?;
        driver.exec_drop(&write, (number + 1000,)).await?;
        let own: Option<u64> = driver.query_first("SELECT @worker").await?;
        anyhow::ensure!(own == Some(number), "{own:?} isn't {number}");
        done.fetch_add(2, Relaxed);
    }
    Ok(())
}

pub(super) async fn drained_and_removed_servers_lose_all_sessions_and_no_client_notices(
    stack: &Stack,
) {
    let mut root = connect(stack, "alpha.root").await;
    root.execute("CREATE DATABASE load_test").await.unwrap();
    root.execute("CREATE TABLE load_test.t (id INT PRIMARY KEY, k INT NOT NULL)")
        .await
        .unwrap();
    let rows: Vec<String> = (0..ROWS)
        .chain(1000..1000 + WORKERS)
        .map(|id| format!("({id}, 0)"))
        .collect();
    root.execute(&format!(
        "INSERT INTO load_test.t VALUES {}",
        rows.join(",")
    ))
    .await
    .unwrap();
    let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            tokio::spawn(work(
                address(stack),
                number,
                Arc::clone(&stop),
                Arc::clone(&done),
            ))
        })
        .collect();
    let mut idle = Vec::new();
    for number in 0..IDLERS {
        let mut session = connect(stack, "alpha.root").await;
        session
            .execute(&format!("SET @idle = {number}"))
            .await
            .unwrap();
        idle.push(session);
    }
    let pair = servers(stack);
    for round in 0..4 {
        let (left, other) = (&pair[round % 2], &pair[(round + 1) % 2]);
        drain(stack, left, "POST").await;
        has_sessions(stack, left, 0).await;
        drain(stack, left, "DELETE").await;
        let before = done.load(Relaxed);
        while done.load(Relaxed) < before + WORKERS {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(
                workers.iter().all(|worker| !worker.is_finished()),
                "a client has failed"
            );
        }
        assert!(other.process.pid() > 0);
    }
    remove_and_add(stack).await;
    stop.store(true, Relaxed);
    for worker in workers {
        worker.await.unwrap().expect("no error in any session");
    }
    for (number, session) in idle.iter_mut().enumerate() {
        let kept = session.value("SELECT @idle").await.unwrap();
        assert_eq!(kept, number.to_string());
    }
    let written = root.value("SELECT SUM(k) FROM load_test.t").await.unwrap();
    assert_eq!(written, done.load(Relaxed).to_string());
    println!("{written} writes, metrics:");
    print_moves(stack).await;
}

/// A server that is taken out of the configuration is left too.
async fn remove_and_add(stack: &Stack) {
    let all = stack.mysql_addresses();
    let mut fewer = all.clone();
    let removed = fewer[0].1.remove(0);
    front(stack)
        .reconfigure(&front(stack).plan().config(fewer))
        .unwrap();
    mesh_integration::eventually::eventually("sessions to leave", super::PATIENCE, || async {
        let sessions = front(stack).admin("GET", "/v1/sessions").await?;
        let mut sessions = sessions.as_array().into_iter().flatten();
        anyhow::ensure!(!sessions.any(|one| one["server"] == *removed));
        let servers = front(stack).admin("GET", "/v1/servers").await?;
        let mut servers = servers.as_array().into_iter().flatten();
        anyhow::ensure!(!servers.any(|one| one["address"] == *removed));
        Ok(())
    })
    .await
    .expect("all leave");
    front(stack)
        .reconfigure(&front(stack).plan().config(all))
        .unwrap();
}

async fn print_moves(stack: &Stack) {
    let metrics = format!("http://{}/metrics", front(stack).plan().admin);
    let text = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    for line in text.lines().filter(|line| line.contains("_move")) {
        println!("{line}");
    }
    assert!(text.contains("tidb_mesh_proxy_moves_total{tenant=\"alpha\"}"));
}
