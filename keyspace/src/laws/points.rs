//! Point keys: round trip, order, strictness, disjoint tenants.

use super::ruler::image;
use super::{Case, Verdict, ensure, hex, hex_all, in_form, is_point_key, logical_ruler};
use crate::{KeyError, Keyspace, LogicalKey, Mode, PhysicalKey};

/// A key of a known shape maps to its model image inside the tenant's ranges and back; any other
/// is refused. Outputs are appended to.
///
/// # Errors
/// [`super::Broken`].
pub fn keys_round_trip(case: &Case) -> Verdict {
    for key in &case.logical {
        let mut physical = b"before".to_vec();
        let outcome =
            case.keyspace
                .encode_key(case.form, LogicalKey(&case.wire(key)), &mut physical);
        if !is_point_key(case.keyspace.mode(), key) {
            ensure(
                outcome.is_err(),
                "a key of no known shape is refused",
                || hex(key),
            )?;
            ensure(
                physical == b"before",
                "a refused key leaves no output",
                || hex(key),
            )?;
            continue;
        }
        let written = physical.strip_prefix(b"before").unwrap_or_default();
        let model = image(&case.keyspace, key).map(|raw| case.wire(&raw));
        ensure(
            Some(written) == model.as_deref(),
            "the image is the model's",
            || format!("{} -> {} {outcome:?}", hex(key), hex(written)),
        )?;
        let home = case
            .wire_ranges(&case.keyspace)
            .into_iter()
            .any(|(s, e)| within(written, &s, &e));
        ensure(home, "the image lies in the tenant's ranges", || {
            hex(written)
        })?;
        let mut back = b"before".to_vec();
        let outcome = case
            .keyspace
            .decode_key(case.form, PhysicalKey(written), &mut back);
        let same = back.strip_prefix(b"before") == Some(&case.wire(key));
        ensure(
            outcome.is_ok() && same,
            "what was encoded decodes to itself",
            || {
                format!(
                    "{} -> {} -> {} {outcome:?}",
                    hex(key),
                    hex(written),
                    hex(&back)
                )
            },
        )?;
    }
    Ok(())
}

/// Images sort as their keys do.
///
/// # Errors
/// [`super::Broken`].
pub fn keys_keep_order(case: &Case) -> Verdict {
    for (a, b) in case.logical_pairs() {
        let (one, two) = (
            encoded(case, &case.keyspace, a),
            encoded(case, &case.keyspace, b),
        );
        if let (Some(one), Some(two)) = (one, two) {
            ensure(
                one.cmp(&two) == a.cmp(b),
                "images sort as their keys do",
                || hex_all([a, b, &one, &two]),
            )?;
        }
    }
    Ok(())
}

/// Whatever decodes is the image of what it decodes to, and lies in the tenant's ranges.
///
/// # Errors
/// [`super::Broken`].
pub fn decoding_is_strict(case: &Case) -> Verdict {
    let wire = case.physical.iter().map(|key| case.wire(key));
    for physical in wire.chain([case.noise.clone()]) {
        let mut logical = Vec::new();
        if case
            .keyspace
            .decode_key(case.form, PhysicalKey(&physical), &mut logical)
            .is_err()
        {
            ensure(logical.is_empty(), "a refused key leaves no output", || {
                hex(&physical)
            })?;
            continue;
        }
        let mut again = Vec::new();
        let _ = case
            .keyspace
            .encode_key(case.form, LogicalKey(&logical), &mut again);
        ensure(again == physical, "what decodes is an image", || {
            hex_all([&physical, &logical, &again])
        })?;
    }
    Ok(())
}

/// Two tenants share no range, and each calls the other's keys foreign.
///
/// # Errors
/// [`super::Broken`].
pub fn tenants_are_disjoint(case: &Case) -> Verdict {
    for ours in &case.keyspace.ranges() {
        for theirs in &case.other.ranges() {
            let apart = ours.end <= theirs.start || theirs.end <= ours.start;
            let proper = ours.start < ours.end && theirs.start < theirs.end;
            ensure(
                apart && proper,
                "two tenants' ranges are disjoint and not empty",
                || hex_all([ours.start, ours.end, theirs.start, theirs.end]),
            )?;
        }
    }
    for key in &case.logical {
        let Some(physical) = encoded(case, &case.keyspace, key) else {
            continue;
        };
        let mut leaked = Vec::new();
        let outcome = case
            .other
            .decode_key(case.form, PhysicalKey(&physical), &mut leaked);
        ensure(
            outcome == Err(KeyError::Foreign) && leaked.is_empty(),
            "another tenant's key is foreign",
            || format!("{} {outcome:?}", hex(&physical)),
        )?;
    }
    Ok(())
}

/// The keys of a TiDB that owns the stores without a gateway belong to no tenant.
///
/// # Errors
/// [`super::Broken`].
pub fn plain_keys_are_foreign(case: &Case) -> Verdict {
    let fences = logical_ruler();
    for plain in fences
        .iter()
        .chain(&case.logical)
        .filter(|key| is_point_key(Mode::Table, key))
    {
        let wire = case.wire(plain);
        let mut leaked = Vec::new();
        let outcome = case
            .keyspace
            .decode_key(case.form, PhysicalKey(&wire), &mut leaked);
        ensure(
            outcome == Err(KeyError::Foreign),
            "a plain TiDB's key is foreign",
            || format!("{} {outcome:?}", hex(plain)),
        )?;
        let inside = case
            .wire_ranges(&case.keyspace)
            .into_iter()
            .any(|(s, e)| within(&wire, &s, &e));
        ensure(
            !inside,
            "a plain TiDB's key lies in no tenant's range",
            || hex(plain),
        )?;
    }
    Ok(())
}

/// The image of a raw logical key in the case's form, if it has one.
pub(super) fn encoded(case: &Case, keyspace: &Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    let mut physical = Vec::new();
    let wire = in_form(case.form, key);
    keyspace
        .encode_key(case.form, LogicalKey(&wire), &mut physical)
        .ok()?;
    Some(physical)
}

/// Half-open; an empty end is infinite.
pub(super) fn within(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    start <= key && (end.is_empty() || key < end)
}
