//! Handshakes over real sockets with certificates made here.

mod issue;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::{CertificateFiles, TlsListen, TlsStorage};
use crate::listener::Role;
use crate::metrics::{Metrics, ReloadLabels};
use issue::{Authority, Wanted, write};

const LIMIT: Duration = Duration::from_secs(20);

struct Site {
    dir: TempDir,
    authority: Authority,
    config: TlsListen,
}

fn site() -> Site {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new("site");
    write(&dir, "ca.pem", &authority.pem());
    let names = ["*.alpha.mesh.test", "*.beta.mesh.test"];
    authority.issue(&Wanted::dns(&names)).write(&dir, "server");
    let config = TlsListen {
        domain: "mesh.test".to_owned(),
        trust_domain: None,
        shared_port: None,
        advertise_port: None,
        certificates: vec![CertificateFiles {
            cert: dir.path().join("server.pem"),
            key: dir.path().join("server.key"),
        }],
        client_ca: dir.path().join("ca.pem"),
        reload_interval: Duration::from_millis(20),
        max_handshakes: std::num::NonZeroUsize::MIN,
    };
    Site {
        dir,
        authority,
        config,
    }
}

impl Site {
    /// A client's configuration as the product itself makes it, with this certificate.
    fn client(&self, wanted: &Wanted) -> Arc<ClientConfig> {
        self.client_of(&self.authority, wanted)
    }

    fn client_of(&self, authority: &Authority, wanted: &Wanted) -> Arc<ClientConfig> {
        authority.issue(wanted).write(&self.dir, "client");
        // The file check is not what is tested: an expired certificate must reach the wire.
        issue::client_config(&self.dir, "ca.pem", Some("client"))
    }

    /// What the gateway makes of a client that calls `name`.
    async fn meet(&self, config: Arc<ClientConfig>, name: &str) -> Result<Secured, Refusal> {
        let tls = ListenTls::load(&self.config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let client = tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            if let Ok(mut stream) = TlsConnector::from(config).connect(name, stream).await {
                let _ = stream.read(&mut [0; 1]).await;
            }
        });
        let (stream, _) = listener.accept().await.unwrap();
        let met = tls.accept(stream, LIMIT).await;
        client.abort();
        met
    }

    async fn refusal(&self, config: Arc<ClientConfig>, name: &str) -> Refusal {
        let met = self.meet(config, name).await;
        met.and_then(|secured| secured.on_shared_port())
            .expect_err("refused")
    }
}

#[tokio::test]
async fn certificate_and_name_together_tell_tenant_and_role() {
    let site = site();
    for wanted in [
        Wanted::dns(&["alpha.mesh.test"]),
        Wanted::uri("spiffe://mesh.test/tenant/alpha"),
        Wanted::uri("spiffe://mesh.test/ns/x/tenant/alpha").and_dns("tidb.alpha.svc"),
    ] {
        let config = site.client(&wanted);
        let met = site
            .meet(config.clone(), "pd.alpha.mesh.test")
            .await
            .unwrap();
        let (tenant, role) = met.on_shared_port().unwrap();
        assert_eq!((tenant.as_str(), role), ("alpha", Role::Pd));
        let met = site.meet(config, "store-5.alpha.mesh.test").await.unwrap();
        assert_eq!(met.on_shared_port().unwrap().1, Role::Store(5));
    }
}

#[tokio::test]
async fn statements_that_differ_or_are_missing_are_refused() {
    let site = site();
    let alpha = || site.client(&Wanted::dns(&["alpha.mesh.test"]));
    let pd = "pd.alpha.mesh.test";
    assert_eq!(
        site.refusal(alpha(), "pd.beta.mesh.test").await,
        Refusal::OtherTenant
    );
    let several = Wanted::dns(&["alpha.mesh.test", "beta.mesh.test"]);
    assert_eq!(
        site.refusal(site.client(&several), pd).await,
        Refusal::SeveralTenantsInCertificate
    );
    for none in [
        Wanted::dns(&["pd.alpha.mesh.test"]),
        Wanted::dns(&["*.mesh.test"]),
        Wanted::dns(&["alpha.mesh.test.evil"]),
        Wanted::uri("spiffe://other.test/tenant/alpha"),
        Wanted::dns(&[]),
    ] {
        let refusal = site.refusal(site.client(&none), pd).await;
        assert_eq!(refusal, Refusal::NoTenantInCertificate);
    }
    alpha();
    let config = issue::trusting_anybody(&site.dir, "client");
    assert_eq!(
        site.refusal(config, "x.alpha.mesh.test").await,
        Refusal::UnknownServerName
    );
}

#[tokio::test]
async fn on_a_port_of_its_own_the_port_must_agree_too() {
    let site = site();
    let alpha = || site.client(&Wanted::dns(&["alpha.mesh.test"]));
    let met = site.meet(alpha(), "pd.alpha.mesh.test").await.unwrap();
    assert_eq!(met.on_port_of("alpha", Role::Pd), Ok(()));
    for (tenant, role) in [("beta", Role::Pd), ("alpha", Role::Store(1))] {
        assert_eq!(met.on_port_of(tenant, role), Err(Refusal::OtherTenant));
    }
    // An address in place of a name states nothing.
    let config = issue::trusting_anybody(&site.dir, "client");
    let met = site.meet(config, "127.0.0.1").await.unwrap();
    assert_eq!(met.on_port_of("alpha", Role::Store(1)), Ok(()));
    assert_eq!(met.on_shared_port(), Err(Refusal::UnknownServerName));
}

#[tokio::test]
async fn a_client_that_proves_nothing_is_refused_with_the_reason() {
    let site = site();
    let pd = "pd.alpha.mesh.test";
    let wanted = Wanted::dns(&["alpha.mesh.test"]);
    let stranger = Authority::new("stranger");
    let config = site.client_of(&stranger, &wanted);
    assert_eq!(site.refusal(config, pd).await, Refusal::UnknownIssuer);
    let config = site.client(&wanted.clone().expired());
    assert_eq!(site.refusal(config, pd).await, Refusal::Expired);
    let config = issue::client_config(&site.dir, "ca.pem", None);
    assert_eq!(site.refusal(config, pd).await, Refusal::NoCertificate);
    let config = site.client(&wanted.for_servers_only());
    assert_eq!(site.refusal(config, pd).await, Refusal::BadCertificate);
}

#[tokio::test]
async fn what_is_no_handshake_is_named_and_bounded_in_time() {
    let site = site();
    let tls = ListenTls::load(&site.config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for (sent, refusal) in [
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
            Refusal::NotTls,
        ),
        (b"GET / HTTP/1.1\r\n\r\n", Refusal::NotTls),
        (b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff", Refusal::NotTls),
        (b"\x16\x03\x01\x02\x00\x01", Refusal::Slow),
        (b"", Refusal::Slow),
    ] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(sent).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let met = tls.accept(stream, Duration::from_millis(300)).await;
        assert_eq!(met.err(), Some(refusal), "{sent:?}");
    }
}

#[test]
fn files_that_can_not_be_used_are_refused_by_name() {
    let site = site();
    let text = |config: &TlsListen| match ListenTls::load(config) {
        Ok(_) => panic!("accepted"),
        Err(fault) => fault.to_string(),
    };
    let other = site.authority.issue(&Wanted::dns(&["x.test"]));
    other.write(&site.dir, "other");
    let mut config = site.config.clone();
    config.certificates[0].key = site.dir.path().join("other.key");
    assert!(text(&config).contains("does not belong to"));
    config.certificates[0].key = site.dir.path().join("none.key");
    assert!(text(&config).contains("none.key"));
    write(
        &site.dir,
        "server.key",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n",
    );
    let broken = text(&site.config);
    assert!(broken.contains("holds no private key") && !broken.contains("c2VjcmV0"));
    let old = site.authority.issue(&Wanted::dns(&["x.test"]).expired());
    old.write(&site.dir, "server");
    assert!(text(&site.config).contains("has expired"));
    write(&site.dir, "ca.pem", "nothing");
    assert!(text(&site.config).contains("holds no certificate"));
}

fn reloads(metrics: &Metrics, outcome: &'static str) -> u64 {
    let labels = ReloadLabels {
        side: "listen",
        outcome,
    };
    let counter: Counter = metrics.certificate_reloads.get_or_create_owned(&labels);
    counter.get()
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("in time");
}

#[tokio::test]
async fn changed_files_are_taken_over_and_bad_ones_are_not() {
    let site = site();
    let tls = Arc::new(ListenTls::load(&site.config).unwrap());
    let metrics = Arc::new(Metrics::default());
    let ended = CancellationToken::new();
    let following = tokio::spawn({
        let (tls, metrics, ended) = (tls.clone(), metrics.clone(), ended.clone());
        async move { follow(Some(tls), None, LIMIT / 1000, &metrics, ended).await }
    });
    let first = tls.server();
    write(&site.dir, "server.pem", "half a fi");
    until(|| reloads(&metrics, "failed") > 0).await;
    assert!(Arc::ptr_eq(&first, &tls.server()), "the old one stays");
    let next = site.authority.issue(&Wanted::dns(&["pd.alpha.mesh.test"]));
    next.write(&site.dir, "server");
    until(|| reloads(&metrics, "ok") > 0).await;
    assert!(!Arc::ptr_eq(&first, &tls.server()));
    assert!(
        metrics
            .render()
            .contains("certificate_expiry_timestamp_seconds")
    );
    ended.cancel();
    following.await.unwrap();
}

#[tokio::test]
async fn the_storage_must_hold_the_name_that_was_called() {
    let site = site();
    let client = site.authority.issue(&Wanted::dns(&["gateway.test"]));
    client.write(&site.dir, "gateway");
    let storage = StorageTls::load(&TlsStorage {
        ca: site.dir.path().join("ca.pem"),
        cert: site.dir.path().join("gateway.pem"),
        key: site.dir.path().join("gateway.key"),
        reload_interval: LIMIT,
    })
    .unwrap();
    let met = site.meet(storage.grpc(), "pd.alpha.mesh.test").await;
    assert!(met.is_ok());
    let refused = site.meet(storage.grpc(), "pd.gamma.mesh.test").await;
    assert_eq!(refused.err(), Some(Refusal::RefusedByClient));
    let met = site
        .meet(storage.http(), "pd.beta.mesh.test")
        .await
        .unwrap();
    assert_eq!(met.stream.get_ref().1.alpn_protocol(), Some(HTTP1));
}
