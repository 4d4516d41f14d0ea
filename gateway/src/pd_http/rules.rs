//! Placement rules and rule groups, under names and in ranges of the tenant's own.
//!
//! A rule is always set by a batch that first deletes it under each of its names, because its
//! range may have crossed the seam before and no more, or the other way round.

use http::Method;
use serde_json::{Map, Value};

use super::allow::RulesCall;
use super::problem::Problem;
use super::query::escaped;
use super::rule_json::RuleMap;
use super::scope::Scope;
use super::{Answer, Visit};

const RULES: &str = "/pd/api/v1/config/rules";
const BATCH: &str = "/pd/api/v1/config/rules/batch";
const GROUP: &str = "/pd/api/v1/config/rule_group";

pub(super) async fn serve(visit: &Visit<'_>, call: RulesCall) -> Answer {
    match call {
        RulesCall::All => visit.rules_at(RULES).await,
        RulesCall::OfGroup(group) => visit.rules_of(&group).await,
        RulesCall::One(group, id) => visit.rule(&group, &id).await,
        RulesCall::Set => {
            let operations = visit.rule_map().replacements(&visit.json()?)?;
            visit.batch(operations, "Update rule successfully.").await
        }
        RulesCall::SetMany => {
            let mut operations = Vec::new();
            for rule in &list(visit.json()?)? {
                operations.extend(visit.rule_map().replacements(rule)?);
            }
            visit.batch(operations, "Update rules successfully.").await
        }
        RulesCall::Batch => {
            let operations = batch_of(&visit.rule_map(), &list(visit.json()?)?)?;
            visit
                .batch(operations, "Batch operations successfully.")
                .await
        }
        RulesCall::Delete(group, id) => {
            let operations = visit.rule_map().deletions(&group, &id)?;
            visit.batch(operations, "Delete rule successfully.").await
        }
        RulesCall::Groups => visit.groups().await,
        RulesCall::Group(id) => visit.group(&id).await,
        RulesCall::SetGroup => visit.set_group().await,
        RulesCall::DeleteGroup(id) => {
            let path = visit.path_of_group(GROUP, &id)?;
            visit.backend.send(Method::DELETE, &path, None).await
        }
    }
}

impl Visit<'_> {
    pub(super) fn rule_map(&self) -> RuleMap<'_> {
        RuleMap {
            scope: Scope::of(self.tenant),
            keyspace: &self.tenant.keyspace,
        }
    }

    /// `<root>/<PD's name of the group>`.
    pub(super) fn path_of_group(&self, root: &str, group: &str) -> Result<String, Problem> {
        let group = Scope::of(self.tenant).group(group)?;
        Ok(format!("{root}/{}", escaped(group.as_bytes())))
    }

    async fn rules_at(&self, path: &str) -> Answer {
        self.rule_map().to_logical(&self.backend.get(path).await?)
    }

    async fn rules_of(&self, group: &str) -> Answer {
        let path = self.path_of_group("/pd/api/v1/config/rules/group", group)?;
        self.rules_at(&path).await
    }

    /// Looked up in its group, where both halves of it are.
    async fn rule(&self, group: &str, id: &str) -> Answer {
        let rules = self.rules_of(group).await?;
        let mut rules = rules.as_array().into_iter().flatten();
        let found = rules.find(|rule| rule.get("id").and_then(Value::as_str) == Some(id));
        found
            .cloned()
            .ok_or_else(|| Problem::NotFound("rule not found".to_owned()))
    }

    async fn batch(&self, operations: Vec<Value>, done: &str) -> Answer {
        self.backend
            .send(Method::POST, BATCH, Some(&Value::Array(operations)))
            .await?;
        Ok(done.into())
    }

    async fn groups(&self) -> Answer {
        let groups = self.backend.get("/pd/api/v1/config/rule_groups").await?;
        let scope = Scope::of(self.tenant);
        let groups = groups.as_array().into_iter().flatten();
        Ok(groups
            .filter_map(|group| own_group(&scope, group))
            .collect())
    }

    async fn group(&self, id: &str) -> Answer {
        let group = self.backend.get(&self.path_of_group(GROUP, id)?).await?;
        own_group(&Scope::of(self.tenant), &group)
            .ok_or_else(|| Problem::bad_answer("a rule group"))
    }

    async fn set_group(&self) -> Answer {
        let mut group = object(self.json()?)?;
        let id = group.get("id").and_then(Value::as_str).unwrap_or_default();
        let id = Scope::of(self.tenant).group(id)?;
        group.insert("id".to_owned(), id.into());
        self.backend
            .send(Method::POST, GROUP, Some(&Value::Object(group)))
            .await
    }
}

fn own_group(scope: &Scope, group: &Value) -> Option<Value> {
    let mut group = group.as_object()?.clone();
    let id = scope.own_group(group.get("id")?.as_str()?)?.to_owned();
    group.insert("id".to_owned(), id.into());
    Some(Value::Object(group))
}

/// A tenant's batch in PD's names. Deleting by a prefix of the id catches halves by itself.
fn batch_of(map: &RuleMap<'_>, batch: &[Value]) -> Result<Vec<Value>, Problem> {
    let mut operations = Vec::new();
    for operation in batch {
        let field = |name: &str| {
            operation
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let by_prefix = operation.get("delete_by_id_prefix") == Some(&Value::Bool(true));
        match (field("action"), by_prefix) {
            ("add", _) => operations.extend(map.replacements(operation)?),
            ("del", false) => operations.extend(map.deletions(field("group_id"), field("id"))?),
            ("del", true) => {
                let group = map.scope.group(field("group_id"))?;
                operations.push(serde_json::json!({
                    "action": "del", "group_id": group, "id": field("id"),
                    "delete_by_id_prefix": true,
                }));
            }
            _ => {
                return Err(Problem::BadRequest(
                    "a batch has an unknown action".to_owned(),
                ));
            }
        }
    }
    Ok(operations)
}

pub(super) fn list(value: Value) -> Result<Vec<Value>, Problem> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(Problem::BadRequest("body is not a list".to_owned())),
    }
}

pub(super) fn object(value: Value) -> Result<Map<String, Value>, Problem> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::BadRequest("body is not an object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use mesh_keyspace::{Keyspace, Mode, TenantId};
    use serde_json::json;

    use super::*;
    use crate::tenant::Tenant;

    #[test]
    fn every_operation_of_a_batch_stays_in_the_tenants_groups() {
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
        let batch = [
            json!({"action": "add", "group_id": "tiflash", "id": "a", "start_key": "", "end_key": ""}),
            json!({"action": "del", "group_id": "tiflash", "id": "b"}),
            json!({"action": "del", "group_id": "pd", "id": "", "delete_by_id_prefix": true}),
        ];
        let operations = batch_of(&map, &batch).unwrap();
        assert_eq!(operations.len(), 5 + 3 + 1);
        for operation in &operations {
            let group = operation["group_id"].as_str().unwrap();
            assert!(group.starts_with("tidb-mesh-data:00000001:"), "{operation}");
        }
        assert!(batch_of(&map, &[json!({"action": "swap"})]).is_err());
        assert!(batch_of(&map, &[json!({"action": "del", "id": "x"})]).is_err());
    }
}
