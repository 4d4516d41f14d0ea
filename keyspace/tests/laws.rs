//! The laws on random cases. The laws themselves live in `src/laws`, shared with the fuzz targets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use mesh_keyspace::laws::{self, Case, Seed, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;

fn tenants() -> impl Strategy<Value = (u8, u32)> {
    (any::<u8>(), prop_oneof![0..16_u32, any::<u32>()])
}

/// Two tenants of which the second is often a close neighbour of the first.
fn pairs() -> impl Strategy<Value = ((u8, u32), (u8, u32))> {
    prop_oneof![
        (tenants(), tenants()),
        (any::<u8>(), 10..1_000_000_u32).prop_map(|(kind, n)| ((kind, n), (kind, n + 1))),
        (any::<u8>(), 0..9_u32).prop_map(|(kind, n)| ((kind, n), (kind, n + 1))),
    ]
}

fn tails() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 1..20),
        vec(
            prop_oneof![Just(0_u8), Just(1), Just(0x80), Just(0xFF), Just(b'A')],
            1..12
        ),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let words = vec((any::<u16>(), tails()), 2..8);
    let seed = (pairs(), any::<bool>(), words, vec(any::<u8>(), 0..40));
    seed.prop_filter_map(
        "two different tenants",
        |((tenant, other), encoded, words, noise)| {
            Case::new(Seed {
                tenant,
                other,
                encoded,
                words,
                noise,
            })
        },
    )
}

fn hold(law: fn(&Case) -> Verdict) {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    };
    proptest!(config, |(case in cases())| {
        law(&case).map_err(|broken| TestCaseError::fail(broken.to_string()))?;
    });
}

macro_rules! laws {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { hold(laws::$name) })*

        #[test]
        fn every_law_is_tested() {
            let tested = [$(stringify!($name)),*];
            let all: Vec<_> = laws::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(tested.as_slice(), all);
        }
    };
}

laws! {
    keys_round_trip,
    keys_keep_order,
    decoding_is_strict,
    tenants_are_disjoint,
    plain_keys_are_foreign,
    bounds_keep_order,
    ranges_select,
    locate_finds_bounds,
    lower_bound_is_least,
    regions_tile,
    contained_regions_are_private,
    buckets_follow_regions,
    table_ids_match_keys,
    encoding_round_trips,
    encoding_keeps_order,
    encoding_is_unique,
    nothing_panics,
}
