//! Sessions that go from one TiDB to another: what they take along, what holds them, what their
//! clients notice, and who may not use the means.

mod dead;
mod held;
mod load;
mod program;

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_integration::eventually::eventually;
use mesh_integration::sql::Session;
use mesh_integration::stack::{Front, Stack, StackPlan, Tidb};
use mesh_mysql_proxy::handshake::client::SESSION_TOKEN;
use mesh_mysql_proxy::packet::capability::Capabilities;
use serde_json::Value;

use super::raw::Raw;
use crate::runner::run;

const PATIENCE: Duration = Duration::from_secs(20);

/// Alpha with two servers, beta with one, and the front.
async fn start() -> Stack {
    let plan = StackPlan::new("front-moves").tenants(&["alpha", "beta"]);
    let mut stack = plan.front().start().await.expect("starts");
    stack.add_tidb("alpha").await.expect("a second TiDB");
    let front = stack.front.as_ref().expect("a front");
    let config = front.plan().config(stack.mysql_addresses());
    front.reconfigure(&config).expect("written");
    let added = servers(&stack)[1].mysql();
    eventually("both servers", PATIENCE, || async {
        let servers = front.admin("GET", "/v1/servers").await?;
        let known = servers.as_array().into_iter().flatten();
        let mut known = known.filter(|one| one["trusted"] == true && one["version"] != "");
        ensure!(known.any(|one| one["address"] == *added), "{servers}");
        Ok(())
    })
    .await
    .expect("taken up");
    stack
}

fn front(stack: &Stack) -> &Front {
    stack.front.as_ref().expect("a front")
}

fn servers(stack: &Stack) -> &[Tidb] {
    &stack.tenants["alpha"].tidb
}

fn address(stack: &Stack) -> String {
    front(stack).plan().mysql.to_string()
}

async fn connect(stack: &Stack, user: &str) -> Session {
    let session = Session::connect_as(&address(stack), user, "").await;
    session.expect("logs in")
}

/// What the front tells of a session.
async fn shown(stack: &Stack, id: u32) -> Result<Value> {
    let all = front(stack).admin("GET", "/v1/sessions").await?;
    let mut all = all.as_array().cloned().unwrap_or_default().into_iter();
    let found = all.find(|one| one["id"] == id);
    found.ok_or_else(|| anyhow::anyhow!("session {id} is gone"))
}

async fn ask_to_leave(stack: &Stack, id: u32) {
    let path = format!("/v1/sessions/{id}/migrate");
    front(stack).admin("POST", &path).await.expect("asked");
}

/// Why a session with a random state may have to stay: its prepared statement can't be compiled any
/// more, or its state can't be read.
const REFUSALS: [&str; 2] = ["the other server says", "its state has been given in"];

/// Asks, and waits until the session has moved, or can't. Gives whether it has moved.
async fn try_leave(stack: &Stack, id: u32) -> bool {
    let before = shown(stack, id).await.expect("there");
    ask_to_leave(stack, id).await;
    let mut moved = false;
    eventually("a move or a refusal", PATIENCE, || async {
        let now = shown(stack, id).await?;
        let moved = now["moves"].as_u64() > before["moves"].as_u64();
        let held = now["held_by"].as_str().unwrap_or_default();
        let refused = REFUSALS.iter().any(|words| held.starts_with(words));
        ensure!(moved || refused, "{now}");
        anyhow::Ok(moved)
    })
    .await
    .map(|outcome| moved = outcome)
    .expect("an outcome");
    moved
}

/// Asks, and waits until the session is elsewhere. Gives where.
async fn make_leave(stack: &Stack, id: u32) -> String {
    let before = shown(stack, id).await.expect("there");
    ask_to_leave(stack, id).await;
    let mut place = String::new();
    eventually("a move", PATIENCE, || async {
        let now = shown(stack, id).await?;
        ensure!(now["moves"].as_u64() > before["moves"].as_u64(), "{now}");
        anyhow::Ok(now["server"].as_str().unwrap_or_default().to_owned())
    })
    .await
    .map(|server| place = server)
    .expect("moves");
    assert_ne!(before["server"], place);
    place
}

/// Waits until the front says that this holds the session.
async fn held_by(stack: &Stack, id: u32, words: &str) {
    eventually(words, PATIENCE, || async {
        let now = shown(stack, id).await?;
        let held = now["held_by"].as_str().unwrap_or_default();
        ensure!(held.contains(words), "{now}");
        Ok(())
    })
    .await
    .expect("held");
}

async fn drain(stack: &Stack, server: &Tidb, method: &str) {
    let path = format!("/v1/servers/{}/drain", server.mysql());
    front(stack).admin(method, &path).await.expect("asked");
}

/// Waits until a server has so many sessions.
async fn has_sessions(stack: &Stack, server: &Tidb, count: u64) {
    eventually("sessions to leave", PATIENCE, || async {
        let servers = front(stack).admin("GET", "/v1/servers").await?;
        let mut servers = servers.as_array().into_iter().flatten();
        let found = servers.find(|one| one["address"] == *server.mysql());
        // A server that was removed isn't listed, but its sessions are.
        let sessions = found.and_then(|one| one["sessions"].as_u64());
        ensure!(
            sessions.is_none_or(|sessions| sessions == count),
            "{sessions:?}"
        );
        Ok(())
    })
    .await
    .expect("as many sessions");
}

#[test]
fn sessions_move_with_all_that_they_have() {
    run(async {
        let stack = start().await;
        program::a_moved_session_answers_as_one_that_stays(&stack).await;
        commands_know_the_session_after_a_move(&stack).await;
        held::what_holds_a_session_is_told_and_let_go(&stack).await;
        held::a_failed_move_changes_nothing(&stack).await;
        load::drained_and_removed_servers_lose_all_sessions_and_no_client_notices(&stack).await;
        tokens_are_of_no_use_to_clients_and_other_tenants(&stack).await;
        dead::idle_sessions_outlive_their_server(&stack).await;
        stack.stop().await;
    });
}

async fn commands_know_the_session_after_a_move(stack: &Stack) {
    let mut session = connect(stack, "alpha.root").await;
    let id = session.id();
    make_leave(stack, id).await;
    // KILL QUERY by the id of the greeting.
    let mut other = connect(stack, "alpha.root").await;
    let sleeping = tokio::spawn(async move {
        let outcome = session.value("SELECT SLEEP(30)").await;
        (session, outcome)
    });
    eventually("the statement to be killed", PATIENCE, || async {
        held_by(stack, id, "a command").await;
        Ok(())
    })
    .await
    .unwrap();
    other.execute(&format!("KILL QUERY {id}")).await.unwrap();
    let (mut session, outcome) = sleeping.await.unwrap();
    assert_ne!(outcome.ok().as_deref(), Some("0"));
    // COM_RESET_CONNECTION forgets, COM_CHANGE_USER logs in anew; both go on moving.
    session.execute("SET @a = 1").await.unwrap();
    make_leave(stack, id).await;
    session.driver().reset().await.unwrap();
    assert_eq!(session.value("SELECT @a").await.unwrap(), "NULL");
    make_leave(stack, id).await;
    session.execute("SET @a = 2").await.unwrap();
    make_leave(stack, id).await;
    assert_eq!(session.value("SELECT @a").await.unwrap(), "2");
}

/// Where the session's own server says that the session is.
async fn port(session: &mut Session) -> String {
    session.value("SELECT @@port").await.expect("a port")
}

async fn tokens_are_of_no_use_to_clients_and_other_tenants(stack: &Stack) {
    let mut session = connect(stack, "alpha.root").await;
    let row = session.rows("SHOW SESSION_STATES").await.unwrap().remove(0);
    let token = row[1].clone();
    assert!(token.contains("signature"), "{token}");
    let by_token = |address: String, user: &'static str| {
        let token = token.clone();
        async move {
            let mut raw = Raw::greeted(&address).await;
            let capabilities = Capabilities::RELAYED
                .without(Capabilities::CONNECT_WITH_DB)
                .without(Capabilities::CONNECT_ATTRS);
            let mut login = Raw::login_of(user, capabilities | Capabilities::PLUGIN_AUTH_LENENC);
            login.plugin = SESSION_TOKEN.to_vec();
            login.auth = token.into_bytes();
            raw.send(1, &login.payload()).await;
            let (_, payload) = raw.packet().await.expect("an answer");
            String::from_utf8_lossy(&payload).into_owned()
        }
    };
    let front = by_token(address(stack), "alpha.root").await;
    assert!(front.contains("not for clients"), "{front}");
    let other = by_token(servers(stack)[1].mysql(), "root").await;
    assert!(other.starts_with('\0'), "it is good elsewhere: {other}");
    let beta = stack.tidb("beta").unwrap().mysql();
    let beta = by_token(beta, "root").await;
    assert!(beta.contains("Access denied"), "{beta}");
}

/// TiDB servers tell each other of privileges, a moment later.
async fn granted_everywhere(stack: &Stack, (user, password): (&str, &str)) {
    for server in servers(stack) {
        eventually("the grant on every server", PATIENCE, || async {
            let mut session = Session::connect_as(&server.mysql(), user, password).await?;
            session.execute("SET ROLE some_moves").await
        })
        .await
        .expect("granted");
    }
}
