//! The same statements on tenant alpha, on tenant beta at the same time, and on a TiDB that has a
//! storage of its own: every result, error and warning must be equal, table ids included.

mod lane;
mod script;

use std::fmt::Write as _;

use crate::runner::run;
use crate::shared::trio;
use lane::Record;

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            compare(stringify!($name), include_str!(concat!("../../../corpus/", stringify!($name), ".sql")));
        }
    )*};
}

scripts!(
    admin,
    autoid,
    columns,
    indexes,
    rowkeys,
    objects,
    partitions,
    pruning,
    reads,
    recover,
    transactions,
);

fn compare(name: &'static str, text: &'static str) {
    run(async move {
        let trio = trio().await;
        let _turn = trio.turn.lock().await;
        let steps = script::parse(text);
        let lanes = trio.lanes().into_iter().map(|(_, address)| {
            let steps = steps.clone();
            async move { lane::play(&address, name, &steps).await }
        });
        let mut played = futures::future::join_all(lanes).await.into_iter();
        let expected = played.next().expect("the direct lane");
        let mut report = unexpected_errors(&expected);
        for ((lane, _), records) in trio.lanes().into_iter().skip(1).zip(played) {
            differences(&lane, &expected, &records, &mut report);
        }
        assert!(report.is_empty(), "{report}");
    });
}

fn unexpected_errors(records: &[Record]) -> String {
    let mut report = String::new();
    for record in records
        .iter()
        .filter(|record| record.code != record.expected)
    {
        let _ = writeln!(
            report,
            "\nthe direct TiDB gave {:?} instead of {:?} ({}): {}",
            record.code, record.expected, record.message, record.sql
        );
    }
    report
}

fn differences(lane: &str, expected: &[Record], got: &[Record], report: &mut String) {
    assert_eq!(expected.len(), got.len());
    for (want, got) in expected
        .iter()
        .zip(got)
        .filter(|(want, got)| want.text != got.text)
    {
        let _ = writeln!(
            report,
            "\n{lane} differs at: {}\n--- direct\n{}--- {lane}\n{}",
            want.sql, want.text, got.text
        );
    }
}
