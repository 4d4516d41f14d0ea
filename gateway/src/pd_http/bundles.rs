//! Bundles: a rule group together with its rules, as TiDB writes them for placement policies.
//!
//! TiDB's cluster-wide bundles (`TiDB_GLOBAL`, `TiDB_META`) get the tenant's bounds like any
//! other, so what is cluster-wide to a tenant ends at its ranges.

use http::Method;
use serde_json::{Map, Value};

use super::allow::BundlesCall;
use super::problem::Problem;
use super::rule_json::RuleMap;
use super::rules::{list, object};
use super::{Answer, Visit};

pub(super) const BUNDLES: &str = "/pd/api/v1/config/placement-rule";

pub(super) async fn serve(visit: &Visit<'_>, call: BundlesCall) -> Answer {
    match call {
        BundlesCall::All => all(visit).await,
        BundlesCall::SetAll => set_all(visit).await,
        BundlesCall::One(group) => {
            let bundle = visit
                .backend
                .get(&visit.path_of_group(BUNDLES, &group)?)
                .await?;
            let own = to_logical(&visit.rule_map(), &bundle)?;
            own.ok_or_else(|| Problem::bad_answer("a rule bundle"))
        }
        BundlesCall::Set(group) => {
            let bundle = to_physical(&visit.rule_map(), object(visit.json()?)?, Some(&group))?;
            let path = visit.path_of_group(BUNDLES, &group)?;
            visit.backend.send(Method::POST, &path, Some(&bundle)).await
        }
        BundlesCall::Delete(group) => {
            if visit.query.has("regexp") {
                return Err(Problem::Refused(
                    "deleting rule groups by an expression".to_owned(),
                ));
            }
            let path = visit.path_of_group(BUNDLES, &group)?;
            visit.backend.send(Method::DELETE, &path, None).await
        }
    }
}

async fn all(visit: &Visit<'_>) -> Answer {
    let bundles = visit.backend.get(BUNDLES).await?;
    let map = visit.rule_map();
    let mut own = Vec::new();
    for bundle in bundles.as_array().into_iter().flatten() {
        own.extend(to_logical(&map, bundle)?);
    }
    Ok(Value::Array(own))
}

/// Without `partial` PD would replace all bundles of all tenants.
async fn set_all(visit: &Visit<'_>) -> Answer {
    if !visit.query.has("partial") || visit.query.text("partial") == "false" {
        return Err(Problem::Refused(
            "replacing all placement rules of the cluster".to_owned(),
        ));
    }
    let map = visit.rule_map();
    let mut bundles = Vec::new();
    for bundle in list(visit.json()?)? {
        bundles.push(to_physical(&map, object(bundle)?, None)?);
    }
    let path = format!("{BUNDLES}?partial=true");
    visit
        .backend
        .send(Method::POST, &path, Some(&Value::Array(bundles)))
        .await
}

fn to_physical(
    map: &RuleMap<'_>,
    mut bundle: Map<String, Value>,
    group: Option<&str>,
) -> Result<Value, Problem> {
    let named = bundle
        .get("group_id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let id = match group {
        Some(group) if named.is_empty() || named == group => group,
        Some(_) => {
            return Err(Problem::BadRequest(
                "group id does not match the path".to_owned(),
            ));
        }
        None => &named,
    };
    let mut rules = Vec::new();
    let given = bundle
        .get("rules")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for rule in given {
        rules.extend(map.to_physical(rule, Some(id))?);
    }
    bundle.insert("group_id".to_owned(), map.scope.group(id)?.into());
    bundle.insert("rules".to_owned(), Value::Array(rules));
    Ok(Value::Object(bundle))
}

fn to_logical(map: &RuleMap<'_>, bundle: &Value) -> Result<Option<Value>, Problem> {
    let wrong = || Problem::bad_answer("a rule bundle");
    let mut bundle = bundle.as_object().ok_or_else(wrong)?.clone();
    let name = bundle
        .get("group_id")
        .and_then(Value::as_str)
        .ok_or_else(wrong)?;
    let Some(own) = map.scope.own_group(name).map(str::to_owned) else {
        return Ok(None);
    };
    let rules = bundle.get("rules").cloned().unwrap_or_default();
    bundle.insert("group_id".to_owned(), own.into());
    bundle.insert("rules".to_owned(), map.to_logical(&rules)?);
    Ok(Some(Value::Object(bundle)))
}

#[cfg(test)]
mod tests {
    use mesh_keyspace::{Keyspace, Mode, TenantId};
    use serde_json::json;

    use super::*;
    use crate::pd_http::scope::Scope;
    use crate::tenant::Tenant;

    #[test]
    fn bundles_come_back_and_others_do_not() {
        let id = TenantId::new(Mode::Table, 1).unwrap();
        let tenant = Tenant {
            name: "alpha".to_owned(),
            keyspace: Keyspace::new(Mode::Table, id).unwrap(),
            addresses: crate::tenant::Addresses::in_the_clear("gateway"),
            pd_port: 20000,
            store_ports: Default::default(),
            state: mesh_tenants::State::Active,
            created_at: std::time::UNIX_EPOCH,
        };
        let map = RuleMap {
            scope: Scope::of(&tenant),
            keyspace: &tenant.keyspace,
        };
        let given = json!({
            "group_id": "TiDB_GLOBAL", "group_index": 20, "group_override": true,
            "rules": [{"group_id": "TiDB_GLOBAL", "id": "r", "start_key": "", "end_key": ""}],
        });
        let physical = to_physical(&map, object(given.clone()).unwrap(), None).unwrap();
        assert_eq!(physical["group_id"], "tidb-mesh-data:00000001:TiDB_GLOBAL");
        assert_eq!(physical["rules"].as_array().unwrap().len(), 2);
        assert_eq!(to_logical(&map, &physical).unwrap(), Some(given.clone()));
        assert_eq!(
            to_logical(&map, &json!({"group_id": "pd", "rules": []})).unwrap(),
            None
        );
        assert!(to_physical(&map, object(given).unwrap(), Some("TiDB_META")).is_err());
    }
}
