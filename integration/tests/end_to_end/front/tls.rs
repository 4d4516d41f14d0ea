//! TLS on both sides and the PROXY protocol on both sides, with a TiDB that serves both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_integration::sql::Session;
use mesh_integration::stack::{Front, StackPlan};
use mesh_mysql_proxy::config::{Config, KeyPair, Listener, ServerTls};
use mesh_mysql_proxy::handshake::packets::Packets;
use mesh_mysql_proxy::packet::capability::Capabilities;
use mesh_mysql_proxy::packet::greeting::Greeting;
use mesh_mysql_proxy::packet::login::tls_request;
use mesh_mysql_proxy::tls::Verified;
use mesh_mysql_proxy::wire::Wire;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair as Key};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::raw::Raw;
use crate::runner::run;

const HOST: &str = "alpha.example.com";

/// An authority, and a certificate of it for the servers and for alpha's host name.
struct Certificates {
    ca: PathBuf,
    pair: KeyPair,
}

fn make_certificates(dir: &Path, name: &str) -> Certificates {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = Key::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let names = ["127.0.0.1", HOST, "front.example.com"].map(str::to_owned);
    let key = Key::generate().unwrap();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let file = |end: &str, text: &str| {
        let path = dir.join(format!("{name}-{end}.pem"));
        std::fs::write(&path, text).unwrap();
        path
    };
    Certificates {
        ca: file("ca", &authority_pem),
        pair: KeyPair {
            certificate: file("certificate", &certificate.pem()),
            key: file("key", &key.serialize_pem()),
        },
    }
}

/// Logs in, under TLS when there is someone to verify by; an error packet is the error.
async fn connect(
    address: SocketAddr,
    first: &[u8],
    user: &str,
    tls: Option<(&Path, &str)>,
) -> Result<Packets<Wire>, String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(first).await.unwrap();
    let mut client = Packets::new(Wire::Plain(stream), 1 << 20);
    let greeting = client.read().await.map_err(|error| error.to_string())?;
    let greeting = Greeting::parse(&greeting).ok_or("no greeting")?;
    let mut capabilities = Capabilities::RELAYED.without(Capabilities::CONNECT_WITH_DB);
    if let Some((ca, host)) = tls {
        assert!(greeting.capabilities.contain(Capabilities::SSL));
        capabilities = capabilities | Capabilities::SSL;
        client
            .write(&tls_request(capabilities, 1 << 24, 46))
            .await
            .unwrap();
        let (ca, name) = (ca.to_path_buf(), Some(host.to_owned()));
        let verified = Verified::new(&ServerTls::VerifyFull { ca, name })
            .unwrap()
            .unwrap();
        let upgraded = client.wire.connect_tls(&verified, host).await;
        upgraded.map_err(|error| error.to_string())?;
    }
    client
        .write(&Raw::login_of(user, capabilities).payload())
        .await
        .unwrap();
    loop {
        let payload = client.read().await.map_err(|error| error.to_string())?;
        match payload.first() {
            Some(0) => return Ok(client),
            Some(0xff) => return Err(String::from_utf8_lossy(&payload[9..]).into_owned()),
            _ => client.write(b"").await.unwrap(),
        }
    }
}

/// The last text of the only row of a statement.
async fn value(client: &mut Packets<Wire>, statement: &str) -> String {
    client.sequence = 0;
    client
        .write(&[b"\x03", statement.as_bytes()].concat())
        .await
        .unwrap();
    let columns = client.read().await.unwrap();
    assert!(columns[0] < 0xfb, "{}", columns.escape_ascii());
    for _ in 0..columns[0] {
        client.read().await.unwrap();
    }
    let row = client.read().await.unwrap();
    client.read().await.unwrap();
    let mut texts = Vec::new();
    let mut rest = &row[..];
    while let Some((length, more)) = rest.split_first() {
        let (text, more) = more.split_at(usize::from(*length));
        texts.push(String::from_utf8_lossy(text).into_owned());
        rest = more;
    }
    texts.pop().unwrap()
}

#[test]
fn each_side_has_its_own_tls_and_its_own_proxy_header() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let servers = make_certificates(home.path(), "servers");
        let clients = make_certificates(home.path(), "clients");
        let settings = format!(
            "[security]\nssl-cert = {:?}\nssl-key = {:?}\n\
             [proxy-protocol]\nnetworks = \"127.0.0.1\"\nfallbackable = true\n",
            servers.pair.certificate, servers.pair.key
        );
        let plan = StackPlan::new("front-tls").tenants(&["alpha"]).front();
        let plan = plan.tidb_settings(toml::from_str(&settings).unwrap());
        let stack = plan.start().await.expect("starts");
        let mut direct = stack.session("alpha").await.unwrap();
        direct
            .execute("CREATE USER secure REQUIRE SSL")
            .await
            .unwrap();
        let front = stack.front.as_ref().unwrap();
        let mysql = front.plan().mysql;
        let balanced = SocketAddr::new(mysql.ip(), mysql.port() - 2);
        let mut config = front.plan().config(stack.mysql_addresses());
        secure(&mut config, &servers, &clients, balanced);
        front.reconfigure(&config).unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;

        the_host_name_leads_to_the_tenant(mysql, &clients).await;
        addresses_are_told_by_trusted_balancers_only(mysql, balanced).await;
        certificates_are_taken_up_while_sessions_go_on(mysql, home.path(), &clients).await;
        an_unverified_server_gets_no_login(front, &mut config, &clients).await;
        stack.stop().await;
    });
}

fn secure(
    config: &mut Config,
    servers: &Certificates,
    clients: &Certificates,
    balanced: SocketAddr,
) {
    config.tls = Some(clients.pair.clone());
    config.listeners.push(Listener {
        bind: balanced,
        tenant: None,
        proxy_protocol_from: vec!["127.0.0.0/8".parse().unwrap()],
    });
    let tenant = &mut config.tenants[0];
    tenant.sni = vec![HOST.to_owned()];
    tenant.proxy_protocol = true;
    tenant.server_tls = ServerTls::VerifyFull {
        ca: servers.ca.clone(),
        name: None,
    };
    let mut other = tenant.clone();
    other.name = "beta".to_owned();
    other.sni.clear();
    config.tenants.push(other);
}

async fn the_host_name_leads_to_the_tenant(mysql: SocketAddr, clients: &Certificates) {
    let by_host = Some((clients.ca.as_path(), HOST));
    let mut client = connect(mysql, b"", "root", by_host)
        .await
        .expect("by its host name");
    assert_ne!(
        value(&mut client, "SHOW STATUS LIKE 'Ssl_cipher'").await,
        ""
    );
    let refused = connect(mysql, b"", "beta.root", by_host)
        .await
        .expect_err("two tenants");
    assert!(refused.contains("two tenants"), "{refused}");
    let elsewhere = Some((clients.ca.as_path(), "front.example.com"));
    let refused = connect(mysql, b"", "root", elsewhere)
        .await
        .expect_err("no tenant");
    assert!(refused.contains("names no tenant"), "{refused}");
    // What TiDB requires is what it gets, whatever the client does.
    connect(mysql, b"", "alpha.secure", elsewhere)
        .await
        .expect("under TLS");
    let mut plain = connect(mysql, b"", "alpha.secure", None)
        .await
        .expect("plain in front");
    assert_ne!(value(&mut plain, "SHOW STATUS LIKE 'Ssl_cipher'").await, "");
}

async fn addresses_are_told_by_trusted_balancers_only(mysql: SocketAddr, balanced: SocketAddr) {
    let header = b"PROXY TCP4 203.0.113.7 203.0.113.1 5000 4000\r\n";
    let host = "SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()";
    let mut client = connect(balanced, header, "alpha.root", None)
        .await
        .expect("through a balancer");
    assert_eq!(value(&mut client, host).await, "203.0.113.7:5000");
    let spoofed = connect(mysql, header, "alpha.root", None)
        .await
        .expect_err("not from here");
    assert!(!spoofed.is_empty());
    let mut own = connect(mysql, b"", "alpha.root", None)
        .await
        .expect("directly");
    assert!(value(&mut own, host).await.starts_with("127.0.0.1:"));
}

async fn certificates_are_taken_up_while_sessions_go_on(
    mysql: SocketAddr,
    home: &Path,
    clients: &Certificates,
) {
    let before = (clients.ca.clone(), std::fs::read(&clients.ca).unwrap());
    let tls = Some((clients.ca.as_path(), HOST));
    let mut stays = connect(mysql, b"", "root", tls)
        .await
        .expect("the old certificate");
    let renewed = make_certificates(home, "clients");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let renewed = Some((renewed.ca.as_path(), HOST));
    connect(mysql, b"", "root", renewed)
        .await
        .expect("the new certificate");
    assert_eq!(value(&mut stays, "SELECT 7").await, "7");
    let old = home.join("old-ca.pem");
    std::fs::write(&old, before.1).unwrap();
    let refused = connect(mysql, b"", "root", Some((&old, HOST))).await;
    refused.expect_err("the old certificate is gone");
}

async fn an_unverified_server_gets_no_login(
    front: &Front,
    config: &mut Config,
    strangers: &Certificates,
) {
    config.tenants[0].server_tls = ServerTls::VerifyFull {
        ca: strangers.ca.clone(),
        name: None,
    };
    front.reconfigure(config).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let address = front.plan().mysql.to_string();
    let refused = Session::connect_as(&address, "alpha.root", "")
        .await
        .expect_err("unverified");
    let refused = mesh_integration::sql::refusal(&refused).expect("an error that says why");
    assert_eq!(refused.code, 1105, "{}", refused.message);
}
