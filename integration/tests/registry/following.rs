//! A followed table shows what the registry holds, through all that happens to etcd.

use std::sync::Arc;
use std::time::Duration;

use mesh_keyspace::Mode;
use mesh_tenants::{Registry, State, TenantTable, paths};
use tokio::sync::watch::Receiver;

use crate::pd::Pd;
use crate::{name, registry, replica, stores};

const SOON: Duration = Duration::from_secs(30);

async fn until(
    table: &mut Receiver<Arc<TenantTable>>,
    what: impl FnMut(&Arc<TenantTable>) -> bool,
) -> Arc<TenantTable> {
    let seen = tokio::time::timeout(SOON, table.wait_for(what)).await;
    Arc::clone(&seen.expect("the table never showed it").unwrap())
}

async fn create_active(registry: &Registry, tenant: &str) {
    registry
        .create(&name(tenant), Mode::Table, &stores([1]))
        .await
        .unwrap();
    registry
        .set_state(&name(tenant), State::Active)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_gateways_changes_arrive() {
    let pd = Pd::start().await;
    let (here, there) = (
        registry(&pd, 21000..=21099).await,
        registry(&pd, 21000..=21099).await,
    );
    create_active(&there, "alpha").await;
    let mut table = here.watch().await.unwrap();
    assert_eq!(table.borrow().len(), 1);

    create_active(&there, "beta").await;
    let seen = until(&mut table, |table| {
        table
            .get(&name("beta"))
            .is_some_and(|record| record.state == State::Active)
    })
    .await;
    // Revisions differ: PD itself writes to its etcd all the time.
    assert!(seen.iter().eq(there.list().await.unwrap().iter()));

    let record = there.begin_destroy(&name("alpha")).await.unwrap();
    let replica = replica(&pd).await;
    let claim = replica.claim(record.scope).await.unwrap().unwrap();
    there.forget(&name("alpha"), &claim).await.unwrap();
    until(&mut table, |table| table.get(&name("alpha")).is_none()).await;

    there
        .etcd()
        .put(paths::tenant(&name("beta")), "junk", 0)
        .await
        .unwrap();
    let seen = until(&mut table, |table| table.is_empty()).await;
    assert_eq!(seen.unreadable().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_pd_interrupts_but_loses_nothing() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21099).await;
    create_active(&registry, "alpha").await;
    let mut table = registry.watch().await.unwrap();

    pd.kill().await;
    let seen = until(&mut table, |table| !table.is_current()).await;
    assert_eq!(seen.len(), 1, "tenants stay while etcd is away");
    pd.start_again().await;
    create_active(&registry, "beta").await;
    until(&mut table, |table| table.is_current() && table.len() == 2).await;
}

/// As after a restore of the storage cluster to a time before the tenants: revisions start anew,
/// and a watch that resumed at the old revision would stay silent forever.
#[tokio::test(flavor = "multi_thread")]
async fn a_storage_cluster_that_was_set_back_is_followed() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21099).await;
    create_active(&registry, "alpha").await;
    let mut table = registry.watch().await.unwrap();

    pd.set_back().await;
    until(&mut table, |table| table.is_current() && table.is_empty()).await;
    create_active(&registry, "beta").await;
    until(&mut table, |table| table.get(&name("beta")).is_some()).await;
}

/// Tasks of this runtime, once their number has stopped changing.
async fn tasks() -> usize {
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let (mut last, mut same) = (alive(), 0);
    while same < 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        same = if alive() == last { same + 1 } else { 0 };
        last = alive();
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn following_ends_with_its_last_receiver() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21099).await;
    let before = tasks().await;
    let table = registry.watch().await.unwrap();
    let other = table.clone();
    assert!(tasks().await > before);
    drop(table);
    assert!(tasks().await > before, "one receiver is left");
    drop(other);
    assert_eq!(tasks().await, before);
}
