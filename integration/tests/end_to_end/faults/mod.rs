//! Everything fails, one after the other, while two tenants work: what their clients were told must
//! be what one database each, that loses nothing, could have told them.
//!
//! Two gateways stand behind relays, as behind a load balancer; one more relay stands before the
//! store. Recovery times are printed, never asserted.

mod append;
mod bank;
mod load;

use std::time::{Duration, Instant};

use mesh_integration::dump::Dump;
use mesh_integration::eventually::eventually;
use mesh_integration::history::Fate;
use mesh_integration::history::append::Transaction;
use mesh_integration::relay::Faults;
use mesh_integration::stack::{Relayed, Stack, StackPlan};
use nix::sys::signal::Signal;

use crate::pd_leader::{healthy, leader};
use crate::runner::run;
use crate::shared::ranges_of;
use load::Client;

const TENANTS: [&str; 2] = ["alpha", "beta"];
/// Of each kind, in each tenant.
const CLIENTS: u64 = 2;
/// Ids of one client, and of one tenant, so that whatever crosses is nobody's.
const PER_CLIENT: u64 = 1_000_000;
const PER_TENANT: u64 = 1_000_000_000;
/// How long a fault of the network or a stall lasts.
const WHILE: Duration = Duration::from_secs(3);
const RECOVERY: Duration = Duration::from_secs(180);

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_torn_whatever_fails() {
    run(async {
        let plan = StackPlan::new("faults").tenants(&TENANTS).pd_servers(3);
        let stack = plan.relayed().start().await.expect("starts");
        let mut work = Vec::new();
        for (index, tenant) in TENANTS.into_iter().enumerate() {
            work.push(Work::start(&stack, tenant, (index as u64 + 1) * PER_TENANT).await);
        }
        recovered("no fault", Instant::now(), &work).await;
        gateways_fail(&stack, &work).await;
        storage_fails(&stack, &work).await;
        the_network_fails(stack.relayed.as_ref().unwrap(), &work).await;
        a_tidb_fails(&stack, &work).await;
        for tenant in work {
            tenant.verify().await;
        }
        let dump = Dump::read(&stack.storage.engine_status_address()).await;
        let ranges = TENANTS.map(|tenant| ranges_of(&stack, tenant));
        let dump = dump.unwrap();
        let strangers = dump.outside(&ranges.iter().collect::<Vec<_>>());
        assert!(strangers.is_empty(), "keys of nobody: {}", strangers.len());
        stack.stop().await;
    });
}

async fn gateways_fail(stack: &Stack, work: &[Work]) {
    let first = stack.gateway.as_ref().unwrap();
    let second = &stack.relayed.as_ref().unwrap().replica;
    let began = Instant::now();
    first.process.kill().await;
    recovered("one of two gateways killed", began, work).await;
    let began = Instant::now();
    second.process.kill().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    second.restart().await.expect("starts again");
    recovered("the only gateway killed and started after 1 s", began, work).await;
    first.restart().await.expect("starts again");
}

async fn storage_fails(stack: &Stack, work: &[Work]) {
    let storage = &stack.storage;
    let led = leader(stack).await;
    let began = Instant::now();
    storage.pd_servers()[led].kill().await;
    recovered("PD's leader killed, another leads", began, work).await;
    assert_ne!(leader(stack).await, led, "another one leads");
    storage.pd_servers()[led].start_again().unwrap();
    healthy(stack).await;
    let began = Instant::now();
    storage.engine.kill().await;
    storage.restart_engine().await.expect("starts again");
    recovered("the store killed and started", began, work).await;
    storage.engine.signal(Signal::SIGSTOP);
    tokio::time::sleep(WHILE).await;
    storage.engine.signal(Signal::SIGCONT);
    recovered("the store going on after a stall", Instant::now(), work).await;
}

async fn the_network_fails(network: &Relayed, work: &[Work]) {
    let all: Vec<&Faults> = network.tenants.values().chain([&network.store]).collect();
    let began = Instant::now();
    all.iter()
        .for_each(|part| part.delay(Duration::from_millis(20)));
    recovered("while everything takes 20 ms longer", began, work).await;
    all.iter().for_each(|part| part.none());
    all.iter().for_each(|part| part.lose_one_in(150));
    tokio::time::sleep(WHILE).await;
    all.iter().for_each(|part| part.none());
    recovered("after lost connections everywhere", Instant::now(), work).await;
    for (side, parts) in [
        ("tenants'", &all[..TENANTS.len()]),
        ("the store's", &all[TENANTS.len()..]),
    ] {
        let began = Instant::now();
        parts.iter().for_each(|part| part.half_open());
        recovered(&format!("{side} connections half open"), began, work).await;
    }
    let (slow, other) = (&network.tenants[TENANTS[0]], &work[1..]);
    slow.stop_reading();
    recovered(
        "the other tenant, while one reads nothing",
        Instant::now(),
        other,
    )
    .await;
    tokio::time::sleep(WHILE).await;
    slow.none();
    recovered("the slow reader", Instant::now(), work).await;
}

async fn a_tidb_fails(stack: &Stack, work: &[Work]) {
    let tidb = stack.tidb(TENANTS[0]).unwrap();
    let began = Instant::now();
    tidb.process.kill().await;
    recovered(
        "the other tenant, while one's TiDB is down",
        began,
        &work[1..],
    )
    .await;
    tidb.restart().await.expect("starts again");
    recovered("a TiDB killed and started", began, work).await;
}

/// Waits until every client was acknowledged more, and tells how long that took.
async fn recovered(what: &str, began: Instant, work: &[Work]) {
    let before: Vec<u64> = work.iter().flat_map(Work::acknowledged).collect();
    eventually(what, RECOVERY, || async {
        let now: Vec<u64> = work.iter().flat_map(Work::acknowledged).collect();
        let more = before
            .iter()
            .zip(&now)
            .all(|(before, now)| *now >= before + 2);
        anyhow::ensure!(more, "{before:?} then, {now:?} now");
        Ok(())
    })
    .await
    .unwrap();
    println!(
        "{what}: all clients go on after {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

/// What one tenant's clients do.
struct Work {
    tenant: &'static str,
    address: String,
    bank: Vec<Client<bank::Memory>>,
    lists: Vec<Client<Vec<Transaction>>>,
}

impl Work {
    async fn start(stack: &Stack, tenant: &'static str, first: u64) -> Self {
        let address = stack.tidb(tenant).unwrap().mysql();
        bank::open(&address).await;
        append::open(&address).await;
        let firsts = (0..CLIENTS).map(|client| first + client * PER_CLIENT);
        Self {
            tenant,
            bank: firsts
                .clone()
                .map(|first| bank::client(&address, first))
                .collect(),
            lists: firsts
                .map(|first| append::client(&address, first))
                .collect(),
            address,
        }
    }

    fn acknowledged(&self) -> Vec<u64> {
        let bank = self.bank.iter().map(Client::acknowledged);
        let lists = self.lists.iter().map(Client::acknowledged);
        bank.chain(lists).collect()
    }

    async fn verify(self) {
        let (mut banked, mut listed) = (Vec::new(), Vec::new());
        for client in self.bank {
            banked.push(client.finish().await);
        }
        for client in self.lists {
            listed.push(client.finish().await);
        }
        let bank = bank::history(&self.address, banked).await;
        let lists = append::history(&self.address, listed).await;
        let transfers = bank.transfers.iter().map(|it| it.fate);
        println!(
            "{}: transfers {}, {} reads of all accounts",
            self.tenant,
            counted(transfers),
            bank.snapshots.len()
        );
        let transactions = lists.transactions.iter().map(|it| it.fate);
        println!("{}: lists {}", self.tenant, counted(transactions));
        let faults = [bank.faults(), lists.faults()].concat();
        assert!(faults.is_empty(), "{}: {faults:#?}", self.tenant);
    }
}

fn counted(fates: impl Iterator<Item = Fate> + Clone) -> String {
    let count = |fate| fates.clone().filter(|it| *it == fate).count();
    let (done, failed) = (count(Fate::Acknowledged), count(Fate::Failed));
    format!(
        "{done} acknowledged, {failed} failed, {} unknown",
        count(Fate::Unknown)
    )
}
