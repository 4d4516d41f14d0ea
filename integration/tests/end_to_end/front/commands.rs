//! Every command as the server answers it.

use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt as _, StreamExt as _};
use mesh_integration::sql::{Session, options};
use mesh_mysql_proxy::packet::capability::Capabilities;
use mesh_mysql_proxy::packet::{MAX_PAYLOAD, frame};
use mysql_async::prelude::Queryable as _;
use mysql_async::{InfileData, LocalInfileError};
use tokio::io::AsyncWriteExt as _;

use super::raw::Raw;
use super::{address, alpha_direct};
use crate::runner::run;

/// Would stop the server.
const SHUTDOWN: u8 = 0x08;
/// Is answered by a login of its own.
const CHANGE_USER: u8 = 0x11;
/// Counts what happens meanwhile.
const STATISTICS: u8 = 0x09;
/// TiDB doesn't know it; the front turns it into a statement that TiDB knows.
const PROCESS_KILL: u8 = 0x0c;

async fn answer_to(address: &str, user: &str, payload: &[u8], without: Capabilities) -> String {
    let mut raw = Raw::login(address, user, without).await;
    raw.send(0, payload).await;
    raw.soon().await
}

#[test]
fn every_command_byte_is_answered_as_the_server_answers_it() {
    run(async {
        let (front, direct) = (address().await, alpha_direct().await);
        let skipped = [SHUTDOWN, CHANGE_USER, STATISTICS, PROCESS_KILL];
        let commands: Vec<u8> = (0..=255).filter(|byte| !skipped.contains(byte)).collect();
        for some in commands.chunks(32) {
            let both = some.iter().map(|byte| {
                let payload = [*byte, b'x', 0];
                let (front, direct) = (&front, &direct);
                async move {
                    let none = Capabilities::NONE;
                    let got = answer_to(front, "alpha.root", &payload, none).await;
                    (byte, got, answer_to(direct, "root", &payload, none).await)
                }
            });
            for (byte, got, expected) in join_all(both).await {
                assert_eq!(got, expected, "command {byte:#04x}");
            }
        }
    });
}

#[test]
fn statements_of_every_kind_answer_as_directly_with_and_without_old_eofs() {
    run(async {
        let (front, direct) = (address().await, alpha_direct().await);
        for without in [Capabilities::NONE, Capabilities::DEPRECATE_EOF] {
            let mut ours = Raw::login(&front, "alpha.root", without).await;
            let mut theirs = Raw::login(&direct, "root", without).await;
            let statements = [
                "SELECT 1",
                "SELECT 1; SELECT 2, 3; DO 1",
                "BEGIN",
                "SELECT * FROM mysql.user LIMIT 0",
                "ROLLBACK",
                "SELECT nothing",
                "SELECT 1; SELECT nothing; SELECT 2",
                "DO SLEEP(0)",
                "",
                "SELECT REPEAT('x', 200000) AS v UNION ALL SELECT 'y' ORDER BY v",
            ];
            for statement in statements {
                let payload = [b"\x03", statement.as_bytes()].concat();
                for raw in [&mut ours, &mut theirs] {
                    raw.send(0, &payload).await;
                }
                let expected = whole_answer(&mut theirs).await;
                assert_eq!(whole_answer(&mut ours).await, expected, "{statement}");
                for raw in [&mut ours, &mut theirs] {
                    raw.send(0, b"\x0e").await;
                    assert_eq!(raw.packet().await.expect("a pong").1[0], 0);
                }
            }
        }
    });
}

/// A schema that does not exist: the error of asking for it marks the end of what came before.
const MARK: &[u8] = b"no_schema_but_the_end_of_an_answer";

/// All packets of the answer that is due. Commands are answered in their order, so the answer ends
/// where that of the next command begins.
pub(super) async fn whole_answer(raw: &mut Raw) -> Vec<(u8, Vec<u8>)> {
    raw.send(0, &[b"\x02", MARK].concat()).await;
    let mut packets = Vec::new();
    loop {
        let packet = raw.packet().await.expect("an answer");
        let names_mark = packet.1.windows(MARK.len()).any(|part| part == MARK);
        if packet.1[0] == 0xff && names_mark {
            return packets;
        }
        packets.push(packet);
    }
}

#[test]
fn a_cursor_is_fetched_row_by_row() {
    run(async {
        for without in [Capabilities::NONE, Capabilities::DEPRECATE_EOF] {
            let mut raw = Raw::login(&address().await, "alpha.root", without).await;
            raw.send(0, b"\x16SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")
                .await;
            let prepared = whole_answer(&mut raw).await;
            let id = &prepared[0].1[1..5];
            // COM_STMT_EXECUTE with a read-only cursor.
            raw.send(0, &[b"\x17", id, b"\x01\x01\0\0\0"].concat())
                .await;
            let opened = whole_answer(&mut raw).await;
            assert_eq!(opened.last().unwrap().1[0], 0xfe);
            for expected_rows in [2, 1] {
                raw.send(0, &[b"\x1c", id, b"\x02\0\0\0"].concat()).await;
                let fetched = whole_answer(&mut raw).await;
                assert_eq!(fetched.len(), expected_rows + 1);
            }
            // Closing has no answer; the ping behind it has.
            raw.send(0, &[b"\x19", id].concat()).await;
            raw.send(0, b"\x0e").await;
            assert_eq!(raw.packet().await.expect("a pong").1[0], 0);
        }
    });
}

#[test]
fn prepared_statements_files_and_large_packets_go_through() {
    run(async {
        let address = address().await;
        let options = options(&address).unwrap().user(Some("alpha.root"));
        let options = options.local_infile_handler(Some(five_thousand_rows));
        let mut session = Session::open(&address, options).await.unwrap();
        session
            .execute("CREATE TABLE test.loaded (id INT PRIMARY KEY, v TEXT)")
            .await
            .unwrap();
        let load = "LOAD DATA LOCAL INFILE 'f' INTO TABLE test.loaded FIELDS TERMINATED BY ','";
        session.execute(load).await.unwrap();
        assert_eq!(
            session
                .value("SELECT COUNT(*) FROM test.loaded")
                .await
                .unwrap(),
            "5000"
        );
        let broken = session
            .run(&load.replace("loaded", "nowhere"))
            .await
            .unwrap();
        assert_eq!(broken.error.expect("no such table").code, 1146);
        session.execute("DO 1").await.expect("the session goes on");
        let sum: Option<i64> = session
            .driver()
            .exec_first(
                "SELECT ? + COUNT(*) FROM test.loaded WHERE id < ?",
                (7, 100),
            )
            .await
            .unwrap();
        assert_eq!(sum, Some(107));
        let large = "x".repeat(17 * 1024 * 1024);
        let length: Option<u64> = session
            .driver()
            .exec_first("SELECT LENGTH(?)", (&large,))
            .await
            .unwrap();
        assert_eq!(length, Some(large.len() as u64));
        let back: Option<String> = session
            .driver()
            .query_first(format!("SELECT '{large}'"))
            .await
            .unwrap();
        assert_eq!(back.map(|text| text.len()), Some(large.len()));
    });
}

fn five_thousand_rows(_: &[u8]) -> BoxFuture<'static, Result<InfileData, LocalInfileError>> {
    let rows = (0..5000).map(|row| Ok(format!("{row},x\n").into()));
    let rows: InfileData = futures::stream::iter(rows).boxed();
    async move { Ok(rows) }.boxed()
}

#[test]
fn kill_finds_the_statement_by_the_id_of_the_greeting_and_only_for_its_own_user() {
    run(async {
        let address = address().await;
        let mut victim = Session::connect_as(&address, "alpha.root", "")
            .await
            .unwrap();
        let id = victim.id();
        let sleeping = tokio::spawn(async move {
            let begun = Instant::now();
            let outcome = victim.run("SELECT SLEEP(60)").await;
            (
                begun.elapsed(),
                outcome.map(|outcome| outcome.results),
                victim,
            )
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut stranger = Session::connect_as(&address, "beta.root", "")
            .await
            .unwrap();
        let _ = stranger.run(&format!("KILL QUERY {id}")).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!sleeping.is_finished(), "another tenant's KILL");
        let mut friend = Session::connect_as(&address, "alpha.root", "")
            .await
            .unwrap();
        friend.execute(&format!("kill query {id};")).await.unwrap();
        let (_, _, mut victim) = sleeping.await.unwrap();
        victim
            .execute("DO 1")
            .await
            .expect("only the statement was killed");
        // COM_PROCESS_KILL ends the connection.
        let mut raw = Raw::login(&address, "alpha.root", Capabilities::NONE).await;
        raw.send(0, &[&[0x0c], &id.to_le_bytes()[..]].concat())
            .await;
        assert_eq!(raw.packet().await.expect("an answer").1[0], 0);
        victim
            .execute("DO 1")
            .await
            .expect_err("the connection was killed");
    });
}

#[test]
fn commands_sent_ahead_are_answered_in_their_order() {
    run(async {
        let mut raw = Raw::login(&address().await, "alpha.root", Capabilities::NONE).await;
        let ahead: Vec<u8> = (0..50)
            .flat_map(|number| frame(0, format!("\x03SELECT {number}").as_bytes()))
            .collect();
        raw.stream.write_all(&ahead).await.unwrap();
        for number in 0..50 {
            let row = loop {
                let (_, payload) = raw.packet().await.expect("a packet");
                if payload.ends_with(number.to_string().as_bytes()) && payload.len() < 4 {
                    break payload;
                }
            };
            assert_eq!(usize::from(row[0]), row.len() - 1);
            raw.packet().await.expect("the end of the rows");
        }
    });
}

#[test]
fn a_command_longer_than_the_server_takes_is_refused_in_its_words() {
    run(async {
        let mut raw = Raw::login(&address().await, "alpha.root", Capabilities::NONE).await;
        let part = frame(0, &vec![b'x'; MAX_PAYLOAD]);
        let writing = async {
            // TiDB's limit is 64 MiB; it answers before it has read everything.
            for sequence in 0..6 {
                let mut part = part.clone();
                part[3] = sequence;
                if raw.stream.write_all(&part).await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(20), writing).await;
        let mut other = Session::connect_as(&address().await, "alpha.root", "")
            .await
            .unwrap();
        other.execute("DO 1").await.expect("others go on");
    });
}
