//! Laws over generated messages, of the specimen and of every message of the real schema.

use mesh_proto::{Message, Outcome, Unknown, Walker, fields, tables};
use proptest::prelude::*;

use crate::toy::{
    Toy, Way,
    generate::{self, Dice},
    table, walk,
};

fn any_table() -> impl Strategy<Value = &'static Message> {
    prop_oneof![
        3 => prop::sample::select(vec!["Envelope", "Answer", "Put", "Scan", "Context", "Lock"]).prop_map(table),
        2 => (0..tables::MESSAGES.len()).prop_map(|at| tables::MESSAGES[at]),
    ]
}

fn outcome(table: &'static Message, bytes: &[u8], way: Way) -> (Outcome, Vec<u8>) {
    let mut out = Vec::new();
    let outcome = Walker::new()
        .edit(table, bytes, &mut Toy::new(way), &mut out)
        .unwrap();
    (outcome, out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_identity_map_returns_its_input(table in any_table(), seed: u64) {
        let bytes = generate::message(table, &mut Dice::new(seed));
        let out = walk(table, &bytes, &mut Toy::new(Way::Identity)).unwrap();
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn adding_and_stripping_a_prefix_is_identity(table in any_table(), seed: u64) {
        let bytes = generate::message(table, &mut Dice::new(seed));
        let added = walk(table, &bytes, &mut Toy::new(Way::Add)).unwrap();
        let back = walk(table, &added, &mut Toy::new(Way::Strip)).unwrap();
        // Ends of ranges that were there and empty come back absent: compare as one reads them.
        prop_assert_eq!(without_empty(table, &back), without_empty(table, &bytes));
    }

    #[test]
    fn a_message_without_edits_is_not_written(table in any_table(), seed: u64) {
        let bytes = generate::message(table, &mut Dice::new(seed));
        let (outcome, out) = outcome(table, &bytes, Way::Add);
        if table.inert {
            prop_assert!(outcome.unchanged);
        }
        prop_assert_eq!(outcome.unchanged, out.is_empty() || out == bytes);
    }

    #[test]
    fn a_kept_walker_writes_what_a_fresh_one_writes(seeds: [u64; 4]) {
        let mut kept = Walker::new();
        for seed in seeds {
            let bytes = generate::message(table("Answer"), &mut Dice::new(seed));
            let mut out = Vec::new();
            let _ = kept.rewrite(table("Answer"), &bytes, &mut Toy::new(Way::Add), &mut out).unwrap();
            prop_assert_eq!(&out, &walk(table("Answer"), &bytes, &mut Toy::new(Way::Add)).unwrap());
            // A walk that fails leaves nothing behind for the next one.
            let broken = [&bytes[..], &[0x80]].concat();
            let failed = kept.rewrite(table("Answer"), &broken, &mut Toy::new(Way::Add), &mut out);
            prop_assert!(failed.is_err());
        }
    }

    #[test]
    fn random_bytes_end_in_an_answer_or_a_typed_error(table in any_table(), bytes: Vec<u8>, unknown in 0..3_u8) {
        never_panics(table, &bytes, unknown);
    }

    #[test]
    fn mutated_messages_end_in_an_answer_or_a_typed_error(
        table in any_table(), seed: u64, unknown in 0..3_u8, hits in prop::collection::vec((any::<u16>(), any::<u8>()), 1..6)
    ) {
        let mut bytes = generate::message(table, &mut Dice::new(seed));
        for (at, byte) in hits {
            let len = bytes.len();
            if len > 0 {
                bytes[usize::from(at) % len] = byte;
            }
        }
        never_panics(table, &bytes, unknown);
        bytes.truncate(bytes.len() / 2);
        never_panics(table, &bytes, unknown);
    }

    #[test]
    fn what_the_walker_writes_it_accepts(table in any_table(), seed: u64, byte: u8, at: u16) {
        let mut bytes = generate::message(table, &mut Dice::new(seed));
        if !bytes.is_empty() {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        let mut map = Toy { unknown: Unknown::Strip, ..Toy::new(Way::Add) };
        if let Ok(out) = walk(table, &bytes, &mut map) {
            prop_assert!(walk(table, &out, &mut Toy::new(Way::Identity)).is_ok());
            Walker::new().validate(table, &out, &mut |_, _| Unknown::Refuse).unwrap();
        }
    }
}

fn never_panics(table: &'static Message, bytes: &[u8], unknown: u8) {
    let unknown = [Unknown::Refuse, Unknown::Strip, Unknown::Pass][usize::from(unknown)];
    for way in [Way::Add, Way::Strip, Way::Identity] {
        if let Err(error) = walk(
            table,
            bytes,
            &mut Toy {
                unknown,
                ..Toy::new(way)
            },
        ) {
            assert!(!error.kind().is_empty() && !error.to_string().is_empty());
        }
    }
}

/// Drops empty ends of ranges at every level, and the lengths above with them.
fn without_empty(table: &'static Message, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for raw in fields(bytes) {
        let raw = raw.unwrap();
        let field = table.field(raw.number).unwrap();
        let end = table
            .range
            .is_some_and(|range| [range.start, range.end].contains(&raw.number));
        match (raw.bytes(), field.child) {
            (Some([]), _) if end => {}
            (Some(inner), Some(child)) => {
                mesh_proto::wire::put_bytes_field(
                    raw.number,
                    &without_empty(child, inner),
                    &mut out,
                );
            }
            _ => out.extend_from_slice(raw.raw),
        }
    }
    out
}
