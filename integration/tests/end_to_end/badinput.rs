//! What no honest client sends: each is refused or bounded, counted, and noticed by nobody else.

use std::time::Duration;

use mesh_integration::sql::Session;
use mesh_integration::stack::{Stack, StackPlan};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::rawrpc::{call, channel, refusal};
use crate::runner::run;

const LIMIT: u64 = 1024 * 1024;
const IDLE_MEMORY: u64 = 64 * 1024 * 1024;
const GET: &str = "/tikvpb.Tikv/KvGet";

#[test]
fn bad_input_is_refused_and_the_neighbour_does_not_notice() {
    run(async {
        let plan = StackPlan::new("bad-input")
            .tenants(&["alpha", "beta"])
            .tidb_per_tenant(0);
        let mut stack = plan.max_message_bytes(LIMIT).start().await.expect("starts");
        let gateway_pid = stack.gateway.as_ref().unwrap().process.pid();
        idle_memory_is_small(&stack);
        stack.add_tidb("beta").await.expect("beta's TiDB starts");
        let mut beta = stack.session("beta").await.unwrap();
        beta.execute("CREATE TABLE test.t (id INT PRIMARY KEY, v INT)")
            .await
            .unwrap();
        beta.execute("INSERT INTO test.t VALUES (1, 1)")
            .await
            .unwrap();
        let info = &stack.tenants["alpha"].info;
        for address in [info.pd.clone(), info.stores[0].address.clone()] {
            garbage(&address).await;
            let silent = half_open(&address).await;
            calls(&address).await;
            wrong_content_type(&address).await;
            still_serves(&mut beta).await;
            closed_in_time(silent).await;
        }
        wrong_port(&stack).await;
        unknown_tenant(&stack).await;
        let faults = stack
            .admin()
            .unwrap()
            .metric("tidb_mesh_gateway_faults_total")
            .await
            .unwrap();
        let counted: f64 = faults.iter().map(|(_, value)| value).sum();
        assert!(counted >= 6.0, "refusals counted: {faults:?}");
        still_serves(&mut beta).await;
        assert_eq!(stack.gateway.as_ref().unwrap().process.pid(), gateway_pid);
        assert!(stack.gateway.as_ref().unwrap().process.is_running());
        stack.stop().await;
    });
}

fn idle_memory_is_small(stack: &Stack) {
    let resident = stack
        .gateway
        .as_ref()
        .unwrap()
        .process
        .resident_bytes()
        .unwrap();
    assert!(
        resident <= IDLE_MEMORY,
        "{resident} bytes with two idle tenants"
    );
}

async fn still_serves(beta: &mut Session) {
    beta.execute("UPDATE test.t SET v = v + 1").await.unwrap();
    assert_eq!(
        beta.value("SELECT COUNT(*) FROM test.t").await.unwrap(),
        "1"
    );
}

/// Bytes that are no protocol, and HTTP/1 that asks for nothing sensible. Each connection is
/// answered or closed within seconds.
async fn garbage(address: &str) {
    let pieces: [&[u8]; 6] = [
        b"\x00\x01\x02\x03garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /pd/api/v1/config HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n{",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for piece in pieces {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(piece).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        let ended = tokio::time::timeout(Duration::from_secs(30), read).await;
        assert!(
            ended.is_ok(),
            "still open after {:?}",
            String::from_utf8_lossy(piece)
        );
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.starts_with("HTTP/1.1 200"), "{text}");
    }
}

/// Connections that say nothing, or begin and never go on.
async fn half_open(address: &str) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for index in 0..40 {
        let mut socket = TcpStream::connect(address).await.unwrap();
        if index % 2 == 0 {
            socket.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        }
        sockets.push(socket);
    }
    sockets
}

/// The gateway doesn't wait for ever for a first byte, nor for the rest of a preface.
async fn closed_in_time(silent: Vec<TcpStream>) {
    for mut socket in silent {
        let mut rest = Vec::new();
        let read = socket.read_to_end(&mut rest);
        let ended = tokio::time::timeout(Duration::from_secs(60), read).await;
        assert!(
            ended.is_ok(),
            "a silent connection is still open after a minute"
        );
    }
}

/// HTTP/2 that isn't gRPC: answered on its stream, and the connection goes on.
async fn wrong_content_type(address: &str) {
    let headers = http2_headers("/tikvpb.Tikv/KvGet", "text/plain");
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    socket.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    socket
        .write_all(&frame(1, 0b101, 1, &headers))
        .await
        .unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let mut head = [0_u8; 9];
            socket
                .read_exact(&mut head)
                .await
                .expect("the connection goes on");
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            socket
                .read_exact(&mut vec![0; length])
                .await
                .expect("a whole frame");
            if head[3] == 1 && head[8] == 1 {
                return;
            }
        }
    });
    answered.await.expect("an answer on the stream");
}

/// A frame: length, type, flags, stream, payload.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// `POST`, `http`, a path, an authority and a content type, without compression.
fn http2_headers(path: &str, content_type: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (vec![0x04], path),
        (vec![0x01], "x"),
        (vec![0x0F, 0x10], content_type),
    ] {
        block.extend(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value.as_bytes());
    }
    block
}

/// Calls that are well framed and wrong in themselves.
async fn calls(address: &str) {
    let channel = channel(address).await;
    for path in [
        "/tikvpb.Tikv/Invented",
        "/no.such.Service/Call",
        "/pdpb.PD/Bootstrap",
    ] {
        // Not there at all, or there and closed to tenants; never the storage's own answer.
        let code = refusal(&channel, path, vec![]).await;
        assert!(
            matches!(code, Code::PermissionDenied | Code::Unimplemented),
            "{path}: {code:?}"
        );
    }
    for undecodable in [
        vec![0xFF; 64],
        vec![0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        vec![0x0B, 0x0C],
    ] {
        let code = refusal(&channel, GET, undecodable).await;
        assert_ne!(code, Code::Ok);
    }
    let oversized = vec![0_u8; usize::try_from(LIMIT).unwrap() * 3];
    let code = refusal(&channel, GET, oversized).await;
    assert_ne!(
        code,
        Code::Unavailable,
        "the connection must survive an oversized message"
    );
}

/// A store's calls aren't served on the PD port.
async fn wrong_port(stack: &Stack) {
    let pd = channel(&stack.tenants["alpha"].info.pd).await;
    let store = channel(&stack.tenants["alpha"].info.stores[0].address).await;
    assert!(call(&pd, "/tikvpb.Tikv/RawGet", vec![]).await.is_err());
    assert!(call(&store, "/pdpb.PD/GetMembers", vec![]).await.is_err());
}

/// Nothing listens for a tenant that isn't registered, and the admin API knows no such name.
async fn unknown_tenant(stack: &Stack) {
    let ports = stack
        .tenants
        .values()
        .filter_map(|tenant| tenant.info.pd.rsplit_once(':'));
    let highest: u16 = ports
        .map(|(_, port)| port.parse::<u16>().unwrap())
        .max()
        .unwrap();
    assert!(
        TcpStream::connect(("127.0.0.1", highest + 20))
            .await
            .is_err()
    );
    let admin = stack.admin().unwrap();
    assert!(admin.tenant("nobody").await.is_err());
    let url = format!(
        "http://{}/v1/tenants",
        stack.gateway.as_ref().unwrap().admin_address()
    );
    let client = mesh_integration::http::client().unwrap();
    assert_eq!(
        client.get(&url).send().await.unwrap().status().as_u16(),
        401
    );
    assert_eq!(
        client
            .get(&url)
            .bearer_auth("wrong")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        403
    );
}
