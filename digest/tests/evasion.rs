//! Every known way to say something forbidden so that a firewall reads something else. All of it
//! must be blocked; the controls, which only look alike, must pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "evasion/corpus.rs"]
mod corpus;

use corpus::{ALLOWED, ANSI, FORBIDDEN, GB18030, GBK, HARMLESS, LITERAL_BACKSLASH, NOT_LISTED};
use mesh_digest::{
    Action, Charset, Decision, Dialect, Digester, Effect, Firewall, Inspector, Kind, Mode, Policy,
    Reason, Request, Rule,
};

/// Denies what touches `hr.secret` or `hr.keys`, DDL, files and delays; allows the rest.
fn deny_list() -> Firewall {
    let rule = |name: &str| Rule {
        name: name.to_owned(),
        action: Action::Deny,
        ..Rule::default()
    };
    let rules = vec![
        Rule {
            objects: vec!["hr.secret".to_owned(), "hr.keys".to_owned()],
            ..rule("secrets")
        },
        Rule {
            kinds: vec![Kind::Ddl, Kind::Account, Kind::Maintenance],
            ..rule("kinds")
        },
        Rule {
            effects: vec![Effect::WritesFile, Effect::Delays],
            ..rule("effects")
        },
        Rule {
            patterns: vec!["(?i)union (all )?select".to_owned()],
            ..rule("unions")
        },
        Rule {
            hints: vec!["set_var".to_owned()],
            ..rule("hints")
        },
    ];
    firewall(Action::Allow, rules)
}

/// Allows the digests of a few statements and nothing else.
fn allow_list() -> Firewall {
    let mut digester = Digester::new();
    let digests = ALLOWED
        .iter()
        .map(|sql| digester.digest(sql.as_bytes()).to_string());
    let rules = vec![Rule {
        name: "known".to_owned(),
        action: Action::Allow,
        digests: digests.collect(),
        ..Rule::default()
    }];
    firewall(Action::Deny, rules)
}

fn firewall(default_action: Action, rules: Vec<Rule>) -> Firewall {
    Firewall::new(Policy {
        mode: Mode::Enforce,
        default_action,
        rules,
        ..Policy::default()
    })
    .unwrap()
}

fn decide(firewall: &Firewall, sql: &[u8], dialect: Dialect) -> Decision {
    let request = Request {
        sql,
        dialect,
        schema: Some("hr"),
    };
    firewall.verdict(&mut Inspector::new(), &request).decision
}

fn assert_all(firewall: &Firewall, texts: &[&[u8]], dialect: Dialect, wanted: Decision) {
    let wrong: Vec<_> = texts
        .iter()
        .filter(|text| decide(firewall, text, dialect) != wanted)
        .map(|text| String::from_utf8_lossy(text))
        .collect();
    assert!(
        wrong.is_empty(),
        "not {wanted:?} of {}: {wrong:#?}",
        texts.len()
    );
}

fn dialects() -> [(Dialect, &'static [&'static [u8]]); 5] {
    let plain = Dialect::default();
    [
        (plain, FORBIDDEN),
        (
            Dialect {
                ansi_quotes: true,
                ..plain
            },
            ANSI,
        ),
        (
            Dialect {
                no_backslash_escapes: true,
                ..plain
            },
            LITERAL_BACKSLASH,
        ),
        (
            Dialect {
                charset: Charset::Gbk,
                ..plain
            },
            GBK,
        ),
        (
            Dialect {
                charset: Charset::Gb18030,
                ..plain
            },
            GB18030,
        ),
    ]
}

#[test]
fn every_evasion_of_a_deny_list_is_blocked() {
    for (dialect, texts) in dialects() {
        assert_all(&deny_list(), texts, dialect, Decision::Blocked);
    }
}

#[test]
fn every_evasion_of_an_allow_list_is_blocked() {
    for (dialect, texts) in dialects() {
        assert_all(&allow_list(), texts, dialect, Decision::Blocked);
    }
    assert_all(
        &allow_list(),
        NOT_LISTED,
        Dialect::default(),
        Decision::Blocked,
    );
}

#[test]
fn what_is_listed_or_harmless_passes() {
    let allowed: Vec<&[u8]> = ALLOWED.iter().map(|sql| sql.as_bytes()).collect();
    assert_all(&allow_list(), &allowed, Dialect::default(), Decision::Pass);
    assert_all(&deny_list(), &allowed, Dialect::default(), Decision::Pass);
    assert_all(&deny_list(), HARMLESS, Dialect::default(), Decision::Pass);
}

#[test]
fn a_forbidden_text_is_blocked_in_every_wrapping() {
    let plain = Dialect::default();
    let forbidden = b"select pw from secret";
    let quoted = "select pw from secret".replace('\'', "''");
    let wrapped = [
        format!("select 1; {quoted}"),
        format!("{quoted}; select 1"),
        format!("select 1;;; {quoted};"),
        format!("/*! {quoted} */"),
        format!("select 1 /*!; {quoted} */"),
        format!("/*T! {quoted} */"),
        format!("prepare s from '{quoted}'"),
        format!("prepare s from \"{quoted}\""),
        format!("prepare s /*+ x() */ from '{quoted}'"),
        format!("prepare /*+ x() */ s from '{quoted}'"),
        format!("prepare s from 'prepare t from \\'{quoted}\\''"),
        format!("explain {quoted}"),
        format!("explain analyze {quoted}"),
        format!("trace format='row' {quoted}"),
        format!("create view v as {quoted}"),
        format!("insert into t {quoted}"),
        format!("select * from ({quoted}) t"),
        format!("with t as ({quoted}) select * from t"),
        format!("plan replayer dump explain {quoted}"),
    ];
    for firewall in [deny_list(), allow_list()] {
        assert_eq!(decide(&firewall, forbidden, plain), Decision::Blocked);
        for text in &wrapped {
            assert_eq!(
                decide(&firewall, text.as_bytes(), plain),
                Decision::Blocked,
                "{text}"
            );
        }
    }
}

#[test]
fn the_digest_of_a_prepared_statement_is_that_of_its_text() {
    let firewall = allow_list();
    for prepared in [
        "select a, b from t where id = ?",
        "select a, b from t where id in (?, ?, ?)",
        "insert into t values (?, ?), (?, ?)",
    ] {
        let decision = decide(&firewall, prepared.as_bytes(), Dialect::default());
        assert_eq!(decision, Decision::Pass, "{prepared}");
    }
}

#[test]
fn what_cannot_be_judged_is_blocked_with_its_reason() {
    let firewall = firewall(
        Action::Allow,
        vec![Rule {
            name: "ddl".to_owned(),
            kinds: vec![Kind::Ddl],
            ..Rule::default()
        }],
    );
    let many = "select 1;".repeat(65);
    for (text, reason) in [
        ("select 'a", Reason::Unreadable),
        ("select 1 /* ", Reason::Unreadable),
        ("select \u{1}", Reason::Unreadable),
        ("select @@(1)", Reason::Unreadable),
        ("frobnicate t", Reason::UnknownKind),
        ("prepare s from @a", Reason::HiddenText),
        (
            "select a, `use` 'index', sleep(5) b from t",
            Reason::AmbiguousDigest,
        ),
        ("select * from t.1e, u", Reason::AmbiguousDigest),
        (many.as_str(), Reason::TooManyStatements),
    ] {
        let request = Request {
            sql: text.as_bytes(),
            dialect: Dialect::default(),
            schema: None,
        };
        let mut inspector = Inspector::new();
        let verdict = firewall.verdict(&mut inspector, &request);
        assert_eq!(
            (verdict.decision, verdict.reason),
            (Decision::Blocked, Some(reason)),
            "{text}"
        );
    }
}
