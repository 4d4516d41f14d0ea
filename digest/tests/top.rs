//! The statistics: exact while there is room, bounded and never missing the heavy ones after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use mesh_digest::{Digest, Digester, Kind, Observation, TopLimits, TopSql};
use proptest::prelude::*;

const LIMITS: TopLimits = TopLimits {
    tenants: 3,
    statements: 8,
    text_bytes: 10,
};

fn observation(digest: Digest, micros: u64) -> Observation<'static> {
    Observation {
        tenant: "alpha",
        digest,
        normalized: "select `é` from `t`",
        kind: Kind::Select,
        backend: "tidb-0",
        latency: Duration::from_micros(micros),
        failed: false,
        rows: 2,
        bytes: 30,
        at: SystemTime::UNIX_EPOCH,
    }
}

fn digest(number: u64) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Digest::from(bytes)
}

#[test]
fn a_statement_is_told_with_all_its_figures() {
    let mut top = TopSql::new(LIMITS);
    let seen = Digester::new().digest(b"select 1");
    for run in 1..=100 {
        top.observe(&Observation {
            failed: run % 10 == 0,
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(run),
            ..observation(seen, run * 1000)
        });
    }
    let [told] = &top.top("alpha")[..] else {
        panic!("one statement")
    };
    assert_eq!(
        (told.count, told.errors, told.rows, told.bytes),
        (100, 10, 200, 3000)
    );
    assert_eq!(told.time, Duration::from_millis(5050));
    assert_eq!(told.normalized, "select `é");
    let near = |found: Duration, wanted: u64| {
        let wanted = Duration::from_millis(wanted);
        found >= wanted && found <= wanted + wanted / 16
    };
    assert!(
        near(told.p50, 50) && near(told.p99, 99) && near(told.max, 100),
        "{told:?}"
    );
    assert_eq!(
        told.last_seen,
        SystemTime::UNIX_EPOCH + Duration::from_secs(100)
    );
}

#[test]
fn more_tenants_than_fit_push_out_the_one_longest_not_seen() {
    let mut top = TopSql::new(LIMITS);
    for (second, tenant) in ["a", "b", "c", "a", "d"].into_iter().enumerate() {
        top.observe(&Observation {
            tenant,
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(second as u64),
            ..observation(digest(1), 1)
        });
    }
    let mut tenants: Vec<_> = top.tenants().collect();
    tenants.sort_unstable();
    assert_eq!(tenants, ["a", "c", "d"]);
}

proptest! {
    #[test]
    fn what_took_more_than_its_share_is_always_there(
        runs in prop::collection::vec((0_u64..40, 1_u64..5000), 1..600)
    ) {
        let mut top = TopSql::new(LIMITS);
        let mut exact: HashMap<Digest, u64> = HashMap::new();
        for (number, micros) in &runs {
            // Few statements run often.
            let number = number % (1 + number % 7);
            let seen = if *micros > 4000 { digest(100 + micros) } else { digest(number) };
            top.observe(&observation(seen, *micros));
            *exact.entry(seen).or_default() += micros;
        }
        let told = top.top("alpha");
        prop_assert!(told.len() <= LIMITS.statements);
        let all: u64 = exact.values().sum();
        for (heavy, time) in exact {
            let found = told.iter().find(|found| found.digest == heavy);
            let share = time > all / LIMITS.statements as u64;
            prop_assert!(found.is_some() || !share, "{time} of {all} is missing");
            if let Some(found) = found {
                let counted = Duration::from_micros(time);
                prop_assert!(found.time <= counted);
                prop_assert!(counted <= found.time + found.overlooked_time);
            }
        }
    }
}
