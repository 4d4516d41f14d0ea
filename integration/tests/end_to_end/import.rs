//! Rows and index entries that reach a store as files (ImportSST), over SQL: ADD INDEX as TiDB does
//! it by default, alone and as a distributed task, and IMPORT INTO. Both tenants use the same table
//! ids, so a file in the wrong place would be seen.

use mesh_integration::sql::Session;
use mesh_integration::stack::{Stack, StackPlan};
use mesh_proto::types::import_sstpb::write_request::Chunk;
use mesh_proto::types::import_sstpb::{
    Pair, Range, SstMeta, WriteBatch, WriteRequest, WriteResponse,
};
use mesh_proto::wire::put_varint_field;
use prost::Message as _;
use tonic::{Code, Request, Status};

use crate::rawrpc::{RawCodec, channel};
use crate::runner::run;
use crate::shared::lines_of;

const ROWS: u32 = 3000;

#[test]
fn indexes_and_rows_written_as_files_land_in_their_own_tenant() {
    run(async {
        let plan = StackPlan::new("import").tenants(&["alpha", "beta"]);
        let stack = plan.start().await.expect("starts");
        for tenant in ["alpha", "beta"] {
            fill(&mut stack.session(tenant).await.unwrap()).await;
        }
        // A silent beta writes nothing, so every byte of it must stay.
        stack.tidb("beta").unwrap().stop().await;
        let before = lines_of(&stack, "beta").await;

        let mut alpha = stack.session("alpha").await.unwrap();
        for (distributed, suffix) in [("OFF", "alone"), ("ON", "task")] {
            let set = format!("SET GLOBAL tidb_enable_dist_task = {distributed}");
            alpha.execute(&set).await.unwrap();
            add_indexes(&mut alpha, suffix).await;
        }
        import_rows(&mut alpha, &stack).await;
        written_as_files(&stack).await;

        assert_eq!(before, lines_of(&stack, "beta").await, "beta changed");
        let beta = stack.tidb("beta").unwrap();
        beta.restart().await.expect("beta starts again");
        let mut beta = stack.session("beta").await.unwrap();
        add_indexes(&mut beta, "alone").await;
        stack.stop().await;
    });
}

async fn fill(session: &mut Session) {
    session
        .execute(
            "CREATE TABLE test.people (id INT PRIMARY KEY, name VARCHAR(40), age INT) \
             PARTITION BY HASH (id) PARTITIONS 3",
        )
        .await
        .unwrap();
    session
        .execute("SET cte_max_recursion_depth = 10000")
        .await
        .unwrap();
    let rows = format!(
        "INSERT INTO test.people WITH RECURSIVE s (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) \
         SELECT n, CONCAT('name ', n), n % 90 FROM s"
    );
    session.execute(&rows).await.unwrap();
    let twins = "CREATE TABLE test.twins (id INT PRIMARY KEY, twin INT)";
    session.execute(twins).await.unwrap();
    let rows = "INSERT INTO test.twins SELECT id, id DIV 2 FROM test.people";
    session.execute(rows).await.unwrap();
}

/// Plain, unique, and unique over rows that aren't.
async fn add_indexes(session: &mut Session, suffix: &str) {
    for definition in [
        format!("INDEX by_age_{suffix} (age)"),
        format!("UNIQUE INDEX by_name_{suffix} (name, id)"),
    ] {
        let statement = format!("ALTER TABLE test.people ADD {definition}");
        session.execute(&statement).await.unwrap();
        let job = session
            .rows("ADMIN SHOW DDL JOBS 1")
            .await
            .unwrap()
            .concat()
            .join(" ");
        assert!(job.contains("ingest"), "added by transactions: {job}");
    }
    session
        .execute("ADMIN CHECK TABLE test.people")
        .await
        .unwrap();
    let counted =
        format!("SELECT COUNT(*) FROM test.people USE INDEX (by_age_{suffix}) WHERE age = 7");
    assert_eq!(session.value(&counted).await.unwrap(), "34");

    // Not unique, which only the look at all files together shows.
    let statement = format!("ALTER TABLE test.twins ADD UNIQUE INDEX unique_{suffix} (twin)");
    let refused = session.run(&statement).await.unwrap().error.unwrap();
    assert_eq!(refused.code, 1062, "{refused:?}");
}

/// A file of the server becomes a table.
async fn import_rows(session: &mut Session, stack: &Stack) {
    let file = stack.dir.join("cities.csv");
    let lines: String = (1..=ROWS).map(|n| format!("{n},city {n}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    session
        .execute(
            "CREATE TABLE test.cities (id INT PRIMARY KEY, name VARCHAR(40), UNIQUE KEY (name))",
        )
        .await
        .unwrap();
    let import = format!("IMPORT INTO test.cities FROM '{}'", file.display());
    session.execute(&import).await.unwrap();
    session
        .execute("ADMIN CHECK TABLE test.cities")
        .await
        .unwrap();
    let counted = "SELECT COUNT(*) FROM test.cities";
    assert_eq!(session.value(counted).await.unwrap(), ROWS.to_string());
    let name = "SELECT id FROM test.cities WHERE name = 'city 2999'";
    assert_eq!(session.value(name).await.unwrap(), "2999");
}

/// That it were files, and not transactions.
async fn written_as_files(stack: &Stack) {
    let calls = stack
        .admin()
        .unwrap()
        .metric("tidb_mesh_gateway_calls_total")
        .await
        .unwrap();
    for rpc in ["Write", "MultiIngest", "DuplicateDetect"] {
        let path = format!("/import_sstpb.ImportSST/{rpc}");
        let of_alpha = calls.iter().any(|(labels, count)| {
            labels.contains(&path) && labels.contains("alpha") && *count > 0.0
        });
        assert!(of_alpha, "{rpc} was not called: {calls:?}");
    }
}

#[test]
fn a_file_that_is_refused_half_way_is_not_kept_for_ingestion() {
    run(async {
        let plan = StackPlan::new("import-refused").tenants(&["alpha"]);
        let stack = plan.tidb_per_tenant(0).start().await.expect("starts");
        let whole = vec![first(1), batch().encode_to_vec()];
        let answer = write(&stack, whole.clone()).await.expect("a whole file");
        let answer = WriteResponse::decode(answer.as_slice()).unwrap();
        assert_eq!(
            answer.metas[0].range,
            meta(1).range,
            "as the tenant knows it"
        );
        assert_eq!(files(&stack), 1);

        let mut refused = whole;
        refused[0] = first(2);
        let mut unknown = batch().encode_to_vec();
        put_varint_field(99, 1, &mut unknown);
        refused.push(unknown);
        let refusal = write(&stack, refused).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal:?}");
        assert!(refusal.message().contains("99"), "{refusal:?}");
        mesh_integration::eventually::eventually(
            "the end of half a file",
            std::time::Duration::from_secs(10),
            || async {
                let left = files(&stack);
                anyhow::ensure!(left == 1, "{left} files on the store");
                Ok(())
            },
        )
        .await
        .unwrap();
        stack.stop().await;
    });
}

fn meta(uuid: u8) -> SstMeta {
    let mut key = Vec::new();
    mesh_keyspace::memcomparable::encode(b"mkey", &mut key);
    SstMeta {
        uuid: vec![uuid; 16].into(),
        range: Some(Range {
            start: key.clone().into(),
            end: key.into(),
        }),
        region_id: 1,
        ..Default::default()
    }
}

fn first(uuid: u8) -> Vec<u8> {
    let request = WriteRequest {
        chunk: Some(Chunk::Meta(meta(uuid))),
        ..Default::default()
    };
    request.encode_to_vec()
}

fn batch() -> WriteRequest {
    let pair = Pair {
        key: b"mkey".to_vec().into(),
        value: b"value".to_vec().into(),
        ..Default::default()
    };
    WriteRequest {
        chunk: Some(Chunk::Batch(WriteBatch {
            commit_ts: 5,
            pairs: vec![pair],
        })),
        ..Default::default()
    }
}

/// Files that wait on the store for their ingestion.
fn files(stack: &Stack) -> usize {
    let import = stack.dir.join("engine").join("import");
    std::fs::read_dir(import).map_or(0, Iterator::count)
}

async fn write(stack: &Stack, messages: Vec<Vec<u8>>) -> Result<Vec<u8>, Status> {
    let store = channel(&stack.tenants["alpha"].info.stores[0].address).await;
    let mut grpc = tonic::client::Grpc::new(store);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let path = "/import_sstpb.ImportSST/Write".parse().expect("a path");
    let messages = futures::stream::iter(messages);
    grpc.client_streaming(Request::new(messages), path, RawCodec)
        .await
        .map(tonic::Response::into_inner)
}
