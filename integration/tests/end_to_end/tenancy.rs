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
        let Some((_, rest)) = line.split_once("table/") else {
            continue;
        };
        let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if line.contains("what=\"destroyed\"") {
            assert!(line.contains("physical"), "{line}");
            assert!(reserved.insert(id), "{line}");
            destroyed += 1;
        } else if line.contains("what=\"released\"") {
            assert!(line.contains("physical"), "{line}");
            assert!(reserved.remove(&id), "{line}");
            released += 1;
        } else if line.contains("tenant is served") {
            assert!(!reserved.contains(&id), "served while reserved: {line}");
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

async fn command(stack: &Stack, tenant: &str, what: &str) -> serde_json::Value {
    let path = format!("/v1/tenants/{tenant}/{what}");
    let answer = stack.admin().unwrap().call(Method::POST, &path, None).await;
    let (status, body) = answer.unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

/// Services that PD keeps old versions for.
async fn held(stack: &Stack) -> String {
    let url = format!(
        "http://{}/pd/api/v1/gc/safepoint",
        stack.storage.pd_address()
    );
    mesh_integration::http::get_text(&url).await.unwrap()
}

#[test]
fn a_suspended_tenant_is_told_so_keeps_its_data_and_holds_no_garbage_back() {
    run(async {
        let mut stack = bare("tenancy-suspend").await;
        stack.create_tenant("alpha").await.unwrap();
        let alpha = stack.tenants["alpha"].info.clone();
        let keeper = stack.tenants["keeper"].info.clone();
        let (key, now) = (Hand::key(1, 1), Hand::now());
        let hand = Hand::of(&alpha).await;
        hand.put(&key, b"kept", now).await.unwrap();
        let service = format!("tidb-mesh/table/{}", alpha.id);
        assert!(held(&stack).await.contains(&service));

        assert_eq!(
            command(&stack, "alpha", "suspend").await["state"],
            "suspended"
        );
        assert_eq!(
            command(&stack, "alpha", "suspend").await["state"],
            "suspended"
        );
        let refusal = hand.get(&key, now + 9).await.unwrap_err();
        assert_eq!(refusal.code(), tonic::Code::Unavailable);
        let store = crate::rawrpc::channel(&alpha.stores[0].address).await;
        let refusal = crate::rawrpc::call(&store, "/tikvpb.Tikv/KvGet", Vec::new()).await;
        assert!(
            refusal
                .unwrap_err()
                .message()
                .contains("alpha is suspended")
        );
        let url = format!("http://{}/pd/api/v1/members", alpha.pd);
        let answer = mesh_integration::http::client()
            .unwrap()
            .get(url)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 503);
        assert!(answer.text().await.unwrap().contains("alpha is suspended"));
        assert!(!held(&stack).await.contains(&service));
        let other = Hand::of(&keeper).await;
        other.put(&key, b"served", now).await.unwrap();
        // A restart forgets nothing of it.
        let gateway = stack.gateway.as_ref().unwrap();
        gateway.stop().await;
        gateway.restart().await.unwrap();
        let told = stack.admin().unwrap().tenant("alpha").await.unwrap();
        assert_eq!(told.state, "suspended");

        assert_eq!(command(&stack, "alpha", "resume").await["state"], "active");
        assert!(held(&stack).await.contains(&service));
        let hand = Hand::of(&alpha).await;
        assert_eq!(hand.get(&key, now + 9).await.unwrap(), b"kept");

        // Another name: its clients go on where they are.
        let body = serde_json::json!({"name": "omega"});
        let admin = stack.admin().unwrap();
        let path = "/v1/tenants/alpha/rename";
        let (status, renamed) = admin.call(Method::POST, path, Some(&body)).await.unwrap();
        assert_eq!(
            (status, &renamed["name"], &renamed["pd"]),
            (200, &body["name"], &alpha.pd.clone().into())
        );
        assert_eq!(hand.get(&key, now + 9).await.unwrap(), b"kept");
        assert!(admin.tenant("alpha").await.is_err());
        stack.stop().await;
    });
}

#[test]
fn a_viewer_changes_nothing_and_the_attempt_is_written_down() {
    run(async {
        let stack = bare("tenancy-roles").await;
        let viewer = stack.gateway.as_ref().unwrap().viewer().unwrap();
        assert!(viewer.tenant("keeper").await.is_ok());
        let (status, usage) = viewer
            .call(Method::GET, "/v1/tenants/keeper/usage", None)
            .await
            .unwrap();
        assert_eq!(status, 200, "{usage}");
        assert!(usage["disk"]["regions"].as_u64().unwrap() >= 2, "{usage}");
        for (method, path) in [
            (Method::DELETE, "/v1/tenants/keeper"),
            (Method::POST, "/v1/tenants/keeper/suspend"),
            (Method::PUT, "/v1/tenants/keeper/limits"),
        ] {
            let body = serde_json::json!({});
            let (status, answer) = viewer.call(method, path, Some(&body)).await.unwrap();
            assert_eq!(status, 403, "{answer}");
            assert_eq!(answer["error"]["code"], "denied");
        }
        assert_eq!(
            stack.admin().unwrap().tenant("keeper").await.unwrap().state,
            "active"
        );
        let audit = std::fs::read_to_string(stack.dir.join("audit.jsonl")).unwrap();
        let lines: Vec<serde_json::Value> = audit
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let denied = |what: &str| {
            lines.iter().any(|line| {
                (&line["who"], &line["what"], &line["outcome"])
                    == (&"viewer".into(), &what.into(), &"denied".into())
            })
        };
        assert!(
            denied("delete") && denied("suspend") && denied("set limits"),
            "{audit}"
        );
        let created = |line: &serde_json::Value| {
            line["who"] == "operator" && line["what"] == "create" && line["outcome"] == "done"
        };
        assert!(lines.iter().any(created), "{audit}");
        stack.stop().await;
    });
}

const HOG_LIMIT: u64 = 5;
const HOGS: u64 = 40;

#[test]
fn a_hog_waits_at_its_own_gate_and_its_neighbour_at_none() {
    run(async {
        let mut stack = bare("tenancy-hog").await;
        stack.create_tenant("hog").await.unwrap();
        let admin = stack.admin().unwrap();
        let limits = serde_json::json!({"requests_per_second": HOG_LIMIT});
        let (status, set) = admin
            .call(Method::PUT, "/v1/tenants/hog/limits", Some(&limits))
            .await
            .unwrap();
        assert_eq!((status, set), (200, limits));
        let (key, now) = (Hand::key(1, 1), Hand::now());
        let hog = stack.tenants["hog"].info.clone();
        let began = std::time::Instant::now();
        let mut greedy = tokio::task::JoinSet::new();
        for _ in 0..HOGS {
            let (hog, key) = (hog.clone(), key.clone());
            greedy.spawn(async move {
                let store = crate::rawrpc::channel(&hog.stores[0].address).await;
                Hand::is_told_busy(&store, &key).await
            });
        }
        let neighbour = Hand::of(&stack.tenants["keeper"].info).await;
        for round in 0..20 {
            neighbour.put(&key, b"x", now + 10 * round).await.unwrap();
        }
        let told = greedy.join_all().await;
        let busy = told.iter().filter(|busy| **busy).count() as u64;
        let passed = HOGS - busy;
        // A second's worth at once, and then the rate.
        let most = HOG_LIMIT * (began.elapsed().as_secs() + 2);
        assert!(
            busy > 0 && passed <= most,
            "{passed} of {HOGS} passed, at most {most} may"
        );
        let usage = async |tenant: &str| {
            let path = format!("/v1/tenants/{tenant}/usage");
            admin.call(Method::GET, &path, None).await.unwrap().1
        };
        assert_eq!(usage("hog").await["gateway"]["refused"], busy);
        let keeper = usage("keeper").await;
        assert_eq!(keeper["gateway"]["refused"], 0);
        assert_eq!(keeper["gateway"]["waiting"], 0);
        assert_eq!(
            keeper["gateway"]["in_flight_requests"], 0,
            "everything is given back"
        );
        stack.stop().await;
    });
}

#[test]
fn a_tidb_over_its_limit_is_slowed_and_no_statement_fails() {
    run(async {
        let plan = StackPlan::new("tenancy-slow").tenants(&["alpha"]);
        let stack = plan.start().await.expect("starts");
        let admin = stack.admin().unwrap();
        stack
            .session("alpha")
            .await
            .unwrap()
            .execute("CREATE TABLE test.t (id INT PRIMARY KEY, v INT)")
            .await
            .unwrap();
        let limits = serde_json::json!({
            "requests_per_second": 300, "in_flight_requests": 4,
        });
        let path = "/v1/tenants/alpha/limits";
        let (status, answer) = admin.call(Method::PUT, path, Some(&limits)).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let mut session = stack.session("alpha").await.unwrap();
            writers.spawn(async move {
                for row in 0..25 {
                    let id = writer * 100 + row;
                    let insert = format!("INSERT INTO test.t VALUES ({id}, {row})");
                    session.execute(&insert).await.expect("slow, not failed");
                }
            });
        }
        writers.join_all().await;
        let mut session = stack.session("alpha").await.unwrap();
        assert_eq!(
            session.value("SELECT COUNT(*) FROM test.t").await.unwrap(),
            "200"
        );
        session.execute("ADMIN CHECK TABLE test.t").await.unwrap();
        stack.stop().await;
    });
}
