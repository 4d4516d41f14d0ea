//! TLS on both sides of the gateway: real TiDB servers of two tenants reach one shared port by
//! name, PD and the engine are reached with TLS, and whoever is not who the name says is refused.

mod client;

use std::time::Duration;

use mesh_integration::certificates::{Authority, CertificateFiles, Validity};
use mesh_integration::eventually::eventually;
use mesh_integration::sql::Session;
use mesh_integration::stack::{DOMAIN, Stack, StackPlan};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Status};

use crate::rawrpc::call;
use crate::runner::run;
use client::Client;

const MEMBERS: &str = "/pdpb.PD/GetMembers";
const GET: &str = "/tikvpb.Tikv/KvGet";

struct Site {
    stack: Stack,
    port: u16,
    /// Alpha's certificate.
    alpha: CertificateFiles,
}

#[test]
fn tidb_and_storage_are_reached_with_tls_and_strangers_are_not() {
    run(async {
        let plan = StackPlan::new("tls").tenants(&["alpha", "beta"]).tls();
        let stack = plan.start().await.expect("starts");
        let port = stack.tenants["alpha"].info.pd.rsplit_once(':').unwrap().1;
        let port = port.parse().unwrap();
        let alpha = stack.tls.as_ref().unwrap().tidb("alpha", [].into_iter());
        let site = Site {
            alpha: alpha.unwrap().files,
            port,
            stack,
        };
        tenants_work_and_see_names(&site).await;
        names_tell_the_role(&site).await;
        differing_statements_are_refused(&site).await;
        strangers_are_refused(&site).await;
        what_is_no_handshake_is_closed(&site).await;
        storage_takes_no_plain_connection(&site).await;
        certificates_change_under_way(&site).await;
        still_serves(&site).await;
        site.stack.stop().await;
    });
}

impl Site {
    fn client(&self, files: &CertificateFiles) -> Client {
        Client::new(&self.alpha.ca, Some(files), self.port)
    }

    fn pd(&self) -> String {
        format!("pd.alpha.{DOMAIN}")
    }

    fn authority(&self, dir: &str) -> Authority {
        Authority::new(&self.stack.dir.join(dir), dir).unwrap()
    }

    async fn refused(&self, reason: &str) -> f64 {
        self.metric(
            "tidb_mesh_gateway_refused_connections_total",
            &format!("reason=\"{reason}\""),
        )
        .await
    }

    async fn metric(&self, name: &str, label: &str) -> f64 {
        let samples = self.stack.admin().unwrap().metric(name).await.unwrap();
        let of_label = samples.iter().filter(|(labels, _)| labels.contains(label));
        of_label.map(|(_, value)| value).sum()
    }

    /// Waits for a refusal to be counted: a client may learn of it first.
    async fn counted(&self, reason: &str, before: f64) {
        let what = format!("a refusal for {reason}");
        eventually(&what, Duration::from_secs(30), || async {
            let now = self.refused(reason).await;
            anyhow::ensure!(now > before, "{now} counted");
            Ok(())
        })
        .await
        .unwrap();
    }
}

async fn tenants_work_and_see_names(site: &Site) {
    for tenant in ["alpha", "beta"] {
        let mut session = site.stack.session(tenant).await.unwrap();
        for statement in [
            "CREATE TABLE test.t (id INT PRIMARY KEY, v VARCHAR(20), KEY (v))",
            "INSERT INTO test.t VALUES (1, 'of'), (2, @@hostname), (3, 'three')",
            "ALTER TABLE test.t ADD COLUMN w INT DEFAULT 9",
            "ALTER TABLE test.t ADD INDEX (w)",
            "ADMIN CHECK TABLE test.t",
        ] {
            session.execute(statement).await.unwrap();
        }
        let sum = session.value("SELECT SUM(w) FROM test.t WHERE id > 0");
        assert_eq!(sum.await.unwrap(), "27");
        let address = "SELECT address FROM information_schema.tikv_store_status";
        let address = session.value(address).await.unwrap();
        let expected = format!(".{tenant}.{DOMAIN}:{}", site.port);
        assert!(
            address.starts_with("store-") && address.ends_with(&expected),
            "{address}"
        );
    }
}

async fn names_tell_the_role(site: &Site) {
    let client = site.client(&site.alpha);
    let pd = client.channel(&site.pd(), &format!("{}:{}", site.pd(), site.port));
    let members = call(&pd, MEMBERS, vec![]).await.unwrap();
    let members = String::from_utf8_lossy(&members).into_owned();
    assert!(
        members.contains(&format!("https://{}:{}", site.pd(), site.port)),
        "{members}"
    );
    assert!(!members.contains("127.0.0.1"), "no real address: {members}");
    let store = &site.stack.tenants["alpha"].info.stores[0].address;
    let name = store.split(':').next().unwrap();
    let store = client.channel(name, store);
    let wrong_role = call(&store, MEMBERS, vec![]).await.unwrap_err();
    assert_eq!(wrong_role.code(), Code::PermissionDenied);
    let undecodable = call(&store, GET, vec![0xFF]).await.unwrap_err();
    assert_eq!(undecodable.code(), Code::InvalidArgument);
    let http = http_get(&client, &site.pd(), "/pd/api/v1/members").await;
    assert!(http.starts_with("HTTP/1.1 200"), "{http}");
    assert!(http.contains(&format!("https://{}", site.pd())), "{http}");
    // A store that nobody has is not a way to another one.
    let nowhere = format!("store-4711.alpha.{DOMAIN}");
    let nowhere = client.channel(&nowhere, &nowhere);
    let key = [0x12, 2, b'm', b'1'].to_vec();
    let refused = call(&nowhere, GET, key).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

async fn http_get(client: &Client, name: &str, path: &str) -> String {
    let mut stream = client.connect(name).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn differing_statements_are_refused(site: &Site) {
    let client = site.client(&site.alpha);
    let beta = format!("pd.beta.{DOMAIN}");
    let before = site.refused("other_tenant").await;
    let by_name = call(&client.channel(&beta, &beta), MEMBERS, vec![]).await;
    refused_for_identity(by_name);
    site.counted("other_tenant", before).await;
    let http = http_get(&client, &beta, "/pd/api/v1/members").await;
    assert!(http.starts_with("HTTP/1.1 403"), "{http}");
    for authority in [beta.clone(), format!("store-1.alpha.{DOMAIN}")] {
        let channel = client.channel(&site.pd(), &authority);
        refused_for_identity(call(&channel, MEMBERS, vec![]).await);
    }
    let faults = "tidb_mesh_gateway_faults_total";
    assert!(site.metric(faults, "fault=\"identity\"").await >= 2.0);
    let tls = site.stack.tls.as_ref().unwrap();
    let both = ["alpha.mesh.test", "beta.mesh.test"];
    for (file, names, reason) in [
        (
            "nobody",
            ["somebody.else"].as_slice(),
            "no_tenant_in_certificate",
        ),
        ("both", &both, "several_tenants_in_certificate"),
    ] {
        let before = site.refused(reason).await;
        let client = site.client(&tls.tenants.issue(file, names).unwrap());
        refused_for_identity(call(&client.channel(&site.pd(), &site.pd()), MEMBERS, vec![]).await);
        site.counted(reason, before).await;
    }
}

fn refused_for_identity(answer: Result<Vec<u8>, Status>) {
    let status = answer.expect_err("refused");
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    assert!(
        status.message().starts_with("refused by the gateway"),
        "{status:?}"
    );
}

async fn strangers_are_refused(site: &Site) {
    let own_name = format!("alpha.{DOMAIN}");
    let names = [own_name.as_str()];
    let tls = site.stack.tls.as_ref().unwrap();
    let stranger = site.authority("stranger").issue("client", &names).unwrap();
    let expired = tls.tenants.issue_for("expired", &names, Validity::LongAgo);
    let of_storage = tls.storage.issue("gateway-as-tenant", &names).unwrap();
    for (files, reason) in [
        (Some(&stranger), "unknown_issuer"),
        (Some(&of_storage), "unknown_issuer"),
        (Some(&expired.unwrap()), "expired"),
        (None, "no_certificate"),
    ] {
        let before = site.refused(reason).await;
        let client = Client::new(&site.alpha.ca, files, site.port);
        let answer = call(&client.channel(&site.pd(), &site.pd()), MEMBERS, vec![]).await;
        // TLS says why, or the connection is simply gone.
        assert!(answer.is_err(), "{reason}");
        site.counted(reason, before).await;
    }
}

async fn what_is_no_handshake_is_closed(site: &Site) {
    let before = site.refused("not_tls").await;
    for bytes in [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".as_slice(),
        b"GET /pd/api/v1/members HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff",
    ] {
        let mut socket = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let answer = read_to_end(&mut socket).await;
        // At most an alert: never an answer to what was asked.
        assert!(answer.len() <= 7, "{answer:?}");
        assert!(answer.first().is_none_or(|kind| *kind == 21), "{answer:?}");
    }
    site.counted("not_tls", before + 2.0).await;
    let before = site.refused("slow").await;
    let mut slow = Vec::new();
    for bytes in [b"".as_slice(), b"\x16\x03\x01\x02\x00\x01"] {
        let mut socket = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        slow.push(socket);
    }
    // Who shook hands and then says nothing waits no longer either.
    let mut silent = site.client(&site.alpha).connect(&site.pd()).await.unwrap();
    still_serves(site).await;
    for mut socket in slow {
        read_to_end(&mut socket).await;
    }
    site.counted("slow", before + 1.0).await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(60), silent.read_to_end(&mut rest));
    assert!(ended.await.is_ok(), "a silent client is still connected");
}

async fn read_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    let ended = tokio::time::timeout(Duration::from_secs(60), read).await;
    assert!(ended.is_ok(), "still open after a minute");
    answer
}

/// The engine and PD's secured port take nothing without TLS, so whatever worked went over it.
async fn storage_takes_no_plain_connection(site: &Site) {
    for address in [
        site.stack.storage.pd_for_gateway(),
        site.stack.storage.tikv_address(),
    ] {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
        socket.write_all(preface).await.unwrap();
        let answer = read_to_end(&mut socket).await;
        assert!(answer.first().is_none_or(|kind| *kind == 21), "{answer:?}");
    }
}

async fn certificates_change_under_way(site: &Site) {
    let reloads = "tidb_mesh_gateway_certificate_reloads_total";
    let reloaded = async |label: &str, before: f64| {
        eventually(label, Duration::from_secs(30), || async {
            let now = site.metric(reloads, label).await;
            anyhow::ensure!(now > before, "{now} reloads");
            Ok(())
        })
        .await
        .unwrap();
    };
    let mut before = site.stack.session("alpha").await.unwrap();
    before.execute("BEGIN").await.unwrap();
    before.execute("UPDATE test.t SET w = 1").await.unwrap();
    let client = site.client(&site.alpha);
    let open = client.channel(&site.pd(), &site.pd());
    call(&open, MEMBERS, vec![]).await.unwrap();
    let old = presented(&client, site).await;
    // A file that can't be used changes nothing.
    let tls = site.stack.tls.as_ref().unwrap();
    let good = tls
        .gateway(&["alpha".to_owned(), "beta".to_owned()])
        .unwrap();
    reloaded("outcome=\"ok\"", 0.0).await;
    let new = presented(&client, site).await;
    assert_ne!(old, new, "new handshakes see the new certificate");
    let failed = site.metric(reloads, "outcome=\"failed\"").await;
    std::fs::write(&good.cert, "half a certificate").unwrap();
    reloaded("outcome=\"failed\"", failed).await;
    assert_eq!(presented(&client, site).await, new);
    // What was open goes on, and commits.
    call(&open, MEMBERS, vec![]).await.unwrap();
    before.execute("COMMIT").await.unwrap();
    let changed = before.value("SELECT SUM(w) FROM test.t").await.unwrap();
    assert_eq!(changed, "3");
    let ok = site.metric(reloads, "outcome=\"ok\"").await;
    tls.gateway(&["alpha".to_owned(), "beta".to_owned()])
        .unwrap();
    reloaded("outcome=\"ok\"", ok).await;
    let ok = site
        .metric(reloads, "side=\"storage\",outcome=\"ok\"")
        .await;
    tls.storage_member("gateway-to-storage").unwrap();
    reloaded("side=\"storage\",outcome=\"ok\"", ok).await;
    let expiry = "tidb_mesh_gateway_certificate_expiry_timestamp_seconds";
    for side in ["side=\"listen\"", "side=\"storage\""] {
        assert!(site.metric(expiry, side).await > 1.7e9, "{side}");
    }
}

/// The certificate that a new handshake shows.
async fn presented(client: &Client, site: &Site) -> Vec<u8> {
    let stream = client.connect(&site.pd()).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].to_vec()
}

async fn still_serves(site: &Site) {
    for tenant in ["alpha", "beta"] {
        let address = site.stack.tidb(tenant).unwrap().mysql();
        let mut session = Session::connect(&address).await.unwrap();
        let count = session.value("SELECT COUNT(*) FROM test.t").await.unwrap();
        assert_eq!(count, "3");
    }
}
