//! Regions that split all the time while both tenants write: nothing breaks, and no region ever
//! holds keys of two tenants.

use std::time::Duration;

use mesh_integration::dump::Ranges;
use mesh_integration::http::get_json;
use mesh_integration::sql::Session;
use mesh_integration::stack::{Stack, StackPlan};

use crate::runner::run;
use crate::shared::ranges_of;

const REGION_SIZE: u64 = 48 * 1024;
const BATCHES: usize = 60;
const ROWS: usize = 100;

#[test]
fn regions_split_while_both_tenants_write() {
    run(async {
        let plan = StackPlan::new("regions")
            .tenants(&["alpha", "beta"])
            .region_size(REGION_SIZE);
        let stack = plan.start().await.expect("starts");
        let before = region_count(&stack).await;
        let mut tables = Vec::new();
        for name in ["alpha", "beta"] {
            tables.push(tokio::spawn(write(stack.session(name).await.unwrap())));
        }
        while tables.iter().any(|table| !table.is_finished()) {
            no_region_spans_tenants(&stack).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for table in tables {
            table.await.expect("all writes and checks succeed");
        }
        no_region_spans_tenants(&stack).await;
        let after = region_count(&stack).await;
        assert!(after > before + 48, "{before} regions became {after} only");
        stack.stop().await;
    });
}

async fn write(mut session: Session) {
    session.execute("CREATE DATABASE grow").await.unwrap();
    session.execute("CREATE TABLE grow.t (id INT PRIMARY KEY, k INT, v VARCHAR(600), KEY (k), KEY kv (v(30)))").await.unwrap();
    for batch in 0..BATCHES {
        // Spread over the key space, so that regions in the middle split too.
        let rows: Vec<String> = (0..ROWS)
            .map(|row| (row * BATCHES + batch, row))
            .map(|(id, row)| {
                format!(
                    "({id}, {}, REPEAT('{}', 100))",
                    id * 7919 % 6007,
                    row % 10 + id * 10
                )
            })
            .collect();
        session
            .execute(&format!("INSERT INTO grow.t VALUES {}", rows.join(",")))
            .await
            .unwrap();
        let found = session
            .value(&format!(
                "SELECT COUNT(*) FROM grow.t WHERE id % {BATCHES} = {batch}"
            ))
            .await
            .unwrap();
        assert_eq!(found, ROWS.to_string());
    }
    let total = (BATCHES * ROWS).to_string();
    assert_eq!(
        session.value("SELECT COUNT(*) FROM grow.t").await.unwrap(),
        total
    );
    assert_eq!(
        session
            .value("SELECT COUNT(*) FROM grow.t USE INDEX (k) WHERE k >= 0")
            .await
            .unwrap(),
        total
    );
    let backwards = session
        .rows("SELECT id FROM grow.t ORDER BY id DESC LIMIT 5000, 3")
        .await
        .unwrap();
    assert_eq!(backwards.concat(), ["999", "998", "997"]);
    session
        .execute("UPDATE grow.t SET k = k + 1")
        .await
        .unwrap();
    session.execute("ADMIN CHECK TABLE grow.t").await.unwrap();
    session
        .execute("DELETE FROM grow.t WHERE id % 3 = 0")
        .await
        .unwrap();
    session.execute("ADMIN CHECK TABLE grow.t").await.unwrap();
}

async fn region_count(stack: &Stack) -> usize {
    bounds(stack).await.len()
}

async fn no_region_spans_tenants(stack: &Stack) {
    let tenants = [ranges_of(stack, "alpha"), ranges_of(stack, "beta")];
    for (start, end) in bounds(stack).await {
        let touched = tenants
            .iter()
            .filter(|ranges: &&Ranges| ranges.touch(&start, &end))
            .count();
        assert!(
            touched < 2,
            "a region from {} to {} spans tenants",
            hex::encode(start),
            hex::encode(end)
        );
    }
}

/// The raw bounds of all regions, as PD has them.
async fn bounds(stack: &Stack) -> Vec<(Vec<u8>, Vec<u8>)> {
    let url = format!("http://{}/pd/api/v1/regions", stack.storage.pd_address());
    let answer = get_json(&url).await.unwrap();
    let regions = answer["regions"].as_array().expect("regions").iter();
    regions
        .map(|region| (raw(&region["start_key"]), raw(&region["end_key"])))
        .collect()
}

/// PD's keys are in hex of the memcomparable form: groups of eight bytes and a marker.
fn raw(key: &serde_json::Value) -> Vec<u8> {
    let encoded = hex::decode(key.as_str().unwrap_or_default()).expect("hex");
    let mut raw = Vec::new();
    for group in encoded.chunks(9) {
        let padding = 0xFF - usize::from(group[8]);
        raw.extend_from_slice(&group[..8 - padding]);
    }
    raw
}
