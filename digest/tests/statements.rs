//! What statements are told to be and to touch, one line each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use mesh_digest::{
    Assignment, Classifier, Dialect, Digester, Effect, Kind, PreparedSource, Scope, Statement,
    assignments, prepared, split,
};

fn classify(sql: &str) -> Vec<Statement> {
    Classifier::new()
        .classify(sql.as_bytes(), Dialect::default())
        .unwrap()
}

fn only(sql: &str) -> Statement {
    let mut statements = classify(sql);
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0)
}

fn objects(sql: &str) -> Vec<String> {
    let objects = only(sql).objects;
    let name = |object: mesh_digest::ObjectName| match object.schema {
        Some(schema) => format!("{schema}.{}", object.name),
        None => object.name,
    };
    objects.into_iter().map(name).collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "one line for each kind of statement")]
fn objects_are_found_in_every_kind_of_statement() {
    for (sql, wanted) in [
        ("select 1", ""),
        ("select a from t", "t"),
        (
            "select a.b from x.t, `Y`.U as v join w using (c) where d in (1, e)",
            "x.t y.u w",
        ),
        (
            "select * from (a, b) left join (c join d on 1) on 2, e",
            "a b c d e",
        ),
        ("select * from (select x from t) u, v", "t v"),
        (
            "select * from t partition (p0, p1) use index (i, j), u",
            "t u",
        ),
        ("select * from t as of timestamp now() where a", "t"),
        (
            "select extract(year from d), trim(both x from y), substring(z from 2) from t",
            "t",
        ),
        ("select trim(a from (select b from u)) from t", "u t"),
        ("select * from t order by a, b limit 1, 2", "t"),
        (
            "select a, b from t union select c, d from u order by e, f",
            "t u",
        ),
        ("select a from t for update", "t"),
        (
            "select * from t where a = (select max(b) from u group by c, d), e",
            "t u",
        ),
        ("table t", "t"),
        (
            "insert into x.t (a, b) values (1, 2) on duplicate key update a = 1, b = 2",
            "x.t",
        ),
        ("insert ignore t set a = replace(b, 'c', 'd')", "t"),
        ("replace into t select * from u", "t u"),
        ("update t, u set t.a = 1, u.b = 2 where c", "t u"),
        ("delete from t where a", "t"),
        ("delete t, u from t join u using (a, b)", "t u"),
        ("delete from t using t, v", "t v"),
        (
            "load data local infile 'f' ignore into table x.t fields terminated by ','",
            "x.t",
        ),
        ("import into t from 'f'", "t"),
        (
            "create table if not exists t (a int, b int references u (c))",
            "t u",
        ),
        ("create table t like u", "t u"),
        ("create unique index i on t (a, b)", "t"),
        ("create view v as select * from t", "v t"),
        ("create database if not exists d", "d"),
        ("create sequence s", "s"),
        ("drop table if exists a, x.b", "a x.b"),
        ("drop view a, b", "a b"),
        (
            "alter table t add column (a int, b int), rename to u",
            "t u",
        ),
        ("alter table t exchange partition p with table u", "t u"),
        ("rename table a to b, c to d", "a b c d"),
        ("truncate t", "t"),
        ("lock tables t read, u as v write", "t u"),
        ("grant select, insert on x.* to u", "x.*"),
        ("grant select on *.* to u", "*.*"),
        ("show create table t", "t"),
        ("desc t", "t"),
        ("explain select * from t", "t"),
        ("use d", "d"),
        ("analyze table t, u", "t u"),
        ("admin check table t", "t"),
        ("select nextval(s), next value for x.s2", "s x.s2"),
        ("with a as (select * from t) select * from a", "t a"),
        ("call x.p(1)", "x.p"),
    ] {
        assert_eq!(objects(sql).join(" "), wanted, "{sql}");
    }
}

#[test]
fn a_read_only_statement_changes_nothing() {
    for (sql, read_only, movable) in [
        ("select a from t", true, true),
        ("(select a from t)", true, true),
        ("with x as (select 1) (select * from x)", true, true),
        ("select a from t as of timestamp now()", true, true),
        ("show tables", true, false),
        ("explain update t set a = 1", true, false),
        ("select @a", true, false),
        ("select @@tidb_snapshot", true, false),
        ("select last_insert_id()", true, false),
        ("select found_rows()", true, false),
        ("select last_insert_id(a) from t", false, false),
        ("select `last_insert_id` /* */ (5)", false, false),
        ("select @a := 1", false, false),
        ("select a into @b from t", false, false),
        ("select a from t into outfile 'x'", false, false),
        ("select a from t for update", false, false),
        ("select a from t for share", false, false),
        ("select a from t lock in share mode", false, false),
        ("select nextval(s)", false, false),
        ("select next value for s", false, false),
        ("select get_lock('a', 1)", false, false),
        ("explain analyze update t set a = 1", false, false),
        ("explain analyze select 1", true, false),
        ("with x as (select 1) delete from t", false, false),
        ("set @a = 1", false, false),
        ("do sleep(1)", false, false),
    ] {
        let statement = only(sql);
        assert_eq!(statement.is_read_only(), read_only, "{sql}");
        assert_eq!(statement.is_movable_read(), movable, "{sql}");
    }
}

#[test]
fn effects_and_hints_are_told() {
    let statement = only("select /*+ Route(ro, 'x)y') max_execution_time(5) bare */ sleep(1)");
    let hints: Vec<_> = statement
        .hints
        .iter()
        .map(|h| (&*h.name, &*h.arguments))
        .collect();
    assert_eq!(
        hints,
        [
            ("route", "ro, 'x)y'"),
            ("max_execution_time", "5"),
            ("bare", "")
        ]
    );
    assert_eq!(
        statement.effects.iter().collect::<Vec<_>>(),
        [Effect::Delays]
    );
}

#[test]
fn texts_split_where_the_server_splits_them() {
    let sql = "select ';' ; /* ; */ select 2 -- ;\n; ; # ;";
    let spans = split(sql.as_bytes(), Dialect::default());
    let pieces: Vec<_> = spans.iter().map(|span| &sql[span.clone()]).collect();
    assert_eq!(
        pieces,
        ["select ';' ;", " /* ; */ select 2 -- ;\n;", " ; # ;"]
    );
    let kinds: Vec<_> = classify(sql)
        .iter()
        .map(|statement| statement.kind)
        .collect();
    assert_eq!(kinds, [Kind::Select, Kind::Select, Kind::Empty]);
}

#[test]
fn a_piece_has_the_digest_of_its_statement_alone() {
    let mut digester = Digester::new();
    let alone = digester.digest(b"select 1");
    assert_eq!(alone, digester.digest(b" select 2;"));
}

#[test]
fn assignments_of_set_are_told() {
    let one = |scope, name: &str, value: Option<&str>| Assignment {
        scope,
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    for (sql, wanted) in [
        (
            "set autocommit = 0",
            vec![one(Scope::Session, "autocommit", Some("0"))],
        ),
        (
            "SET SESSION a = 'x', @@global.b := on, @c = 1 + 1, @@d = (1, 2), e = @f",
            vec![
                one(Scope::Session, "a", Some("x")),
                one(Scope::Global, "b", Some("on")),
                one(Scope::User, "c", None),
                one(Scope::Session, "d", None),
                one(Scope::Session, "e", Some("@f")),
            ],
        ),
        (
            "set names utf8mb4 collate utf8mb4_bin",
            vec![one(Scope::Session, "names", Some("utf8mb4"))],
        ),
        (
            "set character set gbk",
            vec![one(Scope::Session, "charset", Some("gbk"))],
        ),
        (
            "set charset 'gbk'",
            vec![one(Scope::Session, "charset", Some("gbk"))],
        ),
        ("set global x = 1", vec![one(Scope::Global, "x", Some("1"))]),
        (
            "set transaction isolation level read committed",
            vec![one(Scope::Other, "transaction", None)],
        ),
        ("set role all", vec![one(Scope::Other, "role", Some("all"))]),
        ("select 1", vec![]),
    ] {
        let found = assignments(sql.as_bytes(), Dialect::default()).unwrap();
        assert_eq!(found, wanted, "{sql}");
    }
}

#[test]
fn what_prepare_holds_is_told() {
    let source = |sql: &str| {
        prepared(sql.as_bytes(), Dialect::default())
            .unwrap()
            .map(|p| p.source)
    };
    assert_eq!(
        source("prepare S from 'select \\'a\\''"),
        Some(PreparedSource::Text(b"select 'a'".to_vec()))
    );
    assert_eq!(
        source("prepare s /*+ x */ from @Text"),
        Some(PreparedSource::Variable("text".to_owned()))
    );
    assert_eq!(source("select 1"), None);
}
