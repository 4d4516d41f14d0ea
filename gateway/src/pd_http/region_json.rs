//! PD's JSON of a region, clipped to the tenant. Fields that are not keys stay as they are, known
//! or not.

use mesh_keyspace::Keyspace;
use serde_json::{Map, Value, json};

use super::bounds::Range;
use super::problem::Problem;

/// What the tenant sees of a region; nothing for a region of others and for PD's `null`.
pub(super) fn clip(keyspace: &Keyspace, region: Value) -> Result<Option<Value>, Problem> {
    let mut region = match region {
        Value::Object(region) => region,
        Value::Null => return Ok(None),
        _ => return Err(Problem::bad_answer("a region that is no object")),
    };
    let physical = Range::of_json(&region).map_err(|_| Problem::bad_answer("a region's keys"))?;
    let Some(seen) = physical.clipped(keyspace)? else {
        return Ok(None);
    };
    clip_buckets(keyspace, &mut region)?;
    write(&mut region, "start_key", &seen.start);
    write(&mut region, "end_key", &seen.end);
    Ok(Some(Value::Object(region)))
}

/// Clips every region of a list in PD's form, drops those of others.
pub(super) fn clip_list(keyspace: &Keyspace, list: Value) -> Result<Value, Problem> {
    let mut seen = Vec::new();
    for region in into_regions(list)? {
        seen.extend(clip(keyspace, region)?);
    }
    Ok(as_list(seen))
}

/// The regions of a list in PD's form.
pub(super) fn into_regions(mut list: Value) -> Result<Vec<Value>, Problem> {
    match list.get_mut("regions").map(Value::take) {
        Some(Value::Array(regions)) => Ok(regions),
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(_) => Err(Problem::bad_answer("a list of regions")),
    }
}

/// A list in PD's form.
pub(super) fn as_list(regions: Vec<Value>) -> Value {
    json!({"count": regions.len(), "regions": regions})
}

/// Id of a region in PD's JSON.
pub(super) fn id(region: &Value) -> Option<u64> {
    region.get("id").and_then(Value::as_u64)
}

fn clip_buckets(keyspace: &Keyspace, region: &mut Map<String, Value>) -> Result<(), Problem> {
    let wrong = || Problem::bad_answer("a region's buckets");
    let Some(Value::Array(texts)) = region.get("buckets") else {
        return Ok(());
    };
    let mut keys = Vec::with_capacity(texts.len());
    for text in texts {
        keys.push(hex::decode(text.as_str().ok_or_else(wrong)?).map_err(|_| wrong())?);
    }
    let mut seen = Vec::new();
    keyspace
        .clip_buckets(keys, &mut seen)
        .map_err(|_| wrong())?;
    if seen.is_empty() {
        region.remove("buckets");
        return Ok(());
    }
    let seen: Vec<String> = seen.iter().map(hex::encode_upper).collect();
    region.insert("buckets".to_owned(), json!(seen));
    Ok(())
}

/// Writes a key in the case in which PD wrote the one that it replaces: clients compare digits.
fn write(region: &mut Map<String, Value>, field: &str, key: &[u8]) {
    let was = region
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default();
    let lower = was.bytes().any(|digit| digit.is_ascii_lowercase());
    let text = if lower {
        hex::encode(key)
    } else {
        hex::encode_upper(key)
    };
    region.insert(field.to_owned(), text.into());
}

#[cfg(test)]
mod tests {
    use mesh_keyspace::{Mode, TenantId, memcomparable};

    use super::*;

    fn keyspace(id: u32) -> Keyspace {
        let id = TenantId::new(Mode::Table, id).unwrap();
        Keyspace::new(Mode::Table, id).unwrap()
    }

    fn encoded(raw: &[u8]) -> String {
        let mut out = Vec::new();
        memcomparable::encode(raw, &mut out);
        hex::encode_upper(out)
    }

    /// `t` of a tenant's table.
    fn table(tag: u8, id: u8) -> Vec<u8> {
        vec![b't', 0x80, tag, 0, 0, 0, 0, 0, id]
    }

    fn region(id: u64, start: &str, end: &str) -> Value {
        json!({"id": id, "start_key": start, "end_key": end, "approximate_size": 9, "new": {"x": 1}})
    }

    #[test]
    fn own_regions_keep_all_but_their_keys() {
        let physical = region(3, &encoded(&table(1, 5)), &encoded(&table(1, 6)));
        let seen = clip(&keyspace(1), physical).unwrap().unwrap();
        assert_eq!(
            seen,
            region(3, &encoded(&table(0, 5)), &encoded(&table(0, 6)))
        );
    }

    #[test]
    fn bounds_outside_the_tenant_become_infinite() {
        let whole = clip(&keyspace(1), region(2, "", "")).unwrap().unwrap();
        assert_eq!(whole, region(2, "", ""));
        let last = region(4, &encoded(&table(1, 5)), &encoded(&table(2, 7)));
        let seen = clip(&keyspace(1), last).unwrap().unwrap();
        assert_eq!(seen, region(4, &encoded(&table(0, 5)), ""));
    }

    #[test]
    fn regions_of_others_vanish_and_the_count_with_them() {
        let own = region(3, &encoded(&table(1, 5)), &encoded(&table(1, 6)));
        let foreign = region(8, &encoded(&table(2, 5)), &encoded(&table(2, 6)));
        let list = as_list(vec![foreign, own]);
        let seen = clip_list(&keyspace(1), list).unwrap();
        assert_eq!(seen["count"], 1);
        assert_eq!(id(&seen["regions"][0]), Some(3));
        assert_eq!(
            clip_list(&keyspace(1), json!({"count": 0})).unwrap(),
            as_list(vec![])
        );
        assert_eq!(clip(&keyspace(1), Value::Null).unwrap(), None);
    }

    #[test]
    fn the_case_of_digits_is_kept() {
        let mut lower = region(3, &encoded(&table(1, 0xab)), "");
        lower["start_key"] = lower["start_key"].as_str().unwrap().to_lowercase().into();
        let seen = clip(&keyspace(1), lower).unwrap().unwrap();
        assert_eq!(seen["start_key"], encoded(&table(0, 0xab)).to_lowercase());
    }

    #[test]
    fn buckets_are_clipped_and_keep_the_regions_ends() {
        let mut physical = region(3, &encoded(&table(1, 5)), &encoded(&table(2, 6)));
        physical["buckets"] = json!([
            encoded(&table(1, 5)),
            encoded(&table(1, 7)),
            encoded(&table(2, 1)),
            encoded(&table(2, 6))
        ]);
        let seen = clip(&keyspace(1), physical).unwrap().unwrap();
        assert_eq!(
            seen["buckets"],
            json!([encoded(&table(0, 5)), encoded(&table(0, 7)), ""])
        );
    }

    #[test]
    fn what_is_no_region_is_a_bad_answer() {
        for wrong in [
            json!([]),
            json!({"id": 1, "start_key": "zz"}),
            json!({"start_key": 1}),
        ] {
            assert!(clip(&keyspace(1), wrong).is_err());
        }
    }
}
