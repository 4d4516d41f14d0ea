//! The etcd client when endpoints fail, and what it says about writes whose answer is lost.

use std::time::{Duration, Instant};

use mesh_keyspace::Mode;
use mesh_tenants::etcd::{Compare, Expect, Op, Range, Swap, Timeouts, Txn, Versioned};
use mesh_tenants::{Creation, EtcdClient, EtcdError, Registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::pd::Pd;
use crate::{name, registry, stores};

/// An address that takes connections and never answers.
async fn black_hole() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    address
}

/// An address that nobody listens on.
async fn closed() -> String {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

fn quick() -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(500),
        request: Duration::from_millis(700),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_and_mute_endpoints_are_passed_over() {
    let pd = Pd::start().await;
    let endpoints = [closed().await, black_hole().await, pd.endpoint()];
    let client = EtcdClient::new(&endpoints, quick()).unwrap();
    let began = Instant::now();
    client.range(Range::prefix("/")).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    client.put("/k", "v", 0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_told_apart_from_no_answer() {
    let client = EtcdClient::new(&[closed().await], quick()).unwrap();
    let error = client.put("/k", "v", 0).await.unwrap_err();
    assert!(matches!(error, EtcdError::Unreachable { .. }), "{error}");
    let client = EtcdClient::new(&[black_hole().await], quick()).unwrap();
    let error = client.put("/k", "v", 0).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[test]
fn endpoints_are_checked() {
    for bad in ["", "https://127.0.0.1:1", "127.0.0.1", "http://a b:1"] {
        let result = EtcdClient::new(&[bad.to_owned()], quick());
        assert!(
            matches!(result.map(|_| ()), Err(EtcdError::BadEndpoint { .. })),
            "{bad:?}"
        );
    }
    assert!(EtcdClient::new(&[], quick()).is_err());
}

/// A relay to PD that swallows the answer to the `nth` transaction it sees, and its connection.
async fn relay_that_loses_a_txn_answer(pd: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut lost = false;
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = tokio::net::TcpStream::connect(&pd).await.unwrap();
            lost = relay(client, server, lost).await;
        }
    });
    address
}

/// Copies both ways. The first large request after the connection's first answers is taken for
/// the transaction (reads are short); its answer is dropped together with the connection.
async fn relay(
    mut client: tokio::net::TcpStream,
    mut server: tokio::net::TcpStream,
    mut lost: bool,
) -> bool {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut losing = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(0) | Err(_) => return lost,
                Ok(length) => {
                    let text = &up[..length];
                    losing |= !lost && text.windows(9).any(|part| part == b"\"creating");
                    server.write_all(text).await.unwrap();
                }
            },
            read = server.read(&mut down) => match read {
                Ok(0) | Err(_) => return lost,
                Ok(length) if !losing => client.write_all(&down[..length]).await.unwrap(),
                Ok(_) => {
                    // Give PD the time to finish, then cut the line.
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    lost = true;
                    return lost;
                }
            },
        }
    }
}

/// The creation's transaction takes effect, its answer is lost: the registry finds its own work
/// and neither fails nor creates twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_is_lost_happens_once() {
    let pd = Pd::start().await;
    let relay = relay_that_loses_a_txn_answer(pd.endpoint()).await;
    let behind = EtcdClient::new(&[relay], Timeouts::default()).unwrap();
    let unsure = Registry::new(behind, 21000..=21099);
    let (record, creation) = unsure
        .create(&name("alpha"), Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert_eq!(creation, Creation::New);

    let direct = registry(&pd, 21000..=21099).await;
    assert_eq!(
        direct.get(&name("alpha")).await.unwrap().as_ref(),
        Some(&record)
    );
    let (next, _) = direct
        .create(&name("beta"), Mode::Table, &stores([1]))
        .await
        .unwrap();
    assert_eq!(
        (next.id().get(), next.pd_port),
        (2, 21002),
        "nothing is claimed twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_swapped_only_when_it_is_as_expected() {
    let pd = Pd::start().await;
    let client = EtcdClient::connect(&[pd.endpoint()]).await.unwrap();
    let Swap::Done { revision } = client.swap_json("/v", Expect::Absent, &1u32).await.unwrap()
    else {
        panic!("nobody else writes")
    };
    let found = Versioned {
        value: 1u32,
        revision,
    };
    assert_eq!(client.get_json("/v").await.unwrap(), Some(found.clone()));
    let lost = client.swap_json("/v", Expect::Absent, &2u32).await.unwrap();
    assert_eq!(lost, Swap::Lost(Some(found)));
    let done = client
        .swap_json("/v", Expect::Revision(revision), &3u32)
        .await
        .unwrap();
    assert!(matches!(done, Swap::Done { .. }));
    let gone = client
        .swap_json("/w", Expect::Revision(revision), &3u32)
        .await
        .unwrap();
    assert_eq!(gone, Swap::Lost(None));
    client.put("/v", "{", 0).await.unwrap();
    assert!(matches!(
        client.get_json::<u32>("/v").await,
        Err(EtcdError::Malformed(_))
    ));
}

/// The way to elect one gateway: whoever holds the key holds the lease, and loses the key with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_holds_a_key_as_long_as_it_lives() {
    let pd = Pd::start().await;
    let client = EtcdClient::connect(&[pd.endpoint()]).await.unwrap();
    let campaign = async |who: &str, lease: i64| {
        let txn = Txn::new()
            .when(Compare::absent("/leader"))
            .then(Op::put_leased("/leader", who, lease));
        client.txn(txn).await.unwrap()
    };
    let (one, two) = (
        client.lease_grant(Duration::from_secs(30)).await.unwrap(),
        client.lease_grant(Duration::from_secs(30)).await.unwrap(),
    );
    let won = campaign("one", one.id).await;
    assert!(won.succeeded);
    assert!(!campaign("two", two.id).await.succeeded);
    assert_eq!(
        client.lease_keep_alive(one.id).await.unwrap(),
        Duration::from_secs(30)
    );

    let fenced = async || {
        let held = Compare::created_at("/leader", won.revision);
        client
            .txn(Txn::new().when(held).then(Op::put("/work", "x")))
            .await
            .unwrap()
            .succeeded
    };
    assert!(fenced().await);
    client.lease_revoke(one.id).await.unwrap();
    let expired = client.lease_keep_alive(one.id).await;
    assert!(
        matches!(expired, Err(EtcdError::LeaseExpired)),
        "{expired:?}"
    );
    assert!(campaign("two", two.id).await.succeeded);
    assert!(
        !fenced().await,
        "the old leader's writes no longer take effect"
    );
}
