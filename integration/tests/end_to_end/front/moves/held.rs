//! Sessions that can't move yet.

use mesh_integration::stack::Stack;
use mesh_mysql_proxy::packet::capability::Capabilities;
use mysql_async::prelude::Queryable as _;

use super::super::commands::whole_answer;
use super::super::raw::Raw;
use super::{address, ask_to_leave, connect, held_by, make_leave, port, shown};

pub(super) async fn what_holds_a_session_is_told_and_let_go(stack: &Stack) {
    a_transaction_holds_until_its_commit(stack).await;
    let own = [
        (
            "DO GET_LOCK('moves', 1)",
            "advisory locks",
            "DO RELEASE_LOCK('moves')",
        ),
        (
            "CREATE TEMPORARY TABLE test.passing (a INT)",
            "temporary tables",
            "DROP TEMPORARY TABLE test.passing",
        ),
    ];
    for (take, words, give) in own {
        let mut session = connect(stack, "alpha.root").await;
        session.execute(take).await.unwrap();
        ask_to_leave(stack, session.id()).await;
        held_by(stack, session.id(), words).await;
        session.execute(give).await.unwrap();
        make_leave(stack, session.id()).await;
    }
    an_open_cursor_and_a_half_sent_parameter_hold(stack).await;
}

async fn a_transaction_holds_until_its_commit(stack: &Stack) {
    let mut session = connect(stack, "alpha.root").await;
    session
        .execute("CREATE TABLE test.held (a INT PRIMARY KEY)")
        .await
        .unwrap();
    let (id, before) = (session.id(), port(&mut session).await);
    session.execute("BEGIN").await.unwrap();
    session
        .execute("INSERT INTO test.held VALUES (1)")
        .await
        .unwrap();
    ask_to_leave(stack, id).await;
    held_by(stack, id, "a transaction").await;
    for _ in 0..3 {
        assert_eq!(port(&mut session).await, before);
    }
    session.execute("COMMIT").await.unwrap();
    // The other server had been connected to meanwhile, so the move comes before this statement.
    assert_ne!(port(&mut session).await, before);
    assert_eq!(session.value("SELECT a FROM test.held").await.unwrap(), "1");
    assert_eq!(shown(stack, id).await.unwrap()["moves"], 1);
}

async fn an_open_cursor_and_a_half_sent_parameter_hold(stack: &Stack) {
    for without in [Capabilities::NONE, Capabilities::DEPRECATE_EOF] {
        let mut raw = Raw::login(&address(stack), "alpha.root", without).await;
        let session = raw.greeting.connection;
        let statement = "SELECT t FROM (SELECT ? AS t, 1 AS n UNION ALL SELECT '2', 2 \
            UNION ALL SELECT '3', 3) AS three ORDER BY n";
        raw.send(0, &[b"\x16", statement.as_bytes()].concat()).await;
        let prepared = whole_answer(&mut raw).await;
        let id = prepared[0].1[1..5].to_vec();
        // COM_STMT_SEND_LONG_DATA has no answer.
        raw.send(0, &[b"\x18", &id[..], b"\0\0half"].concat()).await;
        ask_to_leave(stack, session).await;
        held_by(stack, session, "bound params").await;
        // COM_STMT_EXECUTE with a read-only cursor and a text that has been sent.
        let execute = [b"\x17", &id[..], b"\x01\x01\0\0\0\0\x01\xfd\0"].concat();
        raw.send(0, &execute).await;
        let opened = whole_answer(&mut raw).await;
        assert_eq!(opened.last().unwrap().1[0], 0xfe);
        held_by(stack, session, "a cursor").await;
        raw.send(0, &[b"\x1c", &id[..], b"\x02\0\0\0"].concat())
            .await;
        let fetched = whole_answer(&mut raw).await;
        assert!(fetched[0].1.ends_with(b"\x04half"), "{fetched:?}");
        raw.send(0, &[b"\x1c", &id[..], b"\x02\0\0\0"].concat())
            .await;
        assert_eq!(whole_answer(&mut raw).await.len(), 2);
        let moved = make_leave(stack, session).await;
        // The statement's id is the same there.
        let execute = [b"\x17", &id[..], b"\0\x01\0\0\0\0\x01\xfd\0\x03two"].concat();
        raw.send(0, &execute).await;
        let rows = whole_answer(&mut raw).await;
        let found = rows.iter().any(|(_, row)| row.ends_with(b"\x03two"));
        assert!(found, "on {moved}: {rows:?}");
    }
}

/// What the statement before left behind is as if nobody had asked for the session's state.
pub(super) async fn a_failed_move_changes_nothing(stack: &Stack) {
    let mut session = connect(stack, "alpha.root").await;
    let id = session.id();
    session
        .execute("CREATE TABLE test.gone (a INT)")
        .await
        .unwrap();
    session
        .execute("SET @kept = 'k', sql_mode = 'NO_BACKSLASH_ESCAPES'")
        .await
        .unwrap();
    let dead = session
        .driver()
        .prep("SELECT a FROM test.gone")
        .await
        .unwrap();
    let lives = session.driver().prep("SELECT ?").await.unwrap();
    session.execute("DROP TABLE test.gone").await.unwrap();
    let three = "SELECT 1 UNION SELECT 2 UNION SELECT 3";
    let questions = [
        (three, "SELECT FOUND_ROWS()"),
        (
            "INSERT INTO test.held VALUES (7), (8)",
            "SELECT ROW_COUNT()",
        ),
        (r"SELECT CAST('\x' AS SIGNED)", "SHOW WARNINGS"),
    ];
    for (first, question) in questions {
        session.execute("SET @again = 1").await.unwrap();
        session.run(first).await.unwrap();
        ask_to_leave(stack, id).await;
        held_by(stack, id, "test.gone").await;
        let expected = {
            let mut direct =
                mesh_integration::sql::Session::connect(&stack.tidb("alpha").unwrap().mysql())
                    .await
                    .unwrap();
            direct
                .execute("DELETE FROM test.held WHERE a > 1")
                .await
                .unwrap();
            direct
                .execute("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")
                .await
                .unwrap();
            direct.run(first).await.unwrap();
            direct.run(question).await.unwrap()
        };
        assert_eq!(session.run(question).await.unwrap(), expected, "{question}");
        assert_eq!(session.value("SELECT @kept").await.unwrap(), "k");
    }
    let lived: Option<u32> = session.driver().exec_first(&lives, (5,)).await.unwrap();
    assert_eq!(lived, Some(5));
    session.driver().close(dead).await.unwrap();
    make_leave(stack, id).await;
    let lived: Option<u32> = session.driver().exec_first(&lives, (6,)).await.unwrap();
    assert_eq!(lived, Some(6));
}
