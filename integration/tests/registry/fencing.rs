//! Gateways wait for each other before data is destroyed, and one that lost its lease destroys and
//! releases nothing.

use std::time::Duration;

use mesh_integration::eventually::eventually;
use mesh_keyspace::Mode;
use mesh_tenants::{RegistryError, State};

use crate::pd::Pd;
use crate::{name, registry, replica, stores};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_fenced_when_every_live_gateway_has_applied_it() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21009).await;
    let alpha = name("alpha");
    registry
        .create(&alpha, Mode::Table, &stores([1]))
        .await
        .unwrap();
    registry.begin_destroy(&alpha).await.unwrap();
    let revision = registry.versioned(&alpha).await.unwrap().unwrap().revision;
    assert!(
        registry.behind(revision).await.unwrap().is_empty(),
        "nobody serves"
    );

    let (first, second) = (replica(&pd).await, replica(&pd).await);
    assert_eq!(
        registry.behind(revision).await.unwrap().len(),
        2,
        "nothing is applied yet"
    );
    first.acknowledge(revision - 1).await.unwrap();
    second.acknowledge(revision).await.unwrap();
    let behind = registry.behind(revision).await.unwrap();
    assert_eq!(behind.len(), 1);
    assert!(behind[0].ends_with(first.id()));
    first.acknowledge(revision).await.unwrap();
    assert!(registry.behind(revision).await.unwrap().is_empty());

    // One that is dead is waited for until its lease ends, not longer.
    let third = replica(&pd).await;
    assert_eq!(registry.behind(revision).await.unwrap().len(), 1);
    drop(third);
    let gone = eventually(
        "the dead gateway's lease ends",
        Duration::from_secs(60),
        async || {
            anyhow::ensure!(registry.behind(revision).await?.is_empty());
            Ok(())
        },
    );
    let (gone, ()) = tokio::join!(gone, async {
        tokio::select! {
            () = first.keep() => panic!("the first lease is lost"),
            () = second.keep() => panic!("the second lease is lost"),
            () = tokio::time::sleep(Duration::from_secs(20)) => {}
        }
    });
    gone.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_at_a_time_destroys_and_one_that_left_releases_nothing() {
    let pd = Pd::start().await;
    let registry = registry(&pd, 21000..=21009).await;
    let alpha = name("alpha");
    let (record, _) = registry
        .create(&alpha, Mode::Table, &stores([1]))
        .await
        .unwrap();
    registry.set_state(&alpha, State::Active).await.unwrap();
    registry.begin_destroy(&alpha).await.unwrap();
    let (first, second) = (replica(&pd).await, replica(&pd).await);
    let stale = first.claim(record.scope).await.unwrap().unwrap();
    assert_eq!(second.claim(record.scope).await.unwrap(), None);
    assert_eq!(
        first.claim(record.scope).await.unwrap(),
        None,
        "not twice by one either"
    );

    // The first is gone before it has finished: the second goes on.
    first.leave().await.unwrap();
    assert!(!first.is_live());
    let claim = second.claim(record.scope).await.unwrap().unwrap();
    assert!(matches!(
        registry.forget(&alpha, &stale).await,
        Err(RegistryError::Contended)
    ));
    registry.forget(&alpha, &claim).await.unwrap();
    assert!(matches!(
        registry.release(&stale).await,
        Err(RegistryError::Contended)
    ));
    registry.release(&claim).await.unwrap();

    // The id belongs to another tenant now; the claim on the old one moves nothing.
    let (next, _) = registry
        .create(&name("beta"), Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert_eq!(next.scope, record.scope);
    assert!(matches!(
        registry.release(&claim).await,
        Err(RegistryError::NotReserved(_))
    ));
    assert!(matches!(
        first.acknowledge(1).await,
        Err(mesh_tenants::EtcdError::LeaseExpired)
    ));
}
