//! Bounds of any shape: order, selection, look-up, lower bound.

use super::points::{encoded, within};
use super::{Case, Verdict, ensure, hex, hex_all, logical_ruler, physical_ruler};
use crate::{Bound, LogicalKey, PhysicalKey, Position};

/// Any two byte strings keep their order as positions, from below and from above.
///
/// # Errors
/// [`super::Broken`].
pub fn bounds_keep_order(case: &Case) -> Verdict {
    let mut bounds = case.logical.clone();
    bounds.extend(logical_ruler());
    bounds.sort();
    let (mut last_start, mut last_end) = (Vec::new(), Vec::new());
    for bound in &bounds {
        let wire = case.wire(bound);
        let (mut start, mut end) = (Vec::new(), Vec::new());
        let _ = case.keyspace.locate(case.form, &wire, &mut start);
        // Absent as an end would be unbounded; in raw form "" is that.
        if !wire.is_empty() {
            let _ = case.keyspace.locate_end(case.form, &wire, &mut end);
        }
        ensure(
            last_start <= start,
            "positions keep the order of bounds",
            || hex_all([bound, &last_start, &start]),
        )?;
        ensure(last_end <= end, "ends keep the order of bounds", || {
            hex_all([bound, &last_end, &end])
        })?;
        (last_start, last_end) = (start, end);
    }
    Ok(())
}

/// A key lies in a range if and only if its image lies in the range's image; what goes on the wire
/// is the first or the last part of that image, and never unbounded.
///
/// # Errors
/// [`super::Broken`].
pub fn ranges_select(case: &Case) -> Verdict {
    let probes: Vec<_> = keys_with_images(case);
    for (start, end) in case.logical_pairs() {
        let (low, high) = (case.wire_bound(start), case.wire_bound(end));
        let image = case
            .keyspace
            .encode_range(case.form, LogicalKey(&low), LogicalKey(&high))
            .unwrap_or_default();
        let parts = image.into_parts();
        let shown = || hex_all([start, end].into_iter().chain(flat(&parts)));
        let ranges = case.wire_ranges(&case.keyspace);
        for (s, e) in &parts {
            let proper = s < e && ranges.iter().any(|(rs, re)| rs <= s && e <= re);
            ensure(
                proper,
                "a part is not empty and lies in one of the tenant's ranges",
                shown,
            )?;
        }
        for (key, physical) in &probes {
            let selected = parts.iter().any(|(s, e)| within(physical, s, e));
            ensure(
                selected == within(key, start, end),
                "a range selects what its image does",
                || format!("{} for {} at {}", shown(), hex(key), hex(physical)),
            )?;
        }
        wire_range_agrees(case, &low, &high, &parts)?;
    }
    Ok(())
}

fn wire_range_agrees(
    case: &Case,
    low: &[u8],
    high: &[u8],
    parts: &[(Vec<u8>, Vec<u8>)],
) -> Verdict {
    for reverse in [false, true] {
        let (mut start, mut end) = (b"s".to_vec(), b"e".to_vec());
        let count = case
            .keyspace
            .encode_range_into(case.form, reverse, low, high, &mut start, &mut end)
            .map(|parts| parts.count());
        let start = start.strip_prefix(b"s").unwrap_or_default();
        let end = end.strip_prefix(b"e").unwrap_or_default();
        let shown = || hex_all([low, high, start, end].into_iter().chain(flat(parts)));
        ensure(count == Ok(parts.len()), "the parts are counted", shown)?;
        let chosen = if reverse { parts.last() } else { parts.first() };
        if let Some((s, e)) = chosen {
            ensure(
                (s.as_slice(), e.as_slice()) == (start, end),
                "the right part is sent",
                shown,
            )?;
            continue;
        }
        let ranges = case.wire_ranges(&case.keyspace);
        let near = ranges
            .iter()
            .any(|(s, e)| s.as_slice() <= start && start <= e.as_slice());
        ensure(
            start == end && near,
            "no image is an empty range of the tenant",
            shown,
        )?;
    }
    Ok(())
}

/// A look-up goes to where the keys at the bound are: nothing of the tenant lies between a bound
/// and its position.
///
/// # Errors
/// [`super::Broken`].
pub fn locate_finds_bounds(case: &Case) -> Verdict {
    let probes = keys_with_images(case);
    for bound in &case.logical {
        let wire = case.wire(bound);
        let (mut at, mut end) = (Vec::new(), Vec::new());
        let position = case.keyspace.locate(case.form, &wire, &mut at);
        let shown = |key: &[u8]| hex_all([bound, key, &at]);
        let ranges = case.wire_ranges(&case.keyspace);
        let placed = match position {
            Ok(Position::At) => ranges.iter().any(|(s, e)| within(&at, s, e)),
            Ok(Position::PastEnd) => ranges.iter().any(|(_, e)| *e == at),
            Err(_) => false,
        };
        ensure(
            placed,
            "a position lies in the tenant or at an end of it",
            || shown(b""),
        )?;
        for (key, physical) in &probes {
            ensure(
                (key < bound) == (*physical < at),
                "keys stay on their side",
                || shown(key),
            )?;
        }
        if bound.is_empty() {
            continue;
        }
        let some = case.keyspace.locate_end(case.form, &wire, &mut end) == Ok(true);
        let reaches = ranges.iter().any(|(s, e)| *s < end && end <= *e);
        ensure(
            some == reaches,
            "an end lies above the start of a range it ends",
            || hex_all([bound, &end]),
        )?;
        for (key, physical) in &probes {
            let below = some && *physical < end;
            ensure(
                (key < bound) == below,
                "an end keeps keys on their side",
                || hex_all([bound, key, &end]),
            )?;
        }
    }
    Ok(())
}

/// Keys at or above the lower bound are exactly those whose images are at or above `p`, and no
/// image lies between `p` and the bound's own position.
///
/// # Errors
/// [`super::Broken`].
pub fn lower_bound_is_least(case: &Case) -> Verdict {
    let probes = keys_with_images(case);
    let fences = physical_ruler(&case.keyspace);
    for p in case.physical.iter().chain(&fences) {
        let p = case.wire_bound(p);
        let mut logical = Vec::new();
        let bound = case
            .keyspace
            .lower_bound(case.form, PhysicalKey(&p), &mut logical);
        ensure(bound.is_ok(), "every position has a lower bound", || {
            hex(&p)
        })?;
        for (key, physical) in &probes {
            let key = case.wire(key);
            let reached = bound == Ok(Bound::Key) && logical <= key;
            ensure(
                reached == (p <= *physical),
                "keys from the bound on are those from p on",
                || format!("{bound:?} {}", hex_all([&p, &logical, &key, physical])),
            )?;
        }
        if bound == Ok(Bound::Key) {
            let mut again = Vec::new();
            let _ = case.keyspace.locate(case.form, &logical, &mut again);
            ensure(
                p <= again,
                "the bound's own position is not below p",
                || hex_all([&p, &logical, &again]),
            )?;
        }
    }
    Ok(())
}

/// Raw keys of the case and the ruler, each with its image.
pub(super) fn keys_with_images(case: &Case) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fences = logical_ruler();
    let keys = fences.into_iter().chain(case.logical.iter().cloned());
    keys.filter_map(|key| encoded(case, &case.keyspace, &key).map(|image| (key, image)))
        .collect()
}

fn flat(parts: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = &[u8]> {
    parts.iter().flat_map(|(s, e)| [s.as_slice(), e.as_slice()])
}
