//! Several TiDB servers of one tenant: who gets sessions, and what changes without a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_integration::eventually::eventually;
use mesh_integration::sql::Session;
use mesh_integration::stack::{Front, StackPlan};

use crate::runner::run;

/// How many of a few new sessions each server gets, by its port.
async fn spread(front: &Front, count: usize) -> anyhow::Result<BTreeMap<String, usize>> {
    let (mut sessions, mut spread) = (Vec::new(), BTreeMap::new());
    for _ in 0..count {
        let address = front.plan().mysql.to_string();
        let mut session = Session::connect_as(&address, "alpha.root", "").await?;
        *spread
            .entry(session.value("SELECT @@port").await?)
            .or_default() += 1;
        sessions.push(session);
    }
    Ok(spread)
}

#[test]
fn servers_come_drain_die_and_return_without_a_failed_login() {
    run(async {
        let plan = StackPlan::new("front-servers").tenants(&["alpha"]).front();
        let mut stack = plan.start().await.expect("starts");
        stack.add_tidb("alpha").await.expect("a second TiDB");
        let front = stack.front.as_ref().expect("a front");
        assert_eq!(spread(front, 4).await.unwrap().len(), 1);
        front
            .reconfigure(&front.plan().config(stack.mysql_addresses()))
            .unwrap();
        eventually("both get sessions", Duration::from_secs(10), || async {
            let spread = spread(front, 8).await?;
            anyhow::ensure!(
                spread.len() == 2 && spread.values().all(|count| *count > 1),
                "{spread:?}"
            );
            Ok(())
        })
        .await
        .unwrap();
        let tidb = &stack.tenants["alpha"].tidb;
        let drained = format!("/v1/servers/{}/drain", tidb[0].mysql());
        let mut stays = Session::connect_as(&front.plan().mysql.to_string(), "alpha.root", "")
            .await
            .unwrap();
        front.admin("POST", &drained).await.unwrap();
        let other = tidb[1].mysql();
        let (_, port) = other.rsplit_once(':').unwrap();
        assert_eq!(
            spread(front, 6).await.unwrap(),
            BTreeMap::from([(port.to_owned(), 6)])
        );
        stays
            .execute("DO 1")
            .await
            .expect("sessions go on, there or elsewhere");
        front.admin("DELETE", &drained).await.unwrap();
        tidb[1].process.kill().await;
        assert_eq!(spread(front, 6).await.unwrap().len(), 1);
        tidb[1].restart().await.unwrap();
        eventually(
            "both get sessions again",
            Duration::from_secs(30),
            || async {
                anyhow::ensure!(spread(front, 8).await?.len() == 2);
                Ok(())
            },
        )
        .await
        .unwrap();
        a_broken_configuration_changes_nothing(front).await;
        stack.stop().await;
    });
}

async fn a_broken_configuration_changes_nothing(front: &Front) {
    let file = front.plan().dir.join("proxy.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("version = 1", "version = 2")).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(spread(front, 1).await.unwrap().len(), 1);
    let shown = front.admin("GET", "/v1/config").await.unwrap();
    assert_eq!(shown["version"], 1);
    std::fs::write(&file, good).unwrap();
}
