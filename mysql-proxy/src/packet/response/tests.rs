use proptest::prelude::*;

use super::*;
use crate::packet::frame;
use crate::packet::walker::Walker;

const AUTOCOMMIT: u16 = 2;
const MORE: u16 = 8;
const CURSOR: u16 = 0x40;

fn ok(header: u8, status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    vec![header, 0xfc, 1, 1, 0, low, high, 0, 0]
}

fn eof(status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    vec![0xfe, 0, 0, low, high]
}

fn error() -> Vec<u8> {
    b"\xff\x28\x04#42000no".to_vec()
}

fn column() -> Vec<u8> {
    b"\x03def\x00\x00\x00\x01c\x00\x0c\x3f\x00".to_vec()
}

/// A result set with `rows` rows of one column.
fn result_set(deprecate_eof: bool, rows: usize, status: u16) -> Vec<Vec<u8>> {
    let mut packets = vec![vec![1], column()];
    if !deprecate_eof {
        packets.push(eof(AUTOCOMMIT));
    }
    packets.extend(std::iter::repeat_n(b"\x03row".to_vec(), rows));
    packets.push(if deprecate_eof {
        ok(0xfe, status)
    } else {
        eof(status)
    });
    packets
}

/// Follows an answer that arrives byte by byte; returns the outcome after each packet.
fn follow(command: Command, deprecate_eof: bool, packets: &[Vec<u8>]) -> (Vec<Outcome>, Responses) {
    let agreed = if deprecate_eof {
        Capabilities::DEPRECATE_EOF
    } else {
        Capabilities::NONE
    };
    let (mut responses, mut walker) = (Responses::new(agreed), Walker::default());
    responses.begin(command);
    let mut outcomes = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let mut kept = Vec::new();
        for byte in frame(u8::try_from(index % 256).unwrap_or_default(), packet) {
            kept.push(byte);
            let passed = walker.walk(&kept, &mut responses);
            kept.drain(..passed);
        }
        outcomes.push(responses.outcome());
    }
    (outcomes, responses)
}

fn completes_with_its_last_packet(command: Command, deprecate_eof: bool, packets: &[Vec<u8>]) {
    let (outcomes, _) = follow(command, deprecate_eof, packets);
    let (last, before) = outcomes.split_last().expect("packets");
    assert_eq!(*last, Outcome::Complete, "{command:?} {packets:?}");
    assert!(
        before.iter().all(|outcome| *outcome == Outcome::Open),
        "{command:?} {before:?}"
    );
}

#[test]
fn each_form_of_answer_ends_with_its_last_packet() {
    for deprecate in [false, true] {
        let follow = |command, packets: &[Vec<u8>]| {
            completes_with_its_last_packet(command, deprecate, packets);
        };
        follow(Command::QUERY, &[ok(0, AUTOCOMMIT)]);
        follow(Command::QUERY, &[error()]);
        follow(Command::QUERY, &result_set(deprecate, 0, AUTOCOMMIT));
        follow(Command::QUERY, &result_set(deprecate, 3, AUTOCOMMIT));
        let more = [
            result_set(deprecate, 2, MORE),
            vec![ok(0, MORE)],
            result_set(deprecate, 1, 0),
        ];
        follow(Command::QUERY, &more.concat());
        let mut broken = result_set(deprecate, 2, 0);
        broken.pop();
        broken.push(error());
        follow(Command::QUERY, &broken);
        follow(Command(0x0e), &[ok(0, AUTOCOMMIT)]);
        follow(Command(0x09), &[b"Uptime: 1".to_vec()]);
        follow(Command(0x77), &[error()]);
        let end = if deprecate { ok(0xfe, 0) } else { eof(0) };
        follow(Command::FIELD_LIST, &[column(), column(), end.clone()]);
        follow(Command::STMT_FETCH, &[b"\x00\x00row".to_vec(), end]);
    }
}

#[test]
fn a_prepared_statement_ends_with_its_last_definition() {
    let prepared =
        |columns: u8, parameters: u8| vec![0, 1, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0];
    let prepare = Command::STMT_PREPARE;
    for deprecate in [false, true] {
        completes_with_its_last_packet(prepare, deprecate, &[prepared(0, 0)]);
        completes_with_its_last_packet(prepare, deprecate, &[error()]);
    }
    let with_ends = [prepared(1, 2), column(), column(), eof(0), column(), eof(0)];
    completes_with_its_last_packet(prepare, false, &with_ends);
    completes_with_its_last_packet(prepare, true, &[prepared(1, 1), column(), column()]);
}

#[test]
fn an_open_cursor_ends_the_answer_to_an_execute_only() {
    let opened = vec![vec![1], column(), eof(CURSOR)];
    completes_with_its_last_packet(Command::STMT_EXECUTE, false, &opened);
    let (outcomes, _) = follow(Command::QUERY, false, &opened);
    assert_eq!(outcomes.last(), Some(&Outcome::Open));
    completes_with_its_last_packet(
        Command::STMT_EXECUTE,
        true,
        &[vec![1], column(), ok(0xfe, CURSOR)],
    );
}

#[test]
fn a_file_request_is_told_and_the_answer_follows_the_file() {
    let packets = [b"\xfbpath".to_vec(), ok(0, AUTOCOMMIT)];
    let (outcomes, _) = follow(Command::QUERY, true, &packets);
    assert_eq!(outcomes, [Outcome::FileRequested, Outcome::Complete]);
}

#[test]
fn status_flags_are_those_of_the_last_packet() {
    let (_, responses) = follow(Command::QUERY, false, &result_set(false, 1, 3));
    assert!(responses.status().in_transaction() && responses.status().autocommit());
    let (_, responses) = follow(Command::QUERY, true, &result_set(true, 1, 2));
    assert!(!responses.status().in_transaction() && responses.status().autocommit());
    let (_, responses) = follow(Command(0x0e), true, &[ok(0, 1)]);
    assert!(responses.status().in_transaction());
}

#[test]
fn a_row_of_16_mib_that_begins_with_0xfe_is_a_row() {
    let mut walker = Walker::default();
    let mut responses = Responses::new(Capabilities::DEPRECATE_EOF);
    responses.begin(Command::QUERY);
    let mut row = vec![0xfe];
    row.resize(MAX_PAYLOAD, 7);
    let stream = [
        frame(1, &[1]),
        frame(2, &column()),
        frame(3, &row),
        frame(4, &[]),
        frame(5, &ok(0xfe, 2)),
    ];
    let stream = stream.concat();
    assert_eq!(walker.walk(&stream, &mut responses), stream.len());
    assert_eq!(responses.outcome(), Outcome::Complete);
}

#[test]
fn an_answer_of_no_known_form_is_lost() {
    let (outcomes, _) = follow(Command::STMT_PREPARE, true, &[b"\x07what".to_vec()]);
    assert_eq!(outcomes, [Outcome::Lost]);
    let (outcomes, _) = follow(Command::QUERY, true, &[Vec::new()]);
    assert_eq!(outcomes, [Outcome::Lost]);
}

proptest! {
    #[test]
    fn any_bytes_as_an_answer_to_any_command_do_no_harm(command: u8, deprecate: bool, stream: Vec<u8>) {
        let agreed = if deprecate { Capabilities::DEPRECATE_EOF } else { Capabilities::NONE };
        let (mut responses, mut walker) = (Responses::new(agreed), Walker::default());
        responses.begin(Command(command));
        let passed = walker.walk(&stream, &mut responses);
        prop_assert!(passed <= stream.len());
        responses.outcome();
    }
}
