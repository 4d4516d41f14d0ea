//! Stores that come, move to another address, and go. A tenant's own address of a store stays what
//! it was; what stands behind it follows PD.

use std::time::Duration;

use mesh_integration::eventually::eventually;
use mesh_integration::stack::{Stack, StackPlan};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use crate::rawrpc::call;
use crate::runner::run;
use crate::writer::Writer;

const LIMIT: Duration = Duration::from_secs(90);

#[test]
fn stores_come_move_and_go() {
    run(async {
        let plan = StackPlan::new("stores").tenants(&["alpha", "beta"]);
        let mut stack = plan.start().await.expect("starts");
        let alpha = Writer::start(&stack.tidb("alpha").unwrap().mysql()).await;
        alpha.progress(20).await;
        let first = stack.tenants["alpha"].info.stores[0].clone();
        it_moves(&mut stack, &alpha).await;
        let unmoved = addresses(&stack, "alpha").await;
        assert_eq!(unmoved, [(first.id, first.address.clone())]);
        let second = it_comes(&mut stack, first.id).await;
        alpha.progress(20).await;
        it_goes(&stack, second).await;
        assert!(alpha.verify().await > 40);
        stack.stop().await;
    });
}

async fn it_moves(stack: &mut Stack, alpha: &Writer) {
    let old = stack.storage.tikv_address();
    stack.move_store().await.expect("moves");
    assert_ne!(old, stack.storage.tikv_address());
    alpha.progress(20).await;
    let mut beta = stack.session("beta").await.unwrap();
    beta.execute("CREATE TABLE test.t (id INT PRIMARY KEY)")
        .await
        .unwrap();
}

async fn addresses(stack: &Stack, tenant: &str) -> Vec<(u64, String)> {
    let info = stack.admin().unwrap().tenant(tenant).await.unwrap();
    info.stores.into_iter().map(|s| (s.id, s.address)).collect()
}

/// A store that PD knows gets an address in every tenant, and the address leads to it.
async fn it_comes(stack: &mut Stack, first: u64) -> u64 {
    stack.add_store().await.expect("a second store");
    let mut second = 0;
    for tenant in ["alpha", "beta"] {
        let told = eventually("a second store's address", LIMIT, || async {
            let told = addresses(stack, tenant).await;
            anyhow::ensure!(told.len() == 2, "{told:?}");
            Ok(told)
        });
        let told = told.await.unwrap();
        let (id, address) = told.iter().find(|(id, _)| *id != first).unwrap();
        second = *id;
        // It has no regions, and says so: the first store would have answered.
        let answer = eventually("the second store's answer", LIMIT, || async {
            Ok(call(&lazily(address), "/tikvpb.Tikv/KvGet", get()).await?)
        });
        let answer = answer.await.unwrap();
        assert_eq!(answer.first(), Some(&0x0A), "a region error: {answer:?}");
    }
    let mut session = stack.session("alpha").await.unwrap();
    let seen = "SELECT COUNT(*) FROM information_schema.tikv_store_status";
    assert_eq!(session.value(seen).await.unwrap(), "2");
    second
}

/// A connection whose failure is told by the call: a port may not be bound yet.
fn lazily(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect_lazy()
}

/// `KvGet` of a key of TiDB's own, in region 1 of the second store as far as the caller knows.
fn get() -> Vec<u8> {
    let context = [0x08, 0x01, 0x12, 0x04, 0x08, 0x01, 0x10, 0x01];
    let mut request = vec![0x0A, u8::try_from(context.len()).unwrap()];
    request.extend(context);
    request.extend([0x12, 0x02, b'm', b'1']);
    request
}

async fn it_goes(stack: &Stack, second: u64) {
    let address = addresses(stack, "alpha").await;
    let (_, address) = address.iter().find(|(id, _)| *id == second).unwrap();
    let url = format!("{}/pd/api/v1/store/{second}", stack.storage.pd_url(0));
    let client = mesh_integration::http::client().unwrap();
    let told = client.delete(&url).send().await.unwrap();
    assert!(told.status().is_success(), "{told:?}");
    eventually("a tombstone", LIMIT, || async {
        let told: Value = mesh_integration::http::get_json(&url).await?;
        anyhow::ensure!(told["store"]["state_name"] == "Tombstone", "{told}");
        Ok(())
    })
    .await
    .unwrap();
    let gone = eventually("calls to it being refused", LIMIT, || async {
        match call(&lazily(address), "/tikvpb.Tikv/KvGet", get()).await {
            Ok(_) => anyhow::bail!("still answered"),
            Err(status) => Ok(status),
        }
    });
    let gone = gone.await.unwrap();
    assert_eq!(gone.code(), tonic::Code::Unavailable, "{gone:?}");
    let mut session = stack.session("alpha").await.unwrap();
    let seen = "SELECT COUNT(*) FROM information_schema.tikv_store_status";
    assert_eq!(session.value(seen).await.unwrap(), "1");
}
