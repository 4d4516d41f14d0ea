//! Statistics of a range's regions, added up over the parts of the tenant that it touches.

use mesh_admin_client::DiskUse;
use mesh_keyspace::{Keyspace, memcomparable};
use serde_json::{Map, Value};

use super::backend::Backend;
use super::bounds::Range;
use super::problem::Problem;
use super::query::escaped;
use super::{Answer, Visit};

const MIB: u64 = 1024 * 1024;

pub(super) async fn serve(visit: &Visit<'_>) -> Answer {
    let range = Range {
        start: visit.query.key("start_key")?,
        end: visit.query.key("end_key")?,
    };
    let mut total = Value::Object(Map::new());
    for part in range.parts(&visit.tenant.keyspace)? {
        let (start, end) = (escaped(&part.start), escaped(&part.end));
        let options = options(visit);
        let path = format!("/pd/api/v1/stats/region?start_key={start}&end_key={end}{options}");
        add(&mut total, visit.backend.get(&path).await?)?;
    }
    Ok(total)
}

/// PD tells sizes in MiB, as its regions' leaders last reported them.
pub(super) async fn disk_use(backend: &Backend, keyspace: &Keyspace) -> Result<DiskUse, Problem> {
    let mut total = DiskUse::default();
    for range in keyspace.ranges() {
        let bound = |raw: &[u8]| {
            let mut encoded = Vec::new();
            memcomparable::encode(raw, &mut encoded);
            escaped(&encoded)
        };
        let (start, end) = (bound(range.start.as_slice()), bound(range.end.as_slice()));
        let path = format!("/pd/api/v1/stats/region?start_key={start}&end_key={end}");
        let part = backend.get(&path).await?;
        let number = |field: &str| part.get(field).and_then(Value::as_u64).unwrap_or(0);
        total.regions += number("count");
        total.keys += number("storage_keys");
        total.bytes += number("storage_size").saturating_mul(MIB);
    }
    Ok(total)
}

fn options(visit: &Visit<'_>) -> String {
    let flags = ["count", "use_hot"]
        .into_iter()
        .filter(|name| visit.query.has(name));
    let flags: String = flags.map(|name| format!("&{name}")).collect();
    format!("{flags}{}", visit.query.repeated("engine"))
}

/// Adds numbers field by field; an absent field is nought.
fn add(total: &mut Value, part: Value) -> Result<(), Problem> {
    match (&mut *total, part) {
        (_, Value::Null) => {}
        (Value::Null, part) => *total = part,
        (Value::Object(total), Value::Object(part)) => {
            for (field, value) in part {
                add(total.entry(field).or_insert(Value::Null), value)?;
            }
        }
        (Value::Number(sum), Value::Number(part)) => {
            *total = match (sum.as_i64(), part.as_i64()) {
                (Some(sum), Some(part)) => sum.saturating_add(part).into(),
                _ => (sum.as_f64().unwrap_or_default() + part.as_f64().unwrap_or_default()).into(),
            };
        }
        _ => return Err(Problem::bad_answer("region statistics")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_added_per_field_and_store() {
        let mut total = json!({});
        add(
            &mut total,
            json!({"count": 2, "store_peer_count": {"1": 2, "4": 1}, "x": null}),
        )
        .unwrap();
        add(
            &mut total,
            json!({"count": 3, "store_peer_count": {"1": 1}, "rate": 0.5}),
        )
        .unwrap();
        assert_eq!(
            total,
            json!({"count": 5, "store_peer_count": {"1": 3, "4": 1}, "x": null, "rate": 0.5})
        );
        assert!(add(&mut total, json!({"count": "many"})).is_err());
    }
}
