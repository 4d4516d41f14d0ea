//! The codec's laws under generated input, each family for `MESH_FUZZ_SECONDS` (default 5).
//!
//! A failing case is printed with the law it breaks; the same laws run as property tests in
//! `keyspace/tests/laws.rs`, where it can be pinned.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::time::Duration;

use mesh_keyspace::laws::{self, Case, Law, Seed};

type Input = ((u8, u32), (u8, u32), bool, Vec<(u16, Vec<u8>)>, Vec<u8>);

/// More byte strings cost time per case without reaching anything new.
const WORDS: usize = 8;

fn budget() -> Duration {
    let seconds = std::env::var("MESH_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(5, |text| {
        text.parse().expect("MESH_FUZZ_SECONDS is whole seconds")
    });
    Duration::from_secs(seconds)
}

/// Half of the numbers become small ones, which choose the ids at which layouts go wrong.
fn near((kind, number): (u8, u32)) -> (u8, u32) {
    if number % 2 == 0 {
        (kind, number)
    } else {
        (kind, number / 2 % 16)
    }
}

fn case(input: &Input) -> Option<Case> {
    let (tenant, other, encoded, words, noise) = input.clone();
    let words = words.into_iter().take(WORDS).collect();
    Case::new(Seed {
        tenant: near(tenant),
        other: near(other),
        encoded,
        words,
        noise,
    })
}

fn fuzz(family: &[&str]) {
    let chosen: Vec<Law> = laws::ALL
        .into_iter()
        .filter(|(name, _)| family.contains(name))
        .collect();
    assert_eq!(chosen.len(), family.len(), "every name is a law's");
    bolero::check!()
        .with_type::<Input>()
        .with_test_time(budget())
        .for_each(|input| {
            let Some(case) = case(input) else { return };
            for (_, law) in &chosen {
                if let Err(broken) = law(&case) {
                    panic!("{broken}\n{case:?}");
                }
            }
        });
}

const POINTS: [&str; 6] = [
    "keys_round_trip",
    "keys_keep_order",
    "decoding_is_strict",
    "tenants_are_disjoint",
    "plain_keys_are_foreign",
    "table_ids_match_keys",
];
const BOUNDS: [&str; 4] = [
    "bounds_keep_order",
    "ranges_select",
    "locate_finds_bounds",
    "lower_bound_is_least",
];
const REGIONS: [&str; 3] = [
    "regions_tile",
    "contained_regions_are_private",
    "buckets_follow_regions",
];
const ENCODING: [&str; 4] = [
    "encoding_round_trips",
    "encoding_keeps_order",
    "encoding_is_unique",
    "nothing_panics",
];

#[test]
fn points() {
    fuzz(&POINTS);
}

#[test]
fn bounds() {
    fuzz(&BOUNDS);
}

#[test]
fn regions() {
    fuzz(&REGIONS);
}

#[test]
fn encoding() {
    fuzz(&ENCODING);
}

#[test]
fn every_law_is_fuzzed() {
    let fuzzed = POINTS.len() + BOUNDS.len() + REGIONS.len() + ENCODING.len();
    assert_eq!(fuzzed, laws::ALL.len());
}
