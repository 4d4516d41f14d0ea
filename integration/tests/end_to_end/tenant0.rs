//! An ordinary TiDB that already lives on the storage: it is there before the tenants, works beside
//! them, and can be restarted and joined by another after them.

use mesh_integration::dump::Dump;
use mesh_integration::sql::Session;
use mesh_integration::stack::StackPlan;

use crate::background::expired_rows_go_in_one_tenant_only;
use crate::runner::run;
use crate::shared::ranges_of;

#[test]
fn an_ordinary_tidb_lives_on_beside_the_tenants() {
    run(async {
        let plan = StackPlan::new("tenant0")
            .direct_tidb(1)
            .tenants(&["alpha", "beta"]);
        let mut stack = plan.start().await.expect("starts");
        let mut direct = stack.direct_session().await.unwrap();
        let mut alpha = stack.session("alpha").await.unwrap();
        let (first, second) = (fill(&mut direct, 3).await, fill(&mut alpha, 5).await);
        assert_eq!(first, second, "the same ids");
        assert_eq!(sum(&mut direct).await, "3");
        assert_eq!(sum(&mut alpha).await, "5");
        let dump = Dump::read(&stack.storage.engine_status_address())
            .await
            .unwrap();
        let (a, b) = (ranges_of(&stack, "alpha"), ranges_of(&stack, "beta"));
        let own = |entry: &&mesh_integration::dump::Entry| {
            entry.key.starts_with(b"m") || entry.key.starts_with(b"t")
        };
        assert!(
            dump.outside(&[&a, &b])
                .iter()
                .filter(|entry| own(entry))
                .count()
                > 500
        );
        alpha.execute("DROP DATABASE shop").await.unwrap();
        direct
            .execute("ALTER TABLE shop.t ADD INDEX (v)")
            .await
            .unwrap();
        direct.execute("ADMIN CHECK TABLE shop.t").await.unwrap();
        stack.direct[0].stop().await;
        stack.direct[0].restart().await.unwrap();
        stack.add_direct_tidb().await.unwrap();
        for tidb in &stack.direct {
            let mut session = Session::connect(&tidb.mysql()).await.unwrap();
            assert_eq!(sum(&mut session).await, "3");
        }
        let mut beta = stack.session("beta").await.unwrap();
        let databases = beta.rows("SHOW DATABASES").await.unwrap();
        assert!(!databases.concat().contains(&"shop".to_owned()));
        expired_rows_go_in_one_tenant_only(&stack).await;
        stack.stop().await;
    });
}

async fn fill(session: &mut Session, value: u32) -> String {
    session.execute("CREATE DATABASE shop").await.unwrap();
    session
        .execute("CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)")
        .await
        .unwrap();
    session
        .execute(&format!("INSERT INTO shop.t VALUES (1, {value})"))
        .await
        .unwrap();
    let id = "SELECT tidb_table_id FROM information_schema.tables WHERE table_schema = 'shop'";
    session.value(id).await.unwrap()
}

async fn sum(session: &mut Session) -> String {
    session.value("SELECT SUM(v) FROM shop.t").await.unwrap()
}
