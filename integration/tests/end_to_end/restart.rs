//! Every component is killed or restarted under write load; nothing acknowledged is lost and both
//! tenants go on by themselves.

use std::time::Duration;

use mesh_integration::process::GRACE;
use mesh_integration::stack::{Stack, StackPlan};

use crate::runner::run;
use crate::writer::Writer;

#[test]
fn every_component_restarts_under_write_load() {
    run(async {
        let plan = StackPlan::new("restart").tenants(&["alpha", "beta"]);
        let stack = plan.start().await.expect("starts");
        let alpha = Writer::start(&stack.tidb("alpha").unwrap().mysql()).await;
        let beta = Writer::start(&stack.tidb("beta").unwrap().mysql()).await;
        alpha.progress(50).await;
        kill_the_gateway(&stack, &alpha, &beta).await;
        drain_the_gateway(&stack, &alpha).await;
        restart_the_storage(&stack, &alpha, &beta).await;
        kill_a_tidb(&stack, &alpha, &beta).await;
        assert!(alpha.verify().await > 200);
        assert!(beta.verify().await > 200);
        stack.stop().await;
    });
}

async fn kill_the_gateway(stack: &Stack, alpha: &Writer, beta: &Writer) {
    let gateway = stack.gateway.as_ref().unwrap();
    for down in [0, 300, 3000] {
        gateway.process.kill().await;
        tokio::time::sleep(Duration::from_millis(down)).await;
        gateway.restart().await.expect("starts again");
        alpha.progress(30).await;
        beta.progress(30).await;
    }
}

async fn drain_the_gateway(stack: &Stack, alpha: &Writer) {
    let gateway = stack.gateway.as_ref().unwrap();
    gateway.stop().await;
    gateway.restart().await.expect("starts again");
    alpha.progress(30).await;
}

async fn restart_the_storage(stack: &Stack, alpha: &Writer, beta: &Writer) {
    stack.storage.engine.stop(GRACE).await;
    stack.storage.restart_engine().await.expect("starts again");
    alpha.progress(30).await;
    beta.progress(30).await;
    stack.storage.pd.stop(GRACE).await;
    stack.storage.restart_pd().await.expect("starts again");
    alpha.progress(30).await;
    beta.progress(30).await;
}

async fn kill_a_tidb(stack: &Stack, alpha: &Writer, beta: &Writer) {
    let tidb = stack.tidb("alpha").unwrap();
    tidb.process.kill().await;
    beta.progress(30).await;
    tidb.restart().await.expect("starts again");
    alpha.progress(30).await;
}
