use std::time::Duration;

use futures::future::join_all;
use http_body_util::Full;
use mesh_keyspace::{Keyspace, Mode, TenantId};
use mesh_proto::{Route, Rpc, tables};
use mesh_tenants::EtcdClient;
use mesh_tenants::etcd::Timeouts;
use tonic::Streaming;
use tonic::metadata::MetadataMap;

use super::*;
use crate::grpc::RawFrames;

/// Nobody listens there: reserved for being discarded.
const NOWHERE: &str = "127.0.0.1:9";

fn service() -> PdService {
    let endpoints = vec![NOWHERE.to_owned()];
    let pd = Arc::new(Pd::new(endpoints.clone(), Default::default()));
    let etcd = EtcdClient::new(&endpoints, Timeouts::default()).unwrap();
    let registry = Arc::new(Registry::new(etcd, 20_000..=20_010));
    let config = format!(
        "advertise_host = '127.0.0.1'\nstorage.pd = ['{NOWHERE}']\n\
         admin = {{ listen = '127.0.0.1:0', token_file = 'none' }}\n\
         listen.port_range = '20000-20010'"
    );
    let config: Config = toml::from_str(&config).unwrap();
    PdService::new(
        pd.clone(),
        Arc::new(Stores::new(pd)),
        registry,
        Arc::new(config),
    )
}

pub(super) fn tenant() -> Tenant {
    let id = TenantId::new(Mode::Table, 1).unwrap();
    Tenant {
        name: "alpha".to_owned(),
        keyspace: Keyspace::new(Mode::Table, id).unwrap(),
        addresses: crate::tenant::Addresses::in_the_clear("127.0.0.1"),
        pd_port: 20_000,
        store_ports: [(1, 20_001)].into(),
        state: mesh_tenants::State::Active,
        created_at: std::time::UNIX_EPOCH,
    }
}

/// A call whose one message is empty.
fn call(rpc: &'static Rpc) -> Call {
    let body = Full::new(bytes::Bytes::from_static(&[0; 5]));
    Call {
        tenant: Arc::new(tenant()),
        rpc,
        metadata: MetadataMap::new(),
        frames: Streaming::new_request(RawFrames, body, None, None),
    }
}

fn is_on_the_pd_port(rpc: &Rpc) -> bool {
    let of_store = matches!(rpc.service, "tikvpb.Tikv" | "import_sstpb.ImportSST");
    !of_store && !rpc.service.starts_with("etcdserverpb.")
}

/// Past the first look at GC, which would fail here for all alike.
async fn dispatch(service: &PdService, rpc: &'static Rpc) -> Result<Response<Frames>, Fault> {
    match rpc.service {
        "pdpb.PD" => service.serve_pd(call(rpc)).await,
        _ => service.serve(call(rpc)).await,
    }
}

#[tokio::test]
async fn every_rpc_of_the_table_finds_somebody_and_no_other_does() {
    let service = &service();
    let rpcs = tables::RPCS.iter().filter(|rpc| is_on_the_pd_port(rpc));
    let answers = rpcs.map(|rpc| async move {
        let answer = tokio::time::timeout(Duration::from_secs(20), dispatch(service, rpc)).await;
        let served = !matches!(answer, Ok(Err(Fault::UnknownRpc { .. })));
        (rpc, served)
    });
    for (rpc, served) in join_all(answers).await {
        let wanted = !matches!(rpc.route, Route::Refuse { .. });
        assert_eq!(served, wanted, "{}", rpc.path);
    }
}

#[tokio::test]
async fn nothing_is_answered_while_nothing_is_held_for_a_tenant() {
    let rpc = tables::rpc("/pdpb.PD/GetMembers").unwrap();
    let answer = service().serve(call(rpc)).await;
    assert!(matches!(answer, Err(Fault::Unavailable(_))));
}
