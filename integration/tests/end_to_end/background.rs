//! What TiDB does by itself: rows that expire.

use std::time::Duration;

use mesh_integration::eventually::eventually;
use mesh_integration::http::client;
use mesh_integration::stack::Stack;

/// Rows expire in alpha and stay in beta, which has the same table.
pub(crate) async fn expired_rows_go_in_one_tenant_only(stack: &Stack) {
    for name in ["alpha", "beta"] {
        let mut session = stack.session(name).await.unwrap();
        session.execute("CREATE DATABASE expiring").await.unwrap();
        let table = "CREATE TABLE expiring.t (id INT PRIMARY KEY, at DATETIME) TTL = at + INTERVAL 1 HOUR TTL_ENABLE = 'OFF'";
        session.execute(table).await.unwrap();
        session.execute("INSERT INTO expiring.t VALUES (1, NOW() - INTERVAL 2 DAY), (2, NOW()), (3, NOW() - INTERVAL 1 DAY)").await.unwrap();
    }
    let mut alpha = stack.session("alpha").await.unwrap();
    alpha
        .execute("ALTER TABLE expiring.t TTL_ENABLE = 'ON'")
        .await
        .unwrap();
    let status = stack.tidb("alpha").unwrap().status();
    let trigger = format!("http://{status}/test/ttl/trigger/expiring/t");
    eventually(
        "the expired rows' removal",
        Duration::from_secs(180),
        || async {
            // Refused while the server hasn't noticed the table yet, or a job runs already.
            let _ = client()?
                .post(&trigger)
                .timeout(Duration::from_secs(5))
                .send()
                .await;
            let mut session = stack.session("alpha").await?;
            let left = session.rows("SELECT id FROM expiring.t").await?.concat();
            anyhow::ensure!(left == ["2"], "left: {left:?}");
            Ok(())
        },
    )
    .await
    .unwrap();
    let mut beta = stack.session("beta").await.unwrap();
    assert_eq!(
        beta.value("SELECT COUNT(*) FROM expiring.t").await.unwrap(),
        "3"
    );
}
