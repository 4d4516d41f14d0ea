//! The isolation proof: a tenant that means harm calls everything with everything of its
//! neighbours', and they lose, show and notice nothing.
//!
//! What PD and the engine hold is written down before and after. The victims are a tenant whose
//! TiDB works all the time, a silent tenant, and tenant 0; the client (`integration/hostile`)
//! searches every answer for what it planted at them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesh_integration::dump::Dump;
use mesh_integration::eventually::eventually;
use mesh_integration::http::get_json;
use mesh_integration::layout;
use mesh_integration::progress::Progress;
use mesh_integration::servers::Servers;
use mesh_integration::sql::Session;
use mesh_integration::stack::{Stack, StackPlan};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::isolation::physical_table_prefix;
use crate::runner::run;
use crate::shared::ranges_of;

const ALPHA: &str = "alpha";
/// No other text holds these names, so they are found in answers; no secret is in them, because the
/// attacker knows them.
const BETA: &str = "beta-neighbour";
const GAMMA: &str = "gamma-neighbour";
/// Where the client plants rows: a table id that no TiDB uses yet, and one meta key.
const PLANTED_TABLES: [u64; 2] = [7001, 7002];
const PLANTED_META: &[u8] = b"Hostile";
/// How long the leases of a stopped TiDB may live on.
const SESSIONS_END: Duration = Duration::from_secs(120);
/// Calls after which an unmodified TiKV ends, and what no tenant has business with.
const DEADLY: [&str; 12] = [
    "KvImport",
    "BatchCommandsRequest_Request_Import",
    "UnsafeDestroyRange without a bound",
    "Analyze of type 3",
    "BatchCoprocessor",
    "DispatchMPPTask",
    "CancelMPPTask",
    "EstablishMPPConnection",
    "Raft",
    "Snapshot",
    "KvGC",
    "LockObserver",
];

#[test]
fn a_hostile_tenant_reads_changes_blocks_and_learns_nothing_of_others() {
    run(async {
        let client = Servers::hostile(&Progress::hidden()).await.expect("builds");
        let stack = started().await;
        let scene = write_scene(&stack);
        tenant_0_is_silent(&client, &scene).await;
        hostile(&client, &["plant".as_ref(), scene.as_ref()]).await;
        // Its tables make regions, so they come before the first dump.
        let work = Work::start(&stack.tidb(BETA).unwrap().mysql()).await;
        let still = planted_prefixes(stack.tenants[BETA].info.id, work.still);
        let before = Holdings::of(&stack, &client, &scene, &still, "before").await;
        let calls_before = engine_calls(&stack).await;
        let attacked = tried(&client, &["attack".as_ref(), scene.as_ref()]).await;
        let calls = engine_calls(&stack).await;
        let done = work.finish().await;
        println!("beta's TiDB did {done} rounds of work meanwhile");
        assert!(done > 20, "beta's TiDB hardly worked: {done}");
        let after = Holdings::of(&stack, &client, &scene, &still, "after").await;
        before.same_as(&after);
        attacked.expect("nothing was revealed");
        hostile(&client, &["aftermath".as_ref(), scene.as_ref()]).await;
        deadly_calls_stayed_out(&calls_before, &calls);
        assert!(stack.gateway.as_ref().unwrap().process.is_running());
        assert!(stack.storage.engine.is_running() && stack.storage.pd.is_running());
        nothing_panicked(&stack);
        stack.stop().await;
    });
}

/// What searches the answers must find what it is to find, or nothing is shown.
#[test]
fn the_hostile_clients_own_tests_pass() {
    let module = layout::server_modules_dir().unwrap().join("../hostile");
    let mut go = std::process::Command::new("go");
    let told = go.args(["test", "./..."]).current_dir(module).output();
    let told = told.expect("go runs");
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stdout)
    );
}

async fn started() -> Stack {
    let plan = StackPlan::new("hostile")
        .tenants(&[ALPHA, BETA, GAMMA])
        .tidb_per_tenant(0)
        .direct_tidb(1);
    let mut stack = plan.start().await.expect("starts");
    // Tenant 0 is silent, so that all of its bytes can be compared.
    stack.direct[0].stop().await;
    stack.add_tidb(BETA).await.expect("beta's TiDB starts");
    stack
}

/// The stopped TiDB of tenant 0 has left nothing that would go away later by itself.
async fn tenant_0_is_silent(client: &Path, scene: &Path) {
    let file = scene.with_file_name("pd-leases.txt");
    eventually(
        "the leases of tenant 0's TiDB end",
        SESSIONS_END,
        || async {
            hostile(client, &["dump".as_ref(), scene.as_ref(), file.as_ref()]).await;
            let dump = std::fs::read_to_string(&file)?;
            let mut zero = dump.lines().filter(|line| line.starts_with("zero\tetcd\t"));
            let leased = zero.find(|line| !line.contains("\tlease=0 "));
            anyhow::ensure!(leased.is_none(), "{leased:?}");
            Ok(())
        },
    )
    .await
    .unwrap();
}

/// Tells the client where everything is, also what no tenant may know.
fn write_scene(stack: &Stack) -> PathBuf {
    let storage = &stack.storage;
    let units = [(ALPHA, "qqq"), (BETA, "zq7"), (GAMMA, "xj9")];
    let tenants: Vec<_> = units
        .iter()
        .map(|(name, unit)| {
            let info = &stack.tenants[*name].info;
            json!({"name": name, "id": info.id, "pd": info.pd, "stores": info.stores, "unit": unit})
        })
        .collect();
    let mut secret = vec![
        storage.pd_address(),
        storage.tikv_address(),
        storage.engine_status_address(),
        stack.direct[0].mysql(),
        stack.gateway.as_ref().unwrap().admin_address().to_string(),
    ];
    for name in [BETA, GAMMA] {
        let info = &stack.tenants[name].info;
        secret.push(info.pd.clone());
        secret.extend(info.stores.iter().map(|store| store.address.clone()));
    }
    secret.push(stack.tidb(BETA).unwrap().mysql());
    let ports: Vec<u16> = secret
        .iter()
        .map(|address| address.rsplit_once(':').unwrap().1.parse().unwrap())
        .collect();
    let scene = json!({
        "seed": seed(), "real_pd": storage.pd_address(), "engine": storage.tikv_address(),
        "engine_status": storage.engine_status_address(), "tenants": tenants, "secret_ports": ports,
    });
    let path = stack.dir.join("scene.json");
    std::fs::write(&path, scene.to_string()).unwrap();
    path
}

/// Which of all possible messages are sent. One by default, so that a finding comes again; another
/// can be asked for, to look at others.
fn seed() -> u64 {
    let asked = std::env::var("MESH_HOSTILE_SEED").ok();
    asked.map_or(4, |seed| seed.parse().expect("a seed is a number"))
}

async fn hostile(client: &Path, args: &[&std::ffi::OsStr]) {
    tried(client, args).await.unwrap();
}

/// Runs the client and shows what it prints as it comes: an attack tells how far it is.
async fn tried(client: &Path, args: &[&std::ffi::OsStr]) -> Result<(), String> {
    let mut child = Command::new(client)
        .args(args)
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut errors = child.stderr.take().unwrap();
    let told = tokio::spawn(async move {
        let mut text = String::new();
        errors.read_to_string(&mut text).await.map(|_| text)
    });
    while let Some(line) = lines.next_line().await.unwrap() {
        println!("{line}");
    }
    let errors = told.await.unwrap().unwrap();
    match child.wait().await.unwrap().success() {
        true => Ok(()),
        false => Err(format!("{:?}: {errors}", args.first().unwrap())),
    }
}

/// All that is stored of anybody but alpha, as lines.
struct Holdings(BTreeMap<&'static str, BTreeSet<String>>);

impl Holdings {
    async fn of(stack: &Stack, client: &Path, scene: &Path, still: &[Vec<u8>], name: &str) -> Self {
        let file = stack.dir.join(format!("pd-{name}.txt"));
        hostile(client, &["dump".as_ref(), scene.as_ref(), file.as_ref()]).await;
        let mut kinds: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            if kept_still(line) {
                kinds
                    .entry("held by PD")
                    .or_default()
                    .insert(line.to_owned());
            }
        }
        let dump = Dump::read(&stack.storage.engine_status_address())
            .await
            .unwrap();
        let (alpha, beta) = (ranges_of(stack, ALPHA), ranges_of(stack, BETA));
        for entry in &dump.entries {
            let moving = beta.contain(&entry.key)
                && !still.iter().any(|prefix| entry.key.starts_with(prefix));
            if !moving && !alpha.contain(&entry.key) {
                kinds
                    .entry("stored by the engine")
                    .or_default()
                    .insert(entry.line.clone());
            }
        }
        Self(kinds)
    }

    fn same_as(&self, after: &Self) {
        for (kind, lines) in &self.0 {
            let later = &after.0[kind];
            println!("{kind}: {} lines compared", lines.len());
            assert!(lines.len() > 50, "{kind}: hardly anything to compare");
            let gone: Vec<_> = lines.difference(later).take(10).collect();
            let new: Vec<_> = later.difference(lines).take(10).collect();
            assert!(
                gone.is_empty() && new.is_empty(),
                "{kind} changed; gone: {gone:#?}, new: {new:#?}"
            );
        }
    }
}

/// Whether a line of PD's dump may not change: not alpha's own, and of the tenant whose TiDB works
/// only what was planted. What else moves by itself the client has left out of the lines.
fn kept_still(line: &str) -> bool {
    match line.split('\t').next().unwrap() {
        ALPHA => false,
        BETA => ["known", "leased", "zq7zq7"]
            .iter()
            .any(|planted| line.contains(planted)),
        _ => true,
    }
}

/// Where beta's TiDB doesn't write during the attack: what the client planted, and one of its tables.
fn planted_prefixes(tenant: u32, table: u64) -> Vec<Vec<u8>> {
    let id = u16::try_from(tenant).unwrap().to_be_bytes();
    let meta = [&[b'm', 1, id[0], id[1]][..], PLANTED_META].concat();
    let tables = PLANTED_TABLES.into_iter().chain([table]);
    let tables = tables.map(|table| physical_table_prefix(tenant, table));
    tables.chain([meta]).collect()
}

/// What the engine was asked, by kind of request.
async fn engine_calls(stack: &Stack) -> BTreeMap<String, u64> {
    let url = format!("http://{}/calls", stack.storage.engine_status_address());
    serde_json::from_value(get_json(&url).await.unwrap()).unwrap()
}

fn deadly_calls_stayed_out(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) {
    println!("calls that the engine saw: {after:?}");
    assert!(
        after.len() > 20,
        "the engine was hardly called: nothing is shown"
    );
    for (name, count) in after {
        let deadly = DEADLY.iter().any(|part| name.ends_with(part));
        assert!(
            !deadly || before.get(name) == Some(count),
            "{name} reached the engine {count} times"
        );
    }
}

/// The library below the engine ends a request by a panic where its plan doesn't fit the rows that it
/// reads (an index scan over rows, a plan without a scan). The engine catches that, and it is only
/// the caller's; any other panic is a finding.
const PLANS_OF_ONES_OWN: &str = "unistore/cophandler.";

fn nothing_panicked(stack: &Stack) {
    let log = std::fs::read_to_string(stack.dir.join("engine.log")).unwrap();
    let panics = log
        .lines()
        .filter(|line| line.contains("a request panicked"));
    let (plans, others): (Vec<&str>, Vec<&str>) =
        panics.partition(|line| line.contains(PLANS_OF_ONES_OWN));
    println!("{} plans that the engine's library gave up", plans.len());
    assert!(others.is_empty(), "{others:#?}");
}

/// A small bank of beta's: money moves between accounts, and the sum stays. Beside it a table that
/// nobody writes.
struct Work {
    address: String,
    /// The id of that table, and what it holds.
    still: u64,
    rows: Vec<Vec<String>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<u64>,
}

const STILL_ROWS: usize = 100;
const READ_STILL: &str = "SELECT * FROM zq7zq7zq7.still ORDER BY id";

impl Work {
    async fn start(address: &str) -> Self {
        let mut session = Session::connect(address).await.unwrap();
        for statement in [
            "CREATE DATABASE zq7zq7zq7",
            "CREATE TABLE zq7zq7zq7.bank (id INT PRIMARY KEY, money INT, note VARCHAR(90), KEY (note))",
            "CREATE TABLE zq7zq7zq7.still (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(90), KEY (v))",
            "INSERT INTO zq7zq7zq7.bank VALUES (1, 500, 'zq7zq7zq7zq7'), (2, 500, 'zq7zq7'), (3, 0, '')",
        ] {
            session.execute(statement).await.unwrap();
        }
        for _ in 0..STILL_ROWS {
            let insert = "INSERT INTO zq7zq7zq7.still (v) VALUES (CONCAT('zq7', UUID()))";
            session.execute(insert).await.unwrap();
        }
        let id = "SELECT tidb_table_id FROM information_schema.tables WHERE table_schema = 'zq7zq7zq7' AND table_name = 'still'";
        let still = session.value(id).await.unwrap().parse().unwrap();
        let rows = session.rows(READ_STILL).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(work(session, Arc::clone(&stop)));
        Self {
            address: address.to_owned(),
            still,
            rows,
            stop,
            task,
        }
    }

    /// How many rounds were done without an error; all that was to stay is there.
    async fn finish(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        let rounds = self.task.await.expect("no error at beta");
        let mut session = Session::connect(&self.address).await.expect("beta greets");
        assert_eq!(session.rows(READ_STILL).await.unwrap(), self.rows);
        for table in ["bank", "still"] {
            let check = format!("ADMIN CHECK TABLE zq7zq7zq7.{table}");
            session.execute(&check).await.expect("index and rows agree");
        }
        rounds
    }
}

async fn work(mut session: Session, stop: Arc<AtomicBool>) -> u64 {
    let mut rounds = 0;
    while !stop.load(Ordering::SeqCst) {
        let (from, to) = (rounds % 3 + 1, (rounds + 1) % 3 + 1);
        for statement in [
            "BEGIN PESSIMISTIC".to_owned(),
            format!("UPDATE zq7zq7zq7.bank SET money = money - 1 WHERE id = {from}"),
            format!("UPDATE zq7zq7zq7.bank SET money = money + 1 WHERE id = {to}"),
            "COMMIT".to_owned(),
        ] {
            session
                .execute(&statement)
                .await
                .expect("beta's own work goes on");
        }
        let sum = session
            .value("SELECT SUM(money) FROM zq7zq7zq7.bank")
            .await
            .unwrap();
        assert_eq!(sum, "1000");
        if rounds % 50 == 0 {
            session
                .execute("ADMIN CHECK TABLE zq7zq7zq7.bank")
                .await
                .expect("index and rows agree");
        }
        rounds += 1;
    }
    rounds
}
