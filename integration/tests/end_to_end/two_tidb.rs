//! Two TiDB servers in one tenant: they elect an owner, see each other's schema at once, and one
//! takes over when the other is killed.

use mesh_integration::sql::Session;
use mesh_integration::stack::StackPlan;

use crate::runner::run;

#[test]
fn two_servers_share_a_tenant_and_one_takes_over() {
    run(async {
        let plan = StackPlan::new("two-tidb")
            .tenants(&["alpha"])
            .tidb_per_tenant(2);
        let stack = plan.start().await.expect("starts");
        let servers = &stack.tenants["alpha"].tidb;
        let mut sessions = Vec::new();
        for tidb in servers {
            sessions.push(Session::connect(&tidb.mysql()).await.unwrap());
        }
        let owner = one_owner(&mut sessions).await;
        let other = 1 - owner;
        sessions[other]
            .execute("CREATE TABLE test.t (id INT PRIMARY KEY, v INT)")
            .await
            .unwrap();
        sessions[owner]
            .execute("INSERT INTO test.t VALUES (1, 1), (2, 2)")
            .await
            .unwrap();
        sessions[other]
            .execute("ALTER TABLE test.t ADD COLUMN w INT DEFAULT 9, ADD INDEX (v)")
            .await
            .unwrap();
        assert_eq!(
            sessions[owner]
                .value("SELECT SUM(w) FROM test.t")
                .await
                .unwrap(),
            "18"
        );
        let members = "SELECT COUNT(*) FROM information_schema.cluster_info WHERE type = 'tidb'";
        assert_eq!(sessions[other].value(members).await.unwrap(), "2");
        locks_are_seen_by_the_other(&mut sessions).await;
        servers[owner].process.kill().await;
        let survivor = &mut sessions[other];
        survivor
            .execute("INSERT INTO test.t VALUES (3, 3, 3)")
            .await
            .unwrap();
        survivor
            .execute("ALTER TABLE test.t ADD INDEX iw (w)")
            .await
            .unwrap();
        survivor.execute("ADMIN CHECK TABLE test.t").await.unwrap();
        assert_eq!(
            survivor.value("SELECT tidb_is_ddl_owner()").await.unwrap(),
            "1"
        );
        servers[owner].restart().await.unwrap();
        let mut back = Session::connect(&servers[owner].mysql()).await.unwrap();
        assert_eq!(
            back.value("SELECT COUNT(*) FROM test.t USE INDEX (iw) WHERE w > 0")
                .await
                .unwrap(),
            "3"
        );
        stack.stop().await;
    });
}

async fn one_owner(sessions: &mut [Session]) -> usize {
    let mut owners = Vec::new();
    for (index, session) in sessions.iter_mut().enumerate() {
        if session.value("SELECT tidb_is_ddl_owner()").await.unwrap() == "1" {
            owners.push(index);
        }
    }
    assert_eq!(owners.len(), 1, "owners: {owners:?}");
    owners[0]
}

async fn locks_are_seen_by_the_other(sessions: &mut [Session]) {
    sessions[0].execute("BEGIN PESSIMISTIC").await.unwrap();
    sessions[0]
        .execute("UPDATE test.t SET v = 100 WHERE id = 1")
        .await
        .unwrap();
    sessions[1].execute("BEGIN PESSIMISTIC").await.unwrap();
    let blocked = sessions[1]
        .run("SELECT * FROM test.t WHERE id = 1 FOR UPDATE NOWAIT")
        .await
        .unwrap();
    assert_eq!(blocked.error.expect("locked").code, 3572);
    sessions[1].execute("ROLLBACK").await.unwrap();
    sessions[0].execute("COMMIT").await.unwrap();
    assert_eq!(
        sessions[1]
            .value("SELECT v FROM test.t WHERE id = 1")
            .await
            .unwrap(),
        "100"
    );
}
