//! Hot regions. PD's lists hold all tenants' region ids and loads per store; a tenant gets its own
//! regions and sums of those.

use std::collections::HashSet;

use http::Method;
use serde_json::{Value, json};

use super::allow::HotspotCall;
use super::bounds::Range;
use super::{Answer, Visit, region_json};

pub(super) async fn serve(visit: &Visit<'_>, call: HotspotCall) -> Answer {
    match call {
        HotspotCall::Read => current(visit, "/pd/api/v1/hotspot/regions/read").await,
        HotspotCall::Write => current(visit, "/pd/api/v1/hotspot/regions/write").await,
        HotspotCall::History => history(visit).await,
    }
}

async fn current(visit: &Visit<'_>, path: &str) -> Answer {
    let hot = visit.backend.get(path).await?;
    let regions = visit.scan(&Range::everything(), None).await?;
    let own: HashSet<u64> = regions.iter().filter_map(region_json::id).collect();
    let of_role = |role: &str| {
        let stores = hot
            .get(role)
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        let stores = stores.map(|(store, stats)| (store.clone(), own_stats(stats, &own)));
        Value::Object(stores.collect())
    };
    Ok(json!({"as_peer": of_role("as_peer"), "as_leader": of_role("as_leader")}))
}

/// A store's part of the list, with sums over what is left of it: what the store does for others
/// is not shown.
fn own_stats(stats: &Value, own: &HashSet<u64>) -> Value {
    let all = stats
        .get("statistics")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let left: Vec<&Value> = all
        .filter(|hot| {
            let id = hot.get("region_id").and_then(Value::as_u64);
            id.is_some_and(|id| own.contains(&id))
        })
        .collect();
    let sum = |field: &str| -> f64 {
        left.iter()
            .filter_map(|hot| hot.get(field).and_then(Value::as_f64))
            .sum()
    };
    let (bytes, keys, queries) = (sum("flow_bytes"), sum("flow_keys"), sum("flow_query"));
    json!({
        "store_bytes": bytes, "store_keys": keys, "store_query": queries,
        "total_flow_bytes": bytes, "total_flow_keys": keys, "total_flow_query": queries,
        "regions_count": left.len(), "statistics": left,
    })
}

/// The request names times, ids and roles, no keys. An entry carries the keys that its region had
/// then.
async fn history(visit: &Visit<'_>) -> Answer {
    let asked = visit.json()?;
    let path = "/pd/api/v1/hotspot/regions/history";
    let mut answer = visit.backend.send(Method::GET, path, Some(&asked)).await?;
    let entries = answer.get_mut("history_hot_region").map(Value::take);
    let mut own = Vec::new();
    if let Some(Value::Array(entries)) = entries {
        for entry in entries {
            own.extend(region_json::clip(&visit.tenant.keyspace, entry)?);
        }
    }
    Ok(json!({"history_hot_region": own}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_regions_count() {
        let stats = json!({
            "store_bytes": 1e9, "total_flow_bytes": 300.0, "regions_count": 2,
            "statistics": [
                {"region_id": 3, "flow_bytes": 100.0, "flow_keys": 1.0, "flow_query": 2.0},
                {"region_id": 8, "flow_bytes": 200.0, "flow_keys": 1.0, "flow_query": 2.0},
            ],
        });
        let own = own_stats(&stats, &HashSet::from([3]));
        assert_eq!(own["regions_count"], 1);
        assert_eq!(
            (own["store_bytes"].as_f64(), own["total_flow_keys"].as_f64()),
            (Some(100.0), Some(1.0))
        );
        assert_eq!(own["statistics"][0]["region_id"], 3);
        assert_eq!(
            own_stats(&json!({"statistics": null}), &HashSet::new())["regions_count"],
            0
        );
    }
}
