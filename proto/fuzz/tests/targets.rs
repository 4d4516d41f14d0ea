//! The walker on every request and response table, each target for `MESH_FUZZ_SECONDS`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

#[path = "../../tests/walker/toy/mod.rs"]
mod toy;

use std::time::Duration;

use mesh_proto::{Message, Unknown, Walker, fields, tables};
use toy::{
    Toy, Way,
    generate::{self, Dice},
    walk,
};

fn budget() -> Duration {
    let seconds = std::env::var("MESH_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(5, |text| {
        text.parse().expect("MESH_FUZZ_SECONDS is whole seconds")
    });
    Duration::from_secs(seconds)
}

/// Requests and responses of every RPC, and the specimen's messages.
fn table(pick: u16) -> &'static Message {
    let pick = usize::from(pick);
    let rpcs = tables::RPCS.len();
    match pick % 3 {
        0 if rpcs > 0 => tables::RPCS[pick / 3 % rpcs].request,
        1 if rpcs > 0 => tables::RPCS[pick / 3 % rpcs].response,
        _ => tables::MESSAGES[pick / 3 % tables::MESSAGES.len()],
    }
}

/// Laws that hold for any bytes at all.
fn laws_of_any_bytes(table: &'static Message, bytes: &[u8]) {
    for unknown in [Unknown::Refuse, Unknown::Strip, Unknown::Pass] {
        for way in [Way::Add, Way::Strip, Way::Identity] {
            let map = || Toy {
                unknown,
                ..Toy::new(way)
            };
            let Ok(out) = walk(table, bytes, &mut map()) else {
                continue;
            };
            assert_eq!(
                out,
                walk(table, bytes, &mut map()).unwrap(),
                "a walk is a function"
            );
            if way != Way::Strip {
                let again = walk(
                    table,
                    &out,
                    &mut Toy {
                        unknown,
                        ..Toy::new(Way::Identity)
                    },
                )
                .unwrap();
                assert_eq!(again, out, "what was written is accepted and stays");
            }
        }
    }
    let checked = Walker::new().validate(table, bytes, &mut |_, _| Unknown::Refuse);
    let walked = walk(table, bytes, &mut Toy::new(Way::Identity));
    assert_eq!(
        checked.is_ok(),
        walked.is_ok(),
        "checking is as strict as walking"
    );
}

#[test]
fn any_bytes_end_in_an_answer_or_a_typed_error() {
    bolero::check!()
        .with_type::<(u16, Vec<u8>)>()
        .with_test_time(budget())
        .for_each(|(pick, bytes)| {
            laws_of_any_bytes(table(*pick), bytes);
        });
}

#[test]
fn damaged_messages_end_in_an_answer_or_a_typed_error() {
    type Input = (u16, u64, Vec<(u16, u8)>, u16);
    bolero::check!()
        .with_type::<Input>()
        .with_test_time(budget())
        .for_each(|(pick, seed, hits, keep)| {
            let table = table(*pick);
            let mut bytes = generate::message(table, &mut Dice::new(*seed));
            let len = bytes.len().max(1);
            for (at, byte) in hits.iter().take(8) {
                if let Some(hit) = bytes.get_mut(usize::from(*at) % len) {
                    *hit = *byte;
                }
            }
            if keep % 4 == 0 {
                bytes.truncate(usize::from(*keep) % len);
            }
            laws_of_any_bytes(table, &bytes);
        });
}

#[test]
fn sound_messages_survive_there_and_back() {
    bolero::check!()
        .with_type::<(u16, u64)>()
        .with_test_time(budget())
        .for_each(|(pick, seed)| {
            let table = table(*pick);
            let bytes = generate::message(table, &mut Dice::new(*seed));
            let there =
                walk(table, &bytes, &mut Toy::new(Way::Add)).expect("a sound message is accepted");
            let back = walk(table, &there, &mut Toy::new(Way::Strip)).expect("and comes back");
            let again = walk(table, &back, &mut Toy::new(Way::Add)).expect("and goes again");
            assert!(
                again.len() == there.len() || table_has_ranges(table),
                "{}",
                table.name
            );
            assert_eq!(
                walk(table, &bytes, &mut Toy::new(Way::Identity)).unwrap(),
                bytes
            );
        });
}

/// Ends that were there and empty move to their message's end; lengths stay equal otherwise.
fn table_has_ranges(table: &'static Message) -> bool {
    fn below(table: &'static Message, depth: u32) -> bool {
        table.range.is_some()
            || (depth < 8
                && table
                    .fields
                    .iter()
                    .filter_map(|field| field.child)
                    .any(|child| below(child, depth + 1)))
    }
    below(table, 0)
}

#[test]
fn reading_fields_covers_every_byte_or_ends_in_an_error() {
    bolero::check!()
        .with_type::<Vec<u8>>()
        .with_test_time(budget())
        .for_each(|bytes| {
            let read: Vec<_> = fields(bytes).collect();
            let sound = read.iter().all(Result::is_ok);
            let covered: usize = read.iter().flatten().map(|field| field.raw.len()).sum();
            assert_eq!(sound, covered == bytes.len());
        });
}
