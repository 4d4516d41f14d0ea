//! A client that writes all the time and remembers what it was told. After whatever happens to the
//! servers meanwhile, every row that was acknowledged must be there, and none that was never sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mesh_integration::eventually::eventually;
use mesh_integration::sql::Session;
use tokio::task::JoinHandle;

pub(crate) struct Writer {
    address: String,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    task: JoinHandle<Written>,
}

#[derive(Default)]
struct Written {
    acknowledged: BTreeSet<u64>,
    sent: u64,
}

impl Writer {
    /// Makes the table and starts writing.
    pub(crate) async fn start(address: &str) -> Self {
        let mut session = Session::connect(address).await.expect("a session");
        session
            .execute("CREATE DATABASE IF NOT EXISTS written")
            .await
            .expect("database");
        let table =
            "CREATE TABLE IF NOT EXISTS written.t (id BIGINT PRIMARY KEY, v VARCHAR(80), KEY (v))";
        session.execute(table).await.expect("table");
        session
            .execute("TRUNCATE TABLE written.t")
            .await
            .expect("empty");
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(write(
            address.to_owned(),
            Arc::clone(&stop),
            Arc::clone(&acknowledged),
        ));
        Self {
            address: address.to_owned(),
            stop,
            acknowledged,
            task,
        }
    }

    /// Waits until so many more rows were acknowledged.
    pub(crate) async fn progress(&self, rows: u64) {
        let target = self.acknowledged.load(Ordering::SeqCst) + rows;
        eventually("acknowledged writes", Duration::from_secs(120), || async {
            let now = self.acknowledged.load(Ordering::SeqCst);
            anyhow::ensure!(now >= target, "{now} of {target}");
            Ok(())
        })
        .await
        .expect("the writer goes on");
    }

    /// Stops writing and compares the table with what was acknowledged.
    pub(crate) async fn verify(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let written = self.task.await.expect("the writer ends");
        let mut session = Session::connect(&self.address).await.expect("a session");
        let rows = session
            .rows("SELECT id FROM written.t")
            .await
            .expect("all rows");
        let stored: BTreeSet<u64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
        let lost: Vec<_> = written.acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert!(stored.iter().all(|id| *id < written.sent));
        session
            .execute("ADMIN CHECK TABLE written.t")
            .await
            .expect("index and rows agree");
        written.acknowledged.len()
    }
}

async fn write(address: String, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicU64>) -> Written {
    let mut written = Written::default();
    let mut session = None;
    while !stop.load(Ordering::SeqCst) {
        let Some(open) = &mut session else {
            session = Session::connect(&address).await.ok();
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let id = written.sent;
        written.sent += 1;
        let insert = format!("INSERT INTO written.t VALUES ({id}, REPEAT('v{id}', 5))");
        match tokio::time::timeout(Duration::from_secs(60), open.run(&insert)).await {
            Ok(Ok(outcome)) if outcome.error.is_none() => {
                written.acknowledged.insert(id);
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => session = None,
        }
    }
    written
}
