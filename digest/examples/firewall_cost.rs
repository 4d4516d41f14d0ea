//! What a verdict costs, in microseconds: `cargo run --release -p mesh-digest --example firewall_cost`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use mesh_digest::{
    Action, Dialect, Digester, Effect, Firewall, Inspector, Kind, Mode, Policy, Request, Rule,
};

const STATEMENTS: [(&str, &str); 5] = [
    ("begin", "begin"),
    ("point select", "SELECT c FROM sbtest1 WHERE id=5042"),
    (
        "range",
        "SELECT DISTINCT c FROM sbtest7 WHERE id BETWEEN 4990 AND 5089 ORDER BY c",
    ),
    (
        "insert",
        "INSERT INTO sbtest1 (id, k, c, pad) VALUES (5042, 4987, '83868641912-28773972837-60736120486-75162659906-27563526494-20381887404-41576422241-93426793964-56405065102-33518432330', '67847967377-48000963322-62604785301-91415491898-96926520291')",
    ),
    (
        "join",
        "select o.id, sum(l.price * l.quantity) from orders o join lines l on l.order_id = o.id where o.customer in (1, 2, 3, 4, 5, 6, 7, 8) and o.created >= '2026-01-01' group by o.id order by 2 desc limit 10",
    ),
];

/// Long enough that the clock's own cost vanishes.
const RUNS: u32 = 50_000;

fn cost(mut run: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        (0..RUNS).for_each(|_| run());
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() * 1e6 / f64::from(RUNS)
}

/// 1,000 digests allowed; kinds, effects and patterns denied.
fn firewall() -> Firewall {
    let mut digester = Digester::new();
    let mut digests: Vec<_> = STATEMENTS
        .iter()
        .map(|(_, sql)| digester.digest(sql.as_bytes()).to_string())
        .collect();
    digests.extend((0..1000).map(|n| {
        digester
            .digest(format!("select c{n}").as_bytes())
            .to_string()
    }));
    let rules = vec![
        Rule {
            name: "known".to_owned(),
            action: Action::Allow,
            digests,
            ..Rule::default()
        },
        Rule {
            name: "kinds".to_owned(),
            kinds: vec![Kind::Ddl, Kind::Account, Kind::Maintenance],
            ..Rule::default()
        },
        Rule {
            name: "effects".to_owned(),
            effects: vec![Effect::WritesFile, Effect::Delays],
            ..Rule::default()
        },
        Rule {
            name: "patterns".to_owned(),
            patterns: vec![
                "union (all )?select".to_owned(),
                "information_schema".to_owned(),
            ],
            ..Rule::default()
        },
    ];
    Firewall::new(Policy {
        mode: Mode::Enforce,
        rules,
        ..Policy::default()
    })
    .unwrap()
}

fn main() {
    let firewall = firewall();
    let mut inspector = Inspector::new();
    let mut digester = Digester::new();
    println!(
        "{:<14}{:>8}{:>12}{:>12}",
        "statement", "bytes", "digest µs", "verdict µs"
    );
    for (name, sql) in STATEMENTS {
        let request = Request {
            sql: sql.as_bytes(),
            dialect: Dialect::default(),
            schema: Some("sbtest"),
        };
        let digest = cost(|| {
            black_box(digester.digest(black_box(sql.as_bytes())));
        });
        let verdict = cost(|| {
            black_box(firewall.verdict(&mut inspector, black_box(&request)));
        });
        println!("{name:<14}{:>8}{digest:>12.2}{verdict:>12.2}", sql.len());
    }
}
