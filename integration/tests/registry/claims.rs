//! Names, ids and ports belong to one tenant each, whoever else is at work.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use mesh_keyspace::Mode;
use mesh_tenants::etcd::Range;
use mesh_tenants::{
    Creation, Limits, Record, RegistryError, Scope, State, TenantZero, data_prefix, paths,
};

use crate::pd::Pd;
use crate::{name, registry, replica, stores};

#[tokio::test(flavor = "multi_thread")]
async fn one_life_of_a_tenant() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21009).await;
    let alpha = name("alpha");

    let (created, creation) = registry
        .create(&alpha, Mode::Table, &stores([4]))
        .await
        .unwrap();
    assert_eq!(creation, Creation::New);
    assert_eq!((created.id().get(), created.state), (1, State::Creating));
    assert_eq!((created.pd_port, created.store_ports[&4]), (21000, 21001));

    let again = registry
        .create(&alpha, Mode::Table, &stores([4]))
        .await
        .unwrap();
    assert_eq!(again, (created.clone(), Creation::Existing));
    let other = registry.create(&alpha, Mode::Prefix, &stores([4])).await;
    assert!(matches!(
        other,
        Err(RegistryError::OtherMode {
            existing: Mode::Table,
            ..
        })
    ));

    let active = registry.set_state(&alpha, State::Active).await.unwrap();
    assert_eq!(registry.get(&alpha).await.unwrap(), Some(active));

    let grown = registry
        .ensure_ports(&alpha, &stores([4, 7, 9]))
        .await
        .unwrap();
    assert_eq!(
        grown.ports().collect::<Vec<u16>>(),
        [21000, 21001, 21002, 21003]
    );
    let unchanged = registry.ensure_ports(&alpha, &stores([9])).await.unwrap();
    assert_eq!(unchanged, grown);

    let (beta, _) = registry
        .create(&name("beta"), Mode::Table, &stores([4]))
        .await
        .unwrap();
    assert_eq!((beta.id().get(), beta.pd_port), (2, 21004));
    let (gamma, _) = registry
        .create(&name("gamma"), Mode::Keyspace, &stores([]))
        .await
        .unwrap();
    assert_eq!(gamma.id().get(), 1, "ids are counted per mode");
    assert_eq!(registry.list().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_and_its_ports_are_kept_until_the_data_is_proven_destroyed() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21009).await;
    let alpha = name("alpha");
    let (old, _) = registry
        .create(&alpha, Mode::Table, &stores([1]))
        .await
        .unwrap();
    registry.set_state(&alpha, State::Active).await.unwrap();
    let data = format!("{}tidb/server/info", data_prefix(old.mode(), old.id()));
    registry.etcd().put(data.clone(), "x", 0).await.unwrap();
    let next = Scope::new(Mode::Table, old.id().get() + 1).unwrap();
    let kept = format!("{}tidb", data_prefix(next.mode, next.id));
    registry.etcd().put(kept.clone(), "x", 0).await.unwrap();
    registry
        .etcd()
        .put(paths::gc(old.scope), "{}", 0)
        .await
        .unwrap();

    let replica = replica(&pd).await;
    let claim = replica.claim(old.scope).await.unwrap().unwrap();
    assert!(matches!(
        registry.forget(&alpha, &claim).await,
        Err(RegistryError::WrongState { .. })
    ));
    assert!(matches!(
        registry.release(&claim).await,
        Err(RegistryError::NotReserved(_))
    ));
    registry.begin_destroy(&alpha).await.unwrap();
    registry.begin_destroy(&alpha).await.unwrap();
    let revived = registry.set_state(&alpha, State::Active).await;
    assert!(matches!(revived, Err(RegistryError::Transition { .. })));
    let recreated = registry.create(&alpha, Mode::Table, &stores([1])).await;
    assert!(matches!(recreated, Err(RegistryError::WrongState { .. })));

    assert_eq!(registry.forget(&alpha, &claim).await.unwrap(), old.scope);
    assert!(matches!(
        registry.forget(&alpha, &claim).await,
        Err(RegistryError::NotFound(_))
    ));
    let (new, creation) = registry
        .create(&alpha, Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert_eq!(
        (creation, new.id().get()),
        (Creation::New, 2),
        "the name is free, the id is not"
    );
    let ports: BTreeSet<u16> = new.ports().collect();
    assert!(old.ports().all(|port| !ports.contains(&port)));
    assert_eq!(
        registry
            .reserved()
            .await
            .unwrap()
            .into_keys()
            .collect::<Vec<_>>(),
        [old.scope]
    );

    registry.release(&claim).await.unwrap();
    assert!(registry.reserved().await.unwrap().is_empty());
    assert_eq!(registry.etcd().get(data).await.unwrap(), None);
    assert_eq!(
        registry.etcd().get(paths::gc(old.scope)).await.unwrap(),
        None
    );
    assert!(
        registry.etcd().get(kept).await.unwrap().is_some(),
        "the next tenant's data stays"
    );
    let (third, _) = registry
        .create(&name("gamma"), Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert_eq!(third.scope, old.scope);
    assert!(third.ports().eq(old.ports()));
}

/// Three gateways, each with its own registry, create 24 tenants at once, every name by two of
/// them: every name gets one id, no id and no port is given twice, none is skipped.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn gateways_that_create_at_once_never_share_an_id_or_a_port() {
    let pd = Pd::start().await;
    let gateways = [
        registry(&pd, 21000..=21999).await,
        registry(&pd, 21000..=21999).await,
        registry(&pd, 21000..=21999).await,
    ];
    let mut work = tokio::task::JoinSet::new();
    for tenant in 0..24 {
        for step in 0..2 {
            let gateway = gateways[(tenant + step) % 3].clone();
            let name = name(&format!("t{tenant}"));
            work.spawn(async move {
                gateway
                    .create(&name, Mode::Table, &stores([1, 2]))
                    .await
                    .unwrap()
            });
        }
    }
    let outcomes = work.join_all().await;
    let new = outcomes
        .iter()
        .filter(|(_, creation)| *creation == Creation::New)
        .count();
    assert_eq!(new, 24);

    let table = gateways[0].list().await.unwrap();
    let ids: BTreeSet<u32> = table.iter().map(|record| record.id().get()).collect();
    assert_eq!(ids, (1..=24).collect());
    let ports: BTreeSet<u16> = table
        .iter()
        .flat_map(|record| record.ports().collect::<Vec<_>>())
        .collect();
    assert_eq!(ports, (21000..21000 + 24 * 3).collect());
    for (record, _) in outcomes {
        assert_eq!(table.get(&record.name).map(|found| &**found), Some(&record));
    }
    let claims = gateways[0]
        .etcd()
        .keys(Range::prefix(paths::PORTS))
        .await
        .unwrap();
    assert_eq!(claims.kvs.len(), ports.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_stores_than_one_transaction_takes() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21400).await;
    let many = stores(1..=300);
    let (record, _) = registry
        .create(&name("wide"), Mode::Table, &many)
        .await
        .unwrap();
    assert_eq!(record.store_ports.len(), 300);
    assert_eq!(record.ports().collect::<BTreeSet<u16>>().len(), 301);

    let full = registry.create(&name("late"), Mode::Table, &many).await;
    assert!(matches!(full, Err(RegistryError::PortsExhausted { .. })));

    registry.begin_destroy(&name("wide")).await.unwrap();
    let replica = replica(&pd).await;
    let claim = replica.claim(record.scope).await.unwrap().unwrap();
    registry.forget(&name("wide"), &claim).await.unwrap();
    registry.release(&claim).await.unwrap();
    let left = registry
        .etcd()
        .keys(Range::prefix(paths::PORTS))
        .await
        .unwrap();
    assert!(left.kvs.is_empty() || registry.get(&name("late")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_statement_about_tenant_zero_stands() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21001).await;
    let agree = async |stated| registry.agree_tenant_zero(stated).await.unwrap();
    assert_eq!(agree(TenantZero::Absent).await, TenantZero::Absent);
    assert_eq!(agree(TenantZero::Present).await, TenantZero::Absent);
    registry.set_tenant_zero(TenantZero::Present).await.unwrap();
    assert_eq!(agree(TenantZero::Absent).await, TenantZero::Present);
    registry
        .etcd()
        .put(paths::TENANT_ZERO, "maybe", 0)
        .await
        .unwrap();
    assert!(
        registry
            .agree_tenant_zero(TenantZero::Absent)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_keeps_everything_but_its_name() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21009).await;
    let (alpha, beta, gamma) = (name("alpha"), name("beta"), name("gamma"));
    let (old, _) = registry
        .create(&alpha, Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert!(matches!(
        registry.rename(&alpha, &beta).await,
        Err(RegistryError::WrongState { .. })
    ));
    registry.set_state(&alpha, State::Active).await.unwrap();
    let limits = Limits {
        connections: NonZeroU32::new(3),
        ..Limits::default()
    };
    registry.set_limits(&alpha, limits).await.unwrap();
    registry
        .create(&gamma, Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert!(matches!(
        registry.rename(&alpha, &gamma).await,
        Err(RegistryError::NameTaken(_))
    ));

    let renamed = registry.rename(&alpha, &beta).await.unwrap();
    let expected = Record {
        name: beta.clone(),
        state: State::Active,
        limits,
        ..old
    };
    assert_eq!(renamed, expected);
    assert_eq!(registry.get(&beta).await.unwrap(), Some(expected));
    assert_eq!(registry.get(&alpha).await.unwrap(), None);
    assert!(matches!(
        registry.rename(&alpha, &beta).await,
        Err(RegistryError::NotFound(_))
    ));
    let port = registry
        .etcd()
        .get(paths::port(renamed.pd_port))
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&port.unwrap().value).contains("beta"));

    let (next, _) = registry
        .create(&alpha, Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert_eq!(next.id().get(), 3, "the name is free, nothing else is");
}
