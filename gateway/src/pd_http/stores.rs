//! Stores under the gateway's addresses. Fields are copied by name: a field that PD adds could
//! hold an address.

use serde_json::{Map, Value, json};

use super::allow::StoresCall;
use super::problem::Problem;
use super::{Answer, Visit};
use crate::tenant::Tenant;

/// Fields of a store that hold no address and no path.
const PASSED: [&str; 10] = [
    "id",
    "state",
    "labels",
    "version",
    "git_hash",
    "start_timestamp",
    "last_heartbeat",
    "physically_destroyed",
    "node_state",
    "state_name",
];

pub(super) async fn serve(visit: &Visit<'_>, call: StoresCall) -> Answer {
    match call {
        StoresCall::All => all(visit).await,
        StoresCall::One(id) => {
            let store = visit.backend.get(&format!("/pd/api/v1/store/{id}")).await?;
            seen(visit.tenant, &store)
                .ok_or_else(|| Problem::NotFound(format!("store {id} not found")))
        }
    }
}

async fn all(visit: &Visit<'_>) -> Answer {
    let states = visit.query.repeated("state");
    let list = visit
        .backend
        .get(&format!("/pd/api/v1/stores?{states}"))
        .await?;
    let stores = list
        .get("stores")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let stores: Vec<Value> = stores
        .filter_map(|store| seen(visit.tenant, store))
        .collect();
    Ok(json!({"count": stores.len(), "stores": stores}))
}

/// A store as the tenant sees it: none that has no address here, no TiFlash, which would look for
/// schemas and tables under other ids than its keys have.
fn seen(tenant: &Tenant, info: &Value) -> Option<Value> {
    let real = info.get("store")?.as_object()?;
    if is_tiflash(real) {
        return None;
    }
    let address = tenant.store_address(real.get("id")?.as_u64()?)?;
    let passed = PASSED.iter().filter_map(|field| {
        real.get(*field)
            .map(|value| ((*field).to_owned(), value.clone()))
    });
    let mut store: Map<String, Value> = passed.collect();
    store.insert("address".to_owned(), address.clone().into());
    store.insert("peer_address".to_owned(), address.clone().into());
    // The store's HTTP port is not the tenant's: it tells and changes everybody's settings. Our own
    // address refuses HTTP.
    store.insert("status_address".to_owned(), address.into());
    Some(json!({"store": store, "status": info.get("status").cloned().unwrap_or_default()}))
}

fn is_tiflash(store: &Map<String, Value>) -> bool {
    let labels = store
        .get("labels")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    labels.into_iter().any(|label| {
        let is = |field: &str, begins: &str| {
            label
                .get(field)
                .and_then(Value::as_str)
                .is_some_and(|text| text.starts_with(begins))
        };
        is("key", "engine") && is("value", "tiflash")
    })
}

#[cfg(test)]
mod tests {
    use mesh_keyspace::{Keyspace, Mode, TenantId};

    use super::*;

    fn tenant() -> Tenant {
        let id = TenantId::new(Mode::Table, 1).unwrap();
        Tenant {
            name: "alpha".to_owned(),
            keyspace: Keyspace::new(Mode::Table, id).unwrap(),
            addresses: crate::tenant::Addresses::in_the_clear("gateway"),
            pd_port: 20000,
            store_ports: [(1, 20001)].into(),
            state: mesh_tenants::State::Active,
            created_at: std::time::UNIX_EPOCH,
        }
    }

    #[test]
    fn addresses_are_the_gateways_and_nothing_else_leaks() {
        let real = json!({
            "store": {
                "id": 1, "address": "10.0.0.5:20160", "peer_address": "10.0.0.5:20161",
                "status_address": "10.0.0.5:20180", "deploy_path": "/data", "version": "9.0.0",
                "state_name": "Up", "some_new_address": "10.0.0.5:1",
            },
            "status": {"capacity": "1TiB"},
        });
        let seen = seen(&tenant(), &real).unwrap();
        assert!(!seen.to_string().contains("10.0.0.5"));
        assert_eq!(seen["store"]["address"], "gateway:20001");
        assert_eq!(seen["store"]["version"], "9.0.0");
        assert_eq!(seen["status"]["capacity"], "1TiB");
    }

    #[test]
    fn stores_without_an_address_here_and_tiflash_are_hidden() {
        assert_eq!(seen(&tenant(), &json!({"store": {"id": 2}})), None);
        let labels = json!([{"key": "engine", "value": "tiflash_compute"}]);
        assert_eq!(
            seen(&tenant(), &json!({"store": {"id": 1, "labels": labels}})),
            None
        );
    }
}
