//! The same random program in two sessions, one of which moves after every statement, or is refused:
//! that too must change nothing.

use mesh_integration::stack::Stack;
use mysql_async::prelude::Queryable as _;
use rand::seq::IndexedRandom as _;
use rand::{SeedableRng as _, rngs::StdRng};

use super::{connect, granted_everywhere, make_leave, port, try_leave};

/// Statements on a schema `{s}`, most of them of the session's state.
const STATEMENTS: [&str; 51] = [
    "SET @i = 42, @d = 1.50",
    r"SET @s = 'it''s \\ a \'dolphin\' 🐬', @b = x'00ff27'",
    "SELECT @i, @d, @s, @b, @none",
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'",
    r"SELECT @@sql_mode, '\n'",
    "SET sql_mode = DEFAULT",
    "SET time_zone = '+05:00'",
    "SELECT @@time_zone",
    "SET timestamp = 1700000000",
    "SELECT NOW()",
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
    "SET NAMES latin1",
    "SET NAMES gbk",
    "SELECT @@character_set_client, @@character_set_results, @@collation_connection",
    "USE {s}",
    "USE {s}_other",
    "SELECT DATABASE()",
    "SET ROLE some_moves",
    "SET ROLE 'other moves'@'%'",
    "SET ROLE NONE",
    "SET ROLE ALL",
    "SET ROLE DEFAULT",
    "SELECT CURRENT_ROLE()",
    "SELECT COUNT(*) FROM {s}.t",
    "SELECT COUNT(*) FROM {s}_other.t",
    "SELECT a FROM t ORDER BY a",
    "INSERT INTO {s}.t VALUES (1), (2), (3)",
    "DELETE FROM {s}.t WHERE a > 1",
    "SELECT LAST_INSERT_ID(77)",
    "SELECT LAST_INSERT_ID()",
    "SELECT ROW_COUNT()",
    "SELECT FOUND_ROWS()",
    "SELECT 1 AS n UNION SELECT 2 UNION SELECT 3 ORDER BY n",
    "SELECT 1/0, CAST('x' AS SIGNED)",
    "SHOW WARNINGS",
    "SHOW ERRORS",
    "PREPARE p FROM 'SELECT ? + 1'",
    "EXECUTE p USING @i",
    "PREPARE q FROM 'SELECT COUNT(*) FROM t'",
    "EXECUTE q",
    "PREPARE r FROM 'INSERT INTO t VALUES (9)'",
    "EXECUTE r",
    "DO 1",
    "DEALLOCATE PREPARE p",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SELECT @@transaction_isolation",
    "SET tidb_mem_quota_query = 123456789",
    "SELECT @@tidb_mem_quota_query",
    "SELECT USER(), CURRENT_USER()",
    "SET SESSION group_concat_max_len = 5",
    "SELECT GROUP_CONCAT(a) FROM {s}.t",
];

/// Moves of a run.
const STEPS: usize = 120;

pub(super) async fn a_moved_session_answers_as_one_that_stays(stack: &Stack) {
    prepare(stack).await;
    // The same program every time, unless another is asked for.
    let asked = std::env::var("MESH_MOVES_SEED").ok();
    let seed: u64 = asked.map_or(4, |seed| seed.parse().expect("a seed is a number"));
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut moved, mut stays) = (
        connect(stack, "alpha.mover").await,
        connect(stack, "alpha.mover").await,
    );
    let binary = "SELECT CONCAT(?, '-', ?)";
    let of_moved = moved.driver().prep(binary).await.unwrap();
    let of_stays = stays.driver().prep(binary).await.unwrap();
    let mut ports = std::collections::BTreeSet::new();
    let (mut program, mut moves) = (Vec::new(), 0);
    for step in 0..STEPS {
        let statement = *STATEMENTS.choose(&mut random).unwrap();
        program.push(statement);
        let in_moved = moved.run(&statement.replace("{s}", "moved")).await.unwrap();
        let in_stays = stays.run(&statement.replace("{s}", "stays")).await.unwrap();
        assert_eq!(
            in_moved.render().replace("moved", "stays"),
            in_stays.render(),
            "seed {seed}, step {step}: {program:#?}"
        );
        moves += usize::from(try_leave(stack, moved.id()).await);
        if step % 10 == 0 {
            let parameters = (step, "🐬");
            let in_moved: Option<String> = moved
                .driver()
                .exec_first(&of_moved, parameters)
                .await
                .unwrap();
            let in_stays: Option<String> = stays
                .driver()
                .exec_first(&of_stays, parameters)
                .await
                .unwrap();
            assert_eq!(in_moved, in_stays, "seed {seed}, step {step}: {program:#?}");
        }
    }
    println!("{moves} moves");
    assert!(moves > STEPS / 10);
    // Nothing holds it now: what was prepared with a role can be compiled with it.
    moved.execute("SET ROLE ALL").await.unwrap();
    moved.execute("SET NAMES utf8mb4").await.unwrap();
    for _ in 0..2 {
        make_leave(stack, moved.id()).await;
        ports.insert(port(&mut moved).await);
    }
    assert_eq!(ports.len(), 2);
}

async fn prepare(stack: &Stack) {
    let mut root = connect(stack, "alpha.root").await;
    for schema in ["moved", "stays"] {
        for statement in [
            "CREATE DATABASE {s}",
            "CREATE DATABASE {s}_other",
            "CREATE TABLE {s}.t (a INT PRIMARY KEY)",
            "CREATE TABLE {s}_other.t (a INT PRIMARY KEY)",
        ] {
            let statement = statement.replace("{s}", schema);
            root.execute(&statement).await.unwrap();
        }
    }
    for statement in [
        "CREATE USER mover",
        "CREATE ROLE some_moves, 'other moves', 'every move'",
        "GRANT SELECT, INSERT, DELETE ON moved.* TO some_moves",
        "GRANT SELECT, INSERT, DELETE ON stays.* TO some_moves",
        "GRANT SELECT ON moved_other.* TO 'other moves'",
        "GRANT SELECT ON stays_other.* TO 'other moves'",
        "GRANT some_moves, 'other moves', 'every move' TO mover",
        "SET DEFAULT ROLE 'every move' TO mover",
    ] {
        root.execute(statement).await.unwrap();
    }
    granted_everywhere(stack, ("mover", "")).await;
}
