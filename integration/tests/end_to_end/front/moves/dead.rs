//! Sessions whose server is killed.

use anyhow::ensure;
use mesh_integration::eventually::eventually;
use mesh_integration::sql::Session;
use mesh_integration::stack::{SigningFiles, Stack};
use mysql_async::prelude::Queryable as _;

use super::{PATIENCE, address, connect, front, granted_everywhere, servers, shown};

const SESSIONS: usize = 20;

/// Waits until the session could be built anew.
async fn kept(stack: &Stack, id: u32) {
    eventually("the session's state to be kept", PATIENCE, || async {
        let now = shown(stack, id).await?;
        ensure!(now["outlives_server"] == true, "{now}");
        Ok(())
    })
    .await
    .expect("kept");
}

async fn sign_by_the_front(stack: &Stack) {
    let mut config = front(stack).plan().config(stack.mysql_addresses());
    let files = SigningFiles::of_tenant(&stack.dir, "alpha").unwrap();
    config.tenants[0].signing_key = Some(files.key);
    front(stack).reconfigure(&config).unwrap();
    eventually("the key to be taken up", PATIENCE, || async {
        let config = front(stack).admin("GET", "/v1/config").await?;
        ensure!(config["tenants"][0]["signing_key"].is_string(), "{config}");
        Ok(())
    })
    .await
    .expect("taken up");
}

pub(super) async fn idle_sessions_outlive_their_server(stack: &Stack) {
    sign_by_the_front(stack).await;
    let mut root = connect(stack, "alpha.root").await;
    root.execute("CREATE USER keeper IDENTIFIED BY 'secret'")
        .await
        .unwrap();
    root.execute("GRANT some_moves TO keeper").await.unwrap();
    granted_everywhere(stack, ("keeper", "secret")).await;
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        let mut session = Session::connect_as(&address(stack), "alpha.keeper", "secret")
            .await
            .unwrap();
        session
            .execute(&format!("SET @number = {number}"))
            .await
            .unwrap();
        session.execute("SET ROLE some_moves").await.unwrap();
        session.execute("USE moved").await.unwrap();
        let prepared = session.driver().prep("SELECT ? + @number").await.unwrap();
        sessions.push((session, prepared));
    }
    for (session, _) in &sessions {
        kept(stack, session.id()).await;
    }
    a_session_that_is_killed_stays_dead(stack).await;
    let place = shown(stack, sessions[0].0.id()).await.unwrap();
    let [first, second] = servers(stack) else {
        panic!("two servers");
    };
    let (dead, lives) = if place["server"] == *first.mysql() {
        (first, second)
    } else {
        (second, first)
    };
    let mut busy = connect_to(stack, &dead.mysql()).await;
    busy.execute("BEGIN").await.unwrap();
    dead.process.kill().await;
    for (number, (session, prepared)) in sessions.iter_mut().enumerate() {
        let sum: Option<usize> = session
            .driver()
            .exec_first(&*prepared, (100,))
            .await
            .unwrap();
        assert_eq!(sum, Some(100 + number));
        let state = session
            .rows("SELECT @number, CURRENT_ROLE(), DATABASE(), @@port")
            .await
            .unwrap();
        let port = lives.mysql().rsplit_once(':').unwrap().1.to_owned();
        let expected = [
            number.to_string(),
            "`some_moves`@`%`".to_owned(),
            "moved".to_owned(),
            port,
        ];
        assert_eq!(state, [expected.to_vec()]);
        session
            .value("SELECT COUNT(*) FROM t")
            .await
            .expect("the role counts");
    }
    busy.execute("COMMIT")
        .await
        .expect_err("its transaction is gone");
    dead.restart().await.expect("comes back");
}

/// A session on a certain server.
async fn connect_to(stack: &Stack, server: &str) -> Session {
    // Those on the other one stay meanwhile, so that new ones go elsewhere.
    let mut others = Vec::new();
    for _ in 0..200 {
        let session = connect(stack, "alpha.root").await;
        let place = shown(stack, session.id()).await.unwrap();
        if place["server"] == *server {
            return session;
        }
        others.push(session);
    }
    panic!("no session on {server}");
}

/// The server lives, so it is its will.
async fn a_session_that_is_killed_stays_dead(stack: &Stack) {
    let mut session = connect(stack, "alpha.root").await;
    session.execute("SET @a = 1").await.unwrap();
    kept(stack, session.id()).await;
    let place = shown(stack, session.id()).await.unwrap();
    let own = &place["server_connection"];
    let server = place["server"].as_str().unwrap();
    let mut direct = Session::connect(server).await.unwrap();
    direct.execute(&format!("KILL {own}")).await.unwrap();
    session.execute("DO 1").await.expect_err("it is dead");
}
