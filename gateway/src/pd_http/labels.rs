//! Region label rules: TiDB's table attributes and its pauses of scheduling, in ranges and under
//! names of the tenant's own.

use http::Method;
use mesh_keyspace::Keyspace;
use serde_json::{Map, Value};

use super::allow::LabelsCall;
use super::bounds::Range;
use super::problem::Problem;
use super::query::escaped;
use super::rules::{list, object};
use super::scope::Scope;
use super::{Answer, Visit};

pub(super) const RULES: &str = "/pd/api/v1/config/region-label/rules";
const RULE: &str = "/pd/api/v1/config/region-label/rule";
const BY_IDS: &str = "/pd/api/v1/config/region-label/rules/ids";
/// The one type of rule that PD has: labels on key ranges.
const KEY_RANGE: &str = "key-range";

pub(super) async fn serve(visit: &Visit<'_>, call: LabelsCall) -> Answer {
    let map = LabelMap {
        scope: Scope::of(visit.tenant),
        keyspace: &visit.tenant.keyspace,
    };
    match call {
        LabelsCall::All => map.all_to_logical(visit.backend.get(RULES).await?),
        LabelsCall::ByIds => {
            let ids = map.ids(list(visit.json()?)?)?;
            // PD reads the ids from the body of a GET.
            let rules = visit.backend.send(Method::GET, BY_IDS, Some(&ids)).await?;
            map.all_to_logical(rules)
        }
        LabelsCall::One(id) => {
            let rule = visit.backend.get(&map.path(&id)?).await?;
            let own = map.to_logical(object(rule)?)?;
            own.ok_or_else(|| Problem::bad_answer("a label rule"))
        }
        LabelsCall::Set => {
            let rule = map.to_physical(object(visit.json()?)?)?;
            visit.backend.send(Method::POST, RULE, Some(&rule)).await
        }
        LabelsCall::Patch => {
            let patch = map.patch(object(visit.json()?)?)?;
            visit.backend.send(Method::PATCH, RULES, Some(&patch)).await
        }
        LabelsCall::Delete(id) => {
            visit
                .backend
                .send(Method::DELETE, &map.path(&id)?, None)
                .await
        }
    }
}

struct LabelMap<'a> {
    scope: Scope,
    keyspace: &'a Keyspace,
}

impl LabelMap<'_> {
    fn path(&self, id: &str) -> Result<String, Problem> {
        Ok(format!(
            "{RULE}/{}",
            escaped(self.scope.label(id)?.as_bytes())
        ))
    }

    fn ids(&self, ids: Vec<Value>) -> Answer {
        let own = |id: &Value| {
            let id = id
                .as_str()
                .ok_or_else(|| bad("a rule id is not a string"))?;
            Ok(Value::String(self.scope.label(id)?))
        };
        ids.iter()
            .map(own)
            .collect::<Result<_, Problem>>()
            .map(Value::Array)
    }

    fn patch(&self, patch: Map<String, Value>) -> Answer {
        let given = |name: &str| match patch.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(value) => list(value.clone()),
        };
        let mut sets = Vec::new();
        for rule in given("sets")? {
            sets.push(self.to_physical(object(rule)?)?);
        }
        let deletes = self.ids(given("deletes")?)?;
        Ok(serde_json::json!({"sets": sets, "deletes": deletes}))
    }

    fn to_physical(&self, mut rule: Map<String, Value>) -> Answer {
        let id = rule.get("id").and_then(Value::as_str).unwrap_or_default();
        let id = self.scope.label(id)?;
        if rule.get("rule_type").and_then(Value::as_str) != Some(KEY_RANGE) {
            return Err(bad("a label rule that is not of key ranges"));
        }
        let mut ranges = Vec::new();
        for range in ranges_of(&rule).map_err(|()| bad("a label rule without key ranges"))? {
            ranges.extend(range?.parts(self.keyspace)?);
        }
        if ranges.is_empty() {
            return Err(bad("a label rule's ranges hold nothing of the tenant"));
        }
        rule.insert("id".to_owned(), id.into());
        rule.insert("data".to_owned(), json_of(ranges));
        Ok(Value::Object(rule))
    }

    /// Nothing for others' rules. Ranges that meet are one: they were cut at the tenant's seam.
    fn to_logical(&self, mut rule: Map<String, Value>) -> Result<Option<Value>, Problem> {
        let wrong = || Problem::bad_answer("a label rule");
        let id = rule.get("id").and_then(Value::as_str).ok_or_else(wrong)?;
        let Some(id) = self.scope.own_label(id).map(str::to_owned) else {
            return Ok(None);
        };
        let mut seen: Vec<Range> = Vec::new();
        for range in ranges_of(&rule).map_err(|()| wrong())? {
            let range = range.map_err(|_| wrong())?;
            let Some(range) = range.clipped(self.keyspace)? else {
                continue;
            };
            match seen.last_mut() {
                Some(last) if !last.end.is_empty() && last.end == range.start => {
                    last.end = range.end;
                }
                _ => seen.push(range),
            }
        }
        rule.insert("id".to_owned(), id.into());
        rule.insert("data".to_owned(), json_of(seen));
        Ok(Some(Value::Object(rule)))
    }

    fn all_to_logical(&self, rules: Value) -> Answer {
        let mut own = Vec::new();
        if let Value::Array(rules) = rules {
            for rule in rules {
                let Value::Object(rule) = rule else {
                    return Err(Problem::bad_answer("a label rule"));
                };
                // PD's answer may hold rules of kinds that tenants don't have: not theirs anyway.
                own.extend(self.to_logical_if_own(rule)?);
            }
        }
        Ok(Value::Array(own))
    }

    fn to_logical_if_own(&self, rule: Map<String, Value>) -> Result<Option<Value>, Problem> {
        let id = rule.get("id").and_then(Value::as_str).unwrap_or_default();
        if self.scope.own_label(id).is_none() {
            return Ok(None);
        }
        self.to_logical(rule)
    }
}

/// The ranges of a rule.
fn ranges_of(
    rule: &Map<String, Value>,
) -> Result<impl Iterator<Item = Result<Range, Problem>>, ()> {
    let ranges = rule.get("data").and_then(Value::as_array).ok_or(())?;
    Ok(ranges.iter().map(|range| {
        let range = range
            .as_object()
            .ok_or_else(|| bad("a key range is not an object"))?;
        Range::of_json(range)
    }))
}

fn json_of(ranges: Vec<Range>) -> Value {
    let objects = ranges.into_iter().map(|range| {
        let mut object = Map::new();
        range.into_json(&mut object);
        Value::Object(object)
    });
    objects.collect()
}

fn bad(text: &str) -> Problem {
    Problem::BadRequest(text.to_owned())
}

#[cfg(test)]
mod tests {
    use mesh_keyspace::{Mode, TenantId};
    use serde_json::json;

    use super::*;
    use crate::tenant::Tenant;

    fn tenant(id: u32) -> Tenant {
        let id = TenantId::new(Mode::Table, id).unwrap();
        Tenant {
            name: "alpha".to_owned(),
            keyspace: Keyspace::new(Mode::Table, id).unwrap(),
            addresses: crate::tenant::Addresses::in_the_clear("gateway"),
            pd_port: 20000,
            store_ports: Default::default(),
            state: mesh_tenants::State::Active,
            created_at: std::time::UNIX_EPOCH,
        }
    }

    fn map(tenant: &Tenant) -> LabelMap<'_> {
        LabelMap {
            scope: Scope::of(tenant),
            keyspace: &tenant.keyspace,
        }
    }

    fn whole_tenant() -> Value {
        json!({
            "id": "schema/test", "index": 2, "rule_type": "key-range", "new": 1,
            "labels": [{"key": "schedule", "value": "deny", "ttl": "5m"}],
            "data": [{"start_key": "", "end_key": ""}],
        })
    }

    #[test]
    fn a_rule_is_cut_at_the_seam_and_comes_back_whole() {
        let tenant = tenant(1);
        let given = object(whole_tenant()).unwrap();
        let physical = map(&tenant).to_physical(given).unwrap();
        assert_eq!(physical["id"], "tidb-mesh-data/00000001/schema/test");
        assert_eq!(physical["data"].as_array().unwrap().len(), 2);
        for range in physical["data"].as_array().unwrap() {
            assert!(
                range["start_key"] != "" && range["end_key"] != "",
                "{range}"
            );
        }
        let rules = json!([physical, {"id": "keyspaces/1", "rule_type": "x"}]);
        assert_eq!(
            map(&tenant).all_to_logical(rules).unwrap(),
            json!([whole_tenant()])
        );
    }

    #[test]
    fn rules_of_others_are_not_seen() {
        let given = object(whole_tenant()).unwrap();
        let theirs = map(&tenant(2)).to_physical(given).unwrap();
        assert_eq!(
            map(&tenant(1)).all_to_logical(json!([theirs])).unwrap(),
            json!([])
        );
        assert_eq!(
            map(&tenant(1)).all_to_logical(Value::Null).unwrap(),
            json!([])
        );
    }

    #[test]
    fn a_patch_names_own_rules_only() {
        let patch = json!({"sets": null, "deletes": ["schema/test/t", "keyspaces/1"]});
        let patch = map(&tenant(1)).patch(object(patch).unwrap()).unwrap();
        assert_eq!(patch["sets"], json!([]));
        for id in patch["deletes"].as_array().unwrap() {
            assert!(id.as_str().unwrap().starts_with("tidb-mesh-data/00000001/"));
        }
    }

    #[test]
    fn what_has_no_range_of_the_tenant_is_refused() {
        let tenant = tenant(1);
        for (field, value) in [
            ("data", json!(null)),
            ("data", json!([])),
            ("data", json!([{"start_key": "zz", "end_key": ""}])),
            ("rule_type", json!("everything")),
            ("id", json!("")),
        ] {
            let mut rule = object(whole_tenant()).unwrap();
            rule.insert(field.to_owned(), value);
            assert!(map(&tenant).to_physical(rule).is_err(), "{field}");
        }
    }
}
