//! Regions and buckets: tiling, look-up, privacy.

use super::bounds::keys_with_images;
use super::points::within;
use super::{Case, Verdict, ensure, hex, hex_all, logical_ruler, physical_ruler};
use crate::{Position, Visibility};

/// Physical and logical bounds of a visible region.
struct Tile {
    physical: (Vec<u8>, Vec<u8>),
    logical: (Vec<u8>, Vec<u8>),
}

/// However physical space is cut, the visible regions cover logical space without gap or overlap,
/// each key is in the tile of its image's region, and look-ups find the tile that holds the bound.
///
/// # Errors
/// [`super::Broken`].
pub fn regions_tile(case: &Case) -> Verdict {
    let cuts = cuts(case);
    let tiles = tiles(case, &cuts)?;
    let shown = || {
        hex_all(
            tiles
                .iter()
                .flat_map(|t| [&t.logical.0, &t.logical.1])
                .chain(&cuts),
        )
    };
    let edges = tiles.first().is_some_and(|tile| tile.logical.0.is_empty())
        && tiles.last().is_some_and(|tile| tile.logical.1.is_empty());
    ensure(edges, "tiles reach from end to end", shown)?;
    for (one, two) in tiles.iter().zip(tiles.iter().skip(1)) {
        let met = one.logical.1 == two.logical.0 && one.logical.0 < one.logical.1;
        ensure(met, "each tile starts where the one before ends", shown)?;
    }
    for (key, physical) in keys_with_images(case) {
        let key = case.wire(&key);
        let agree = tiles.iter().all(|tile| {
            within(&key, &tile.logical.0, &tile.logical.1)
                == within(&physical, &tile.physical.0, &tile.physical.1)
        });
        ensure(agree, "a key is in the tile of its region", || {
            hex(&key) + " " + &shown()
        })?;
    }
    look_ups_agree(case, &cuts, &tiles)
}

fn look_ups_agree(case: &Case, cuts: &[Vec<u8>], tiles: &[Tile]) -> Verdict {
    if cuts.iter().any(|cut| in_sliver(case, cut)) {
        return Ok(());
    }
    let fences = logical_ruler();
    for bound in fences.iter().chain(&case.logical) {
        let wire = case.wire_bound(bound);
        let mut at = Vec::new();
        let position = case.keyspace.locate(case.form, &wire, &mut at);
        let found = tiles.iter().find(|tile| {
            let (start, end) = (&tile.physical.0, &tile.physical.1);
            match position {
                Ok(Position::At) => within(&at, start, end),
                Ok(Position::PastEnd) => *start < at && (end.is_empty() || at <= *end),
                Err(_) => false,
            }
        });
        let holds = found.is_some_and(|tile| within(&wire, &tile.logical.0, &tile.logical.1));
        ensure(
            holds,
            "a look-up finds the tile that holds the bound",
            || {
                format!(
                    "{position:?} {}",
                    hex_all([&wire, &at].into_iter().chain(cuts))
                )
            },
        )?;
        if !in_seam(bound) {
            reverse_look_up_agrees(case, &wire, tiles)?;
        }
    }
    Ok(())
}

/// The region below an end is the tile that the end closes or cuts.
fn reverse_look_up_agrees(case: &Case, wire: &[u8], tiles: &[Tile]) -> Verdict {
    let mut end = Vec::new();
    if case.keyspace.locate_end(case.form, wire, &mut end) != Ok(true) {
        return Ok(());
    }
    let found = tiles.iter().find(|tile| ends_in(&end, &tile.physical));
    let holds = found.is_some_and(|tile| ends_in(wire, &tile.logical));
    ensure(
        holds,
        "a reverse look-up finds the tile below the end",
        || {
            hex_all(
                [wire, &end]
                    .into_iter()
                    .chain(tiles.iter().map(|tile| tile.logical.0.as_slice())),
            )
        },
    )
}

/// Past the seam's name and not past the lowest table key: no key is there, and a look-up from above
/// gets the part before, where the next key below is.
fn in_seam(bound: &[u8]) -> bool {
    b"t".as_slice() < bound && bound <= b"t\x80\0".as_slice()
}

/// Whether what lies just below `end` is in the span; an empty end is infinite.
fn ends_in(end: &[u8], (start, past): &(Vec<u8>, Vec<u8>)) -> bool {
    let reaches_in = end.is_empty() || start.as_slice() < end;
    reaches_in && (past.is_empty() || (!end.is_empty() && end <= past.as_slice()))
}

/// A region that counts as the tenant's own holds nothing else, and one that does not count holds
/// something else.
///
/// # Errors
/// [`super::Broken`].
pub fn contained_regions_are_private(case: &Case) -> Verdict {
    let ranges = case.wire_ranges(&case.keyspace);
    for (start, end) in regions(&cuts(case)) {
        let contained = case.keyspace.contains_region(case.form, &start, &end);
        let home = ranges.iter().find(|(s, e)| within(&start, s, e));
        // The first key past the range, if the region goes on to it.
        let private = home.is_some_and(|(_, past)| !within(past, &start, &end));
        ensure(
            contained == Ok(private),
            "a contained region is private",
            || hex_all([&start, &end]),
        )?;
    }
    Ok(())
}

/// Buckets are the tiles of a region that is cut at the bucket boundaries.
///
/// # Errors
/// [`super::Broken`].
pub fn buckets_follow_regions(case: &Case) -> Verdict {
    let cuts = cuts(case);
    let whole = [vec![Vec::new()], cuts.clone(), vec![Vec::new()]].concat();
    for keys in [whole.as_slice(), cuts.as_slice()] {
        let mut expected = Vec::new();
        for pair in keys.windows(2) {
            if let [start, end] = pair
                && let Some(tile) = tile(case, start, end)?
            {
                expected.pop();
                expected.extend([tile.logical.0, tile.logical.1]);
            }
        }
        let mut buckets = Vec::new();
        let outcome = case.keyspace.clip_buckets_in(case.form, keys, &mut buckets);
        ensure(
            outcome.is_ok() && buckets == expected,
            "buckets are the region's tiles",
            || hex_all(&buckets) + " not " + &hex_all(&expected) + " of " + &hex_all(keys),
        )?;
    }
    Ok(())
}

/// Boundaries in the case's form, ascending, none empty: the case's own and two of the ruler's.
fn cuts(case: &Case) -> Vec<Vec<u8>> {
    let fences = physical_ruler(&case.keyspace);
    let step = usize::from(case.noise.first().copied().unwrap_or(0)) + 1;
    let picked = fences.iter().skip(case.noise.len() % 7).step_by(step);
    let raw = case
        .physical
        .iter()
        .chain(picked)
        .filter(|key| !key.is_empty());
    let mut cuts: Vec<Vec<u8>> = raw.map(|key| case.wire(key)).collect();
    cuts.sort();
    cuts.dedup();
    cuts
}

fn regions(cuts: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let starts = std::iter::once(Vec::new()).chain(cuts.iter().cloned());
    let ends = cuts.iter().cloned().chain([Vec::new()]);
    starts.zip(ends).collect()
}

fn tiles(case: &Case, cuts: &[Vec<u8>]) -> Result<Vec<Tile>, super::Broken> {
    let clipped = regions(cuts)
        .into_iter()
        .map(|(start, end)| tile(case, &start, &end));
    clipped.filter_map(Result::transpose).collect()
}

fn tile(case: &Case, start: &[u8], end: &[u8]) -> Result<Option<Tile>, super::Broken> {
    let (mut low, mut high) = (b"s".to_vec(), b"e".to_vec());
    let seen = case
        .keyspace
        .clip_region(case.form, start, end, &mut low, &mut high);
    ensure(seen.is_ok(), "well-formed boundaries clip", || {
        hex_all([start, end])
    })?;
    let low = low.strip_prefix(b"s").unwrap_or_default().to_vec();
    let high = high.strip_prefix(b"e").unwrap_or_default().to_vec();
    if seen == Ok(Visibility::Visible) {
        return Ok(Some(Tile {
            physical: (start.to_vec(), end.to_vec()),
            logical: (low, high),
        }));
    }
    ensure(
        low.is_empty() && high.is_empty(),
        "what is invisible leaves no output",
        || hex_all([start, end]),
    )?;
    Ok(None)
}

/// Whether a boundary lies in a tenant's range without its prefix: the few short byte strings just
/// below an end of fixed width, where no key is ever written and no region is ever cut.
fn in_sliver(case: &Case, cut: &[u8]) -> bool {
    case.keyspace.ranges().into_iter().any(|range| {
        let (start, end) = (case.wire(&range.start), case.wire(&range.end));
        let mut raw = cut.to_vec();
        if case.form == crate::Form::Encoded {
            raw.clear();
            let _ = crate::memcomparable::decode(cut, &mut raw);
        }
        within(cut, &start, &end) && !raw.starts_with(&range.start)
    })
}
