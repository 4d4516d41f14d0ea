//! Tenants that come and go: ids and ports are used again, never before what was stored under them
//! is proven gone, whatever dies meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_integration::admin::TenantInfo;
use mesh_integration::dump::{Dump, Ranges};
use mesh_integration::eventually::eventually;
use mesh_integration::stack::{Stack, StackPlan};
use reqwest::Method;

use crate::hand::Hand;
use crate::runner::run;

/// More than the ports of a stack serve at once.
const LIVES: u32 = 50;

async fn bare(name: &str) -> Stack {
    let plan = StackPlan::new(name).tenants(&["keeper"]).tidb_per_tenant(0);
    plan.start().await.expect("starts")
}

async fn delete(stack: &Stack, name: &str) {
    let path = format!("/v1/tenants/{name}");
    let answer = stack
        .admin()
        .unwrap()
        .call(Method::DELETE, &path, None)
        .await;
    let (status, body) = answer.unwrap();
    assert_eq!(status, 200, "{body}");
}

async fn stored(stack: &Stack, tenant: &TenantInfo) -> Vec<String> {
    let dump = Dump::read(&stack.storage.engine_status_address())
        .await
        .unwrap();
    let inside = dump.inside(&Ranges::parse(&tenant.ranges).unwrap());
    inside.into_iter().map(|entry| entry.line.clone()).collect()
}

/// Two versions, a tombstone's worth of history, and a lock.
async fn fill(tenant: &TenantInfo) {
    let hand = Hand::of(tenant).await;
    let (key, now) = (Hand::key(1, 1), Hand::now());
    hand.put(&key, b"old", now).await.unwrap();
    hand.put(&key, b"new", now + 10).await.unwrap();
    hand.lock(&Hand::key(2, 1), b"never", now + 20)
        .await
        .unwrap();
}

#[test]
fn fifty_tenants_come_and_go_and_an_id_is_used_again_only_after_its_data_is_proven_gone() {
    run(async {
        let stack = bare("tenancy-loop").await;
        let keeper = stack.tenants["keeper"].info.clone();
        fill(&keeper).await;
        let kept = stored(&stack, &keeper).await;
        assert!(kept.len() >= 3, "{kept:?}");
        let admin = stack.admin().unwrap();
        let mut lives: BTreeMap<u32, u32> = BTreeMap::new();
        for life in 0..LIVES {
            let name = format!("t{life}");
            let tenant = admin.create_tenant(&name, "table").await.unwrap();
            assert_ne!(tenant.id, keeper.id);
            assert_eq!(
                stored(&stack, &tenant).await,
                Vec::<String>::new(),
                "{name} begins empty"
            );
            *lives.entry(tenant.id).or_default() += 1;
            fill(&tenant).await;
            assert!(stored(&stack, &tenant).await.len() >= 3);
            delete(&stack, &name).await;
            assert_eq!(stored(&stack, &tenant).await, Vec::<String>::new());
        }
        assert!(
            lives.values().any(|lives| *lives > 1),
            "ids are used again: {lives:?}"
        );
        assert_eq!(
            stored(&stack, &keeper).await,
            kept,
            "the neighbour keeps every byte"
        );
        let log = std::fs::read_to_string(stack.dir.join("gateway.log")).unwrap();
        each_reuse_follows_a_release(&log);
        stack.stop().await;
    });
}

/// The log is in order: after `destroyed` an id is served again only after `released`, and both
/// looks went down to the bytes.
fn each_reuse_follows_a_release(log: &str) {
    let mut reserved: BTreeSet<String> = BTreeSet::new();
    let (mut destroyed, mut released) = (0, 0);
    for line in log.lines() {
        let scope = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("scope="));
        let Some(scope) = scope else { continue };
        if line.contains("what=\"destroyed\"") {
            assert!(line.contains("proof=\"physical\""), "{line}");
            assert!(reserved.insert(scope.to_owned()), "{line}");
            destroyed += 1;
        } else if line.contains("what=\"released\"") {
            assert!(line.contains("proof=\"physical\""), "{line}");
            assert!(reserved.remove(scope), "{line}");
            released += 1;
        } else if line.contains("tenant is served") {
            assert!(!reserved.contains(scope), "served while reserved: {line}");
        }
    }
    assert_eq!(destroyed, LIVES);
    assert!(released > 0, "nothing was released");
}

#[test]
fn a_gateway_killed_while_it_destroys_finishes_after_its_restart() {
    run(async {
        let stack = bare("tenancy-kill").await;
        let keeper = stack.tenants["keeper"].info.clone();
        fill(&keeper).await;
        let kept = stored(&stack, &keeper).await;
        let gateway = stack.gateway.as_ref().unwrap();
        for (life, after) in [0, 60, 400].into_iter().enumerate() {
            let name = format!("k{life}");
            let tenant = stack
                .admin()
                .unwrap()
                .create_tenant(&name, "table")
                .await
                .unwrap();
            fill(&tenant).await;
            let admin = stack.admin().unwrap();
            let path = format!("/v1/tenants/{name}");
            let deleting =
                tokio::spawn(async move { admin.call(Method::DELETE, &path, None).await });
            tokio::time::sleep(Duration::from_millis(after)).await;
            gateway.process.kill().await;
            let _ = deleting.await.unwrap();
            gateway.restart().await.expect("starts again");
            finish(&stack, &name, &tenant).await;
            assert_eq!(stored(&stack, &keeper).await, kept);
        }
        stack.stop().await;
    });
}

/// Nothing but the deletion's first transaction is needed; if not even that was made, the tenant is
/// whole and is deleted again.
async fn finish(stack: &Stack, name: &str, tenant: &TenantInfo) {
    let path = format!("/v1/tenants/{name}");
    let admin = stack.admin().unwrap();
    let (status, found) = admin.call(Method::GET, &path, None).await.unwrap();
    if status == 200 && found["state"] == "active" {
        delete(stack, name).await;
    }
    let limit = Duration::from_secs(120);
    eventually("the name is free", limit, async || {
        let (status, found) = admin.call(Method::GET, &path, None).await?;
        anyhow::ensure!(status == 404, "{found}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(stored(stack, tenant).await, Vec::<String>::new());
    eventually("the id is released", limit, async || {
        let log = std::fs::read_to_string(stack.dir.join("gateway.log"))?;
        let line = |line: &str| line.contains("released") && line.contains(name);
        anyhow::ensure!(log.lines().any(line), "not yet");
        Ok(())
    })
    .await
    .unwrap();
}
