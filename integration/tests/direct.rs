use mesh_integration::dump::Dump;
use mesh_integration::stack::StackPlan;

use crate::runner::run;

#[test]
fn a_direct_tidb_answers_and_the_engine_dumps() {
    run(async {
        let stack = StackPlan::new("direct")
            .direct_tidb(1)
            .start()
            .await
            .expect("starts");
        let mut session = stack.direct_session().await.expect("session");
        session
            .execute("create table test.t (a int primary key, b int)")
            .await
            .expect("ddl");
        session
            .execute("insert into test.t values (1, 2)")
            .await
            .expect("dml");
        assert_eq!(
            session
                .value("select b from test.t where a = 1")
                .await
                .expect("row"),
            "2"
        );
        let dump = Dump::read(&stack.storage.engine_status_address())
            .await
            .expect("dump");
        assert!(dump.entries.len() > 100);
        stack.stop().await;
    });
}
