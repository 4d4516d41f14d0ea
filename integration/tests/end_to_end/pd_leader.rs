//! Three PD servers: whichever leads, tenants are served; the leader is killed, twice, under write
//! load.

use std::time::Duration;

use mesh_integration::eventually::eventually;
use mesh_integration::stack::{Stack, StackPlan};

use crate::runner::run;
use crate::writer::Writer;

#[test]
fn tenants_outlive_leaders_of_pd() {
    run(async {
        let plan = StackPlan::new("pd-leader").tenants(&["alpha", "beta"]);
        let mut stack = plan.pd_servers(3).start().await.expect("starts");
        let alpha = Writer::start(&stack.tidb("alpha").unwrap().mysql()).await;
        let beta = Writer::start(&stack.tidb("beta").unwrap().mysql()).await;
        alpha.progress(30).await;
        for tenant in ["gamma", "delta"] {
            let led = leader(&stack).await;
            stack.storage.pd_servers()[led].kill().await;
            alpha.progress(30).await;
            beta.progress(30).await;
            assert_ne!(leader(&stack).await, led, "another one leads");
            // The registry, in PD's etcd, follows too.
            stack.create_tenant(tenant).await.expect("created");
            stack.storage.pd_servers()[led].start_again().unwrap();
            healthy(&stack).await;
        }
        let mut session = stack.session("alpha").await.unwrap();
        let ddl = "ALTER TABLE written.t ADD COLUMN w INT DEFAULT 1";
        session.execute(ddl).await.unwrap();
        assert!(alpha.verify().await > 60);
        assert!(beta.verify().await > 60);
        stack.stop().await;
    });
}

/// Which of the servers leads, as they agree themselves.
pub(crate) async fn leader(stack: &Stack) -> usize {
    eventually("a leader of PD", Duration::from_secs(60), || async {
        for (index, server) in stack.storage.pd_servers().iter().enumerate() {
            if !server.is_running() {
                continue;
            }
            let url = format!("{}/pd/api/v1/leader", stack.storage.pd_url(index));
            let Ok(told) = mesh_integration::http::get_json(&url).await else {
                continue;
            };
            let named = |server: &_| told["name"] == stack.storage.pd_server_name(*server);
            if let Some(leads) = (0..stack.storage.pd_servers().len()).find(named) {
                return Ok(leads);
            }
        }
        anyhow::bail!("nobody knows one")
    })
    .await
    .unwrap()
}

/// All three take part again, so that the next one may go.
pub(crate) async fn healthy(stack: &Stack) {
    eventually(
        "three healthy PD servers",
        Duration::from_secs(60),
        || async {
            let led = leader(stack).await;
            let url = format!("{}/pd/api/v1/health", stack.storage.pd_url(led));
            let told = mesh_integration::http::get_json(&url).await?;
            let members = told.as_array().map(Vec::as_slice).unwrap_or_default();
            let healthy = members.iter().filter(|one| one["health"] == true).count();
            anyhow::ensure!(healthy == 3, "{healthy} are healthy");
            Ok(())
        },
    )
    .await
    .unwrap();
}
