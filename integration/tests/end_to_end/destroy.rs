//! Dropping data in one tenant: it is really removed from the engine, and the other tenant keeps
//! every byte, although its tables have the same ids.

use std::time::Duration;

use mesh_integration::dump::Dump;
use mesh_integration::eventually::eventually;
use mesh_integration::http::{client, get_json};
use mesh_integration::sql::Session;
use mesh_integration::stack::{Stack, StackPlan};

use crate::isolation::physical_table_prefix;
use crate::runner::run;
use crate::shared::lines_of;

const TABLES: [&str; 3] = ["one", "two", "three"];

#[test]
fn what_alpha_drops_is_removed_and_beta_keeps_every_byte() {
    run(async {
        let plan = StackPlan::new("destroy").tenants(&["alpha", "beta"]);
        let stack = plan.start().await.expect("starts");
        let ids = fill(&mut stack.session("alpha").await.unwrap()).await;
        assert_eq!(
            ids,
            fill(&mut stack.session("beta").await.unwrap()).await,
            "the same ids"
        );
        // A silent beta writes nothing, so every byte of it must stay.
        stack.tidb("beta").unwrap().stop().await;
        let before = lines_of(&stack, "beta").await;
        let mut alpha = stack.session("alpha").await.unwrap();
        alpha.execute("DROP TABLE shop.two").await.unwrap();
        alpha.execute("TRUNCATE TABLE shop.three").await.unwrap();
        alpha.execute("DROP DATABASE shop").await.unwrap();
        assert_eq!(
            before,
            lines_of(&stack, "beta").await,
            "beta changed by the drop alone"
        );
        let dropped_at = now_ms();
        // The servers tell each other their oldest transaction twice a minute; it holds back removal.
        tokio::time::sleep(Duration::from_secs(35)).await;
        advance_the_clock(&stack, 60).await;
        eventually(
            "the dropped tables' removal",
            Duration::from_secs(400),
            || async {
                let left = rows_left(&stack, "alpha", &ids).await;
                anyhow::ensure!(left == 0, "{left} entries left");
                Ok(())
            },
        )
        .await
        .unwrap();
        assert_eq!(
            before,
            lines_of(&stack, "beta").await,
            "beta changed by alpha's garbage collection"
        );
        let held = garbage_collected_to_ms(&stack).await;
        assert!(
            held < dropped_at,
            "beta is silent, yet its snapshots are collected: {held} ms, now {dropped_at} ms"
        );
        let tidb = stack.tidb("beta").unwrap();
        tidb.restart().await.expect("beta starts again");
        beta_reads_all(&stack).await;
        // It notes the time of its start as that of its last collection; the next is minutes away.
        advance_the_clock(&stack, 90).await;
        eventually(
            "the storage's own garbage collection, once no tenant holds it back",
            Duration::from_secs(400),
            || async {
                let reached = garbage_collected_to_ms(&stack).await;
                anyhow::ensure!(
                    reached > dropped_at,
                    "{reached} ms, not yet {dropped_at} ms"
                );
                Ok(())
            },
        )
        .await
        .unwrap();
        beta_reads_all(&stack).await;
        stack.stop().await;
    });
}

/// PD's own GC safe point, which the stores follow, as a time in milliseconds. A timestamp has 18
/// bits of counter below its milliseconds.
async fn garbage_collected_to_ms(stack: &Stack) -> u64 {
    let pd = stack.storage.pd_address();
    let answer = get_json(&format!("http://{pd}/pd/api/v1/gc/safepoint")).await;
    answer.unwrap()["gc_safe_point"].as_u64().unwrap() >> 18
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

async fn fill(session: &mut Session) -> Vec<u64> {
    session.execute("CREATE DATABASE shop").await.unwrap();
    let mut ids = Vec::new();
    for table in TABLES {
        session
            .execute(&format!(
                "CREATE TABLE shop.{table} (id INT PRIMARY KEY, v VARCHAR(50), KEY (v))"
            ))
            .await
            .unwrap();
        session
            .execute("SET cte_max_recursion_depth = 2000")
            .await
            .unwrap();
        let rows = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 500) SELECT n, CONCAT('v', n) FROM s";
        session
            .execute(&format!("INSERT INTO shop.{table} {rows}"))
            .await
            .unwrap();
        session
            .execute(&format!(
                "UPDATE shop.{table} SET v = CONCAT(v, '!') WHERE id < 100"
            ))
            .await
            .unwrap();
        let id = format!(
            "SELECT tidb_table_id FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = '{table}'"
        );
        ids.push(session.value(&id).await.unwrap().parse().unwrap());
    }
    ids
}

async fn rows_left(stack: &Stack, tenant: &str, tables: &[u64]) -> usize {
    let dump = Dump::read(&stack.storage.engine_status_address())
        .await
        .unwrap();
    let tenant = stack.tenants[tenant].info.id;
    let prefixes: Vec<_> = tables
        .iter()
        .map(|table| physical_table_prefix(tenant, *table))
        .collect();
    let dropped = |key: &[u8]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    dump.entries
        .iter()
        .filter(|entry| dropped(&entry.key))
        .count()
}

/// Moves PD's clock ahead, so that what was dropped just now is old enough to be removed.
async fn advance_the_clock(stack: &Stack, minutes: u64) {
    let pd = stack.storage.pd_address();
    let later = now_ms() + minutes * 60 * 1000;
    let body = serde_json::json!({ "tso": (later << 18).to_string() });
    let url = format!("http://{pd}/pd/api/v1/admin/reset-ts");
    let answer = client()
        .unwrap()
        .post(url)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
    get_json(&format!("http://{pd}/pd/api/v1/members"))
        .await
        .unwrap();
}

async fn beta_reads_all(stack: &Stack) {
    let mut beta = stack.session("beta").await.unwrap();
    for table in TABLES {
        assert_eq!(
            beta.value(&format!("SELECT COUNT(*) FROM shop.{table}"))
                .await
                .unwrap(),
            "500"
        );
        beta.execute(&format!("ADMIN CHECK TABLE shop.{table}"))
            .await
            .unwrap();
    }
}
