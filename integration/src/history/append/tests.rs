//! Each law of the lists has a history that breaks it alone.

use super::Fate::{Acknowledged, Failed, Unknown};
use super::Step::{Append, Read};
use super::*;

fn at(began: u64, fate: Fate, steps: Vec<Step>) -> Transaction {
    Transaction {
        began,
        ended: began + 10,
        steps,
        fate,
    }
}

fn faults(transactions: Vec<Transaction>, end: &[(u32, &[u64])]) -> Vec<String> {
    let end = end.iter().map(|(list, has)| (*list, has.to_vec()));
    Lists {
        transactions,
        end: end.collect(),
    }
    .faults()
}

fn one_fault(text: &str, transactions: Vec<Transaction>, end: &[(u32, &[u64])]) {
    let faults = faults(transactions, end);
    assert!(
        faults.len() == 1 && faults.iter().all(|fault| fault.contains(text)),
        "{faults:#?}"
    );
}

#[test]
fn a_history_in_which_each_comes_after_the_other_is_right() {
    let history = vec![
        at(
            0,
            Acknowledged,
            vec![Append(1, 10), Read(1, vec![10]), Append(1, 11)],
        ),
        at(20, Unknown, vec![Append(1, 12)]),
        at(20, Failed, vec![Append(1, 13)]),
        at(20, Unknown, vec![Append(1, 14)]),
        at(
            40,
            Acknowledged,
            vec![Read(1, vec![10, 11, 12]), Append(2, 20)],
        ),
        at(40, Acknowledged, vec![Read(2, vec![])]),
    ];
    let found = faults(history, &[(1, &[10, 11, 12]), (2, &[20])]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_was_acknowledged_is_there_and_what_failed_is_not() {
    one_fault(
        "acknowledged and lost",
        vec![at(0, Acknowledged, vec![Append(1, 10)])],
        &[],
    );
    one_fault(
        "failed",
        vec![at(0, Failed, vec![Append(1, 10)])],
        &[(1, &[10])],
    );
    one_fault("nobody sent", vec![], &[(1, &[10])]);
    one_fault(
        "nobody sent",
        vec![at(0, Unknown, vec![Append(2, 10)])],
        &[(1, &[10])],
    );
    let twice = faults(
        vec![at(0, Acknowledged, vec![Append(1, 10)])],
        &[(1, &[10, 10])],
    );
    assert!(
        twice.iter().any(|fault| fault.contains("twice")),
        "{twice:#?}"
    );
}

#[test]
fn a_transaction_is_there_wholly_or_not_at_all() {
    let half = vec![at(0, Unknown, vec![Append(1, 10), Append(2, 20)])];
    one_fault("half there", half, &[(1, &[10])]);
    let torn = vec![at(0, Unknown, vec![Append(1, 10), Append(1, 11)])];
    one_fault("torn", torn.clone(), &[(1, &[10])]);
    one_fault("torn", torn, &[(1, &[11, 10])]);
}

#[test]
fn a_read_is_how_the_list_begins_and_ends_between_transactions() {
    let writers = [
        at(0, Acknowledged, vec![Append(1, 10), Append(1, 11)]),
        at(0, Acknowledged, vec![Append(1, 12)]),
    ];
    let with = |seen: Vec<u64>| {
        let reader = at(5, Acknowledged, vec![Read(1, seen)]);
        writers.iter().cloned().chain([reader]).collect::<Vec<_>>()
    };
    let end: &[(u32, &[u64])] = &[(1, &[10, 11, 12])];
    assert!(faults(with(vec![10, 11]), end).is_empty());
    one_fault("isn't how", with(vec![12]), end);
    let middle = faults(with(vec![10]), end);
    assert!(
        middle.iter().any(|fault| fault.contains("in the middle")),
        "{middle:#?}"
    );
}

#[test]
fn a_read_sees_what_was_acknowledged_before() {
    let history = vec![
        at(0, Acknowledged, vec![Append(1, 10)]),
        at(11, Acknowledged, vec![Read(1, vec![])]),
    ];
    one_fault("missed 10", history, &[(1, &[10])]);
}

#[test]
fn a_transaction_reads_what_it_has_appended() {
    let history = vec![at(0, Acknowledged, vec![Append(1, 10), Read(1, vec![])])];
    one_fault("without [10]", history, &[(1, &[10])]);
}

#[test]
fn nobody_comes_before_itself() {
    let history = vec![
        at(0, Acknowledged, vec![Append(1, 10), Append(2, 21)]),
        at(0, Acknowledged, vec![Append(1, 11), Append(2, 20)]),
    ];
    one_fault(
        "before themselves",
        history,
        &[(1, &[10, 11]), (2, &[20, 21])],
    );
}

/// One read is of the time before the writer, the other of the time after it.
#[test]
fn a_snapshot_is_of_one_time() {
    let history = vec![
        at(0, Acknowledged, vec![Append(1, 10), Append(2, 20)]),
        at(5, Acknowledged, vec![Read(1, vec![]), Read(2, vec![20])]),
    ];
    one_fault("before what it read", history, &[(1, &[10]), (2, &[20])]);
}

/// It appended to what it had read before another appended: the other's would be lost elsewhere.
#[test]
fn nobody_writes_over_what_it_has_not_read() {
    let history = vec![
        at(0, Acknowledged, vec![Append(1, 10)]),
        at(0, Acknowledged, vec![Read(1, vec![]), Append(1, 11)]),
    ];
    one_fault("before what it read", history, &[(1, &[10, 11])]);
}

/// Two that read what the other then wrote: snapshot isolation allows it.
#[test]
fn write_skew_is_allowed() {
    let history = vec![
        at(0, Acknowledged, vec![Read(1, vec![]), Append(2, 20)]),
        at(0, Acknowledged, vec![Read(2, vec![]), Append(1, 10)]),
    ];
    assert!(faults(history, &[(1, &[10]), (2, &[20])]).is_empty());
}
