//! Table ids outside of keys carry the same bits as inside.

use super::points::encoded;
use super::{Case, Verdict, ensure, hex};
use crate::{KeyError, Mode, TableId};

/// A table id maps as it does inside a key, comes back, and is foreign to other tenants.
///
/// # Errors
/// [`super::Broken`].
pub fn table_ids_match_keys(case: &Case) -> Verdict {
    let noise = case
        .noise
        .iter()
        .fold(0, |id: i64, byte| id.rotate_left(8) ^ i64::from(*byte));
    for id in [
        0,
        1,
        noise,
        noise & ((1 << 48) - 1),
        (1 << 48) - 1,
        1 << 48,
        -1,
        i64::MAX,
    ] {
        let outcome = case.keyspace.encode_table_id(id);
        let shown = || format!("{id:x} -> {outcome:x?}");
        if case.keyspace.mode() != Mode::Table {
            let same =
                outcome == Ok(id) && case.keyspace.decode_table_id(id).map(TableId::get) == Ok(id);
            ensure(same, "other modes leave table ids alone", shown)?;
            continue;
        }
        let fits = (0..1 << 48).contains(&id);
        ensure(
            outcome.is_ok() == fits,
            "ids of 48 bits are the ones that fit",
            shown,
        )?;
        let Ok(tagged) = outcome else { continue };
        in_key(case, id, tagged)?;
        let own = case.keyspace.decode_table_id(tagged);
        ensure(
            own == Ok(TableId::Tagged(id)),
            "a tagged id comes back",
            shown,
        )?;
        let plain = case.keyspace.decode_table_id(id);
        ensure(
            plain == Ok(TableId::Untagged(id)),
            "an untagged id is left",
            shown,
        )?;
        if case.other.mode() == Mode::Table {
            let foreign = case.other.decode_table_id(tagged) == Err(KeyError::Foreign);
            ensure(foreign, "another tenant's id is foreign", shown)?;
        }
    }
    Ok(())
}

fn in_key(case: &Case, id: i64, tagged: i64) -> Verdict {
    let key = |id: i64| [b"t".as_slice(), &(id ^ i64::MIN).to_be_bytes(), b"_r"].concat();
    let physical = encoded(case, &case.keyspace, &key(id)).unwrap_or_default();
    ensure(
        physical == case.wire(&key(tagged)),
        "a key carries the same id",
        || hex(&physical),
    )
}
