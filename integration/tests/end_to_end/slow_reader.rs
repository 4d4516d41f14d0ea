//! Clients that ask for much and read nothing: what the gateway holds for each of their streams is
//! bounded by one answer and the HTTP/2 windows, and the neighbour goes on.

use std::time::Duration;

use mesh_integration::stack::{Stack, StackPlan};
use mesh_proto::types::{kvrpcpb, metapb, pdpb};
use prost::Message as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

use crate::rawrpc::{RawCodec, call, channel};
use crate::runner::run;

const STREAMS: u64 = 24;
const ROWS: u64 = 40;
const ROW_BYTES: u64 = 100 * 1024;
const ANSWER: u64 = ROWS * ROW_BYTES;
/// Windows of a stream on both sides, and what may wait unsent.
const WINDOWS: u64 = 4 * 1024 * 1024;

#[test]
fn a_stream_that_nobody_reads_holds_an_answer_and_its_windows_at_most() {
    run(async {
        let plan = StackPlan::new("slow-reader").tenants(&["alpha", "beta"]);
        let stack = plan.start().await.expect("starts");
        let scan = fill(&stack).await;
        let gateway = &stack.gateway.as_ref().unwrap().process;
        let info = &stack.tenants["alpha"].info;
        let store = wide_channel(&info.stores[0].address).await;
        let first = read_whole(&store, &scan).await;
        assert_eq!(first.pairs.len() as u64, ROWS, "{:?}", first.region_error);

        let before = gateway.resident_bytes().unwrap();
        let mut unread = Vec::new();
        for _ in 0..STREAMS {
            unread.push(open(&store, &scan).await);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let held = gateway.resident_bytes().unwrap().saturating_sub(before);
        println!(
            "{STREAMS} unread answers of {} KiB: {} KiB held per stream",
            ANSWER / 1024,
            held / 1024 / STREAMS
        );
        // Twice: an answer and its undecorated form, whose allocations the allocator may keep.
        assert!(
            held <= STREAMS * (2 * ANSWER + WINDOWS),
            "{held} bytes held"
        );

        let mut beta = stack.session("beta").await.unwrap();
        beta.execute("CREATE TABLE test.t (id INT PRIMARY KEY)")
            .await
            .unwrap();
        beta.execute("INSERT INTO test.t VALUES (1)").await.unwrap();

        for mut stream in unread {
            let answer = stream.message().await.unwrap().expect("an answer");
            let answer = kvrpcpb::ScanResponse::decode(answer.as_slice()).unwrap();
            assert_eq!(answer.pairs, first.pairs, "read late, but whole");
        }
        stack.stop().await;
    });
}

/// A connection whose own window never is what stops a stream: only the streams' windows are.
async fn wide_channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint
        .initial_connection_window_size(u32::try_from(STREAMS * ANSWER * 2).unwrap())
        .connect()
        .await
        .expect("connects")
}

/// Writes alpha's rows and gives the request that reads them all in one answer.
async fn fill(stack: &Stack) -> Vec<u8> {
    let mut alpha = stack.session("alpha").await.unwrap();
    let create = "CREATE TABLE test.large (id INT PRIMARY KEY, v LONGBLOB)";
    alpha.execute(create).await.unwrap();
    for id in 0..ROWS {
        let insert = format!("INSERT INTO test.large VALUES ({id}, REPEAT('x', {ROW_BYTES}))");
        alpha.execute(&insert).await.unwrap();
    }
    let id = "SELECT tidb_table_id FROM information_schema.tables WHERE table_schema = 'test' AND table_name = 'large'";
    let id: i64 = alpha.value(id).await.unwrap().parse().unwrap();
    let pd = channel(&stack.tenants["alpha"].info.pd).await;
    kvrpcpb::ScanRequest {
        context: Some(context(&pd, &encoded_row_prefix(id)).await),
        start_key: row_prefix(id).into(),
        limit: u32::try_from(ROWS).unwrap(),
        version: u64::MAX - 1,
        ..Default::default()
    }
    .encode_to_vec()
}

/// `t` + the table id, its sign bit turned, big-endian + `_r` (TiDB's row keys).
fn row_prefix(table: i64) -> Vec<u8> {
    let id = table.cast_unsigned() ^ (1 << 63);
    [b"t", id.to_be_bytes().as_slice(), b"_r"].concat()
}

fn encoded_row_prefix(table: i64) -> Vec<u8> {
    let mut encoded = Vec::new();
    mesh_keyspace::memcomparable::encode(&row_prefix(table), &mut encoded);
    encoded
}

async fn context(pd: &Channel, key: &[u8]) -> kvrpcpb::Context {
    let members = call(pd, "/pdpb.PD/GetMembers", Vec::new()).await.unwrap();
    let members = pdpb::GetMembersResponse::decode(members.as_slice()).unwrap();
    let cluster_id = members.header.unwrap_or_default().cluster_id;
    let request = pdpb::GetRegionRequest {
        header: Some(pdpb::RequestHeader {
            cluster_id,
            ..Default::default()
        }),
        region_key: key.to_vec().into(),
        ..Default::default()
    };
    let answer = call(pd, "/pdpb.PD/GetRegion", request.encode_to_vec())
        .await
        .unwrap();
    let answer = pdpb::GetRegionResponse::decode(answer.as_slice()).unwrap();
    let region: metapb::Region = answer.region.expect("a region");
    kvrpcpb::Context {
        region_id: region.id,
        region_epoch: region.region_epoch,
        peer: answer.leader,
        ..Default::default()
    }
}

const SCAN: &str = "/tikvpb.Tikv/KvScan";

async fn read_whole(store: &Channel, scan: &[u8]) -> kvrpcpb::ScanResponse {
    let mut stream = open(store, scan).await;
    let answer = stream.message().await.unwrap().expect("an answer");
    kvrpcpb::ScanResponse::decode(answer.as_slice()).unwrap()
}

/// Sends the request and reads the head of the answer only.
async fn open(store: &Channel, scan: &[u8]) -> Streaming<Vec<u8>> {
    let mut grpc = tonic::client::Grpc::new(store.clone()).max_decoding_message_size(usize::MAX);
    grpc.ready().await.unwrap();
    let path = SCAN.parse().expect("a path");
    grpc.server_streaming(Request::new(scan.to_vec()), path, RawCodec)
        .await
        .unwrap()
        .into_inner()
}
