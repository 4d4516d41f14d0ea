//! PD's members: one, the gateway, with what is true of the real leader.

use serde_json::{Value, json};

use super::allow::MembersCall;
use super::problem::Problem;
use super::{Answer, Visit};
use crate::tenant::Tenant;

const MEMBER_NAME: &str = "tidb-mesh";

pub(super) async fn serve(visit: &Visit<'_>, call: MembersCall) -> Answer {
    match call {
        MembersCall::All => {
            let real = visit.backend.get("/pd/api/v1/members").await?;
            all(visit.tenant, &real)
        }
        MembersCall::Leader => {
            let real = visit.backend.get("/pd/api/v1/leader").await?;
            member(visit.tenant, &real)
        }
        MembersCall::Health => {
            let real = visit.backend.get("/pd/api/v1/health").await?;
            Ok(health(visit.tenant, &real))
        }
    }
}

fn all(tenant: &Tenant, real: &Value) -> Answer {
    let none = || Problem::bad_answer("PD's members without a leader");
    let leader = real.get("leader").ok_or_else(none)?;
    let in_list = real
        .get("members")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    // The list's entry knows more than the leader's, its version among it.
    let same = in_list
        .into_iter()
        .find(|one| one.get("member_id") == leader.get("member_id"));
    let member = member(tenant, same.unwrap_or(leader))?;
    let cluster_id = real
        .pointer("/header/cluster_id")
        .cloned()
        .unwrap_or_default();
    Ok(json!({
        "header": {"cluster_id": cluster_id},
        "members": [member], "leader": member, "etcd_leader": member,
    }))
}

fn member(tenant: &Tenant, real: &Value) -> Answer {
    let id = real.get("member_id").and_then(Value::as_u64);
    let id = id.ok_or_else(|| Problem::bad_answer("a PD member without an id"))?;
    let url = tenant.pd_url();
    let mut member =
        json!({"name": MEMBER_NAME, "member_id": id, "peer_urls": [url], "client_urls": [url]});
    for field in ["binary_version", "git_hash"] {
        if let (Some(value), Some(member)) = (real.get(field), member.as_object_mut()) {
            member.insert(field.to_owned(), value.clone());
        }
    }
    Ok(member)
}

fn health(tenant: &Tenant, real: &Value) -> Value {
    let members = || real.as_array().into_iter().flatten();
    let healthy = |one: &&Value| one.get("health") == Some(&Value::Bool(true));
    let id = members()
        .find(healthy)
        .and_then(|one| one.get("member_id"))
        .cloned();
    json!([{
        "name": MEMBER_NAME, "member_id": id, "client_urls": [tenant.pd_url()],
        "health": members().any(|one| healthy(&one)),
    }])
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
            store_ports: Default::default(),
            state: mesh_tenants::State::Active,
            created_at: std::time::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_gateway_is_the_only_member() {
        let one = json!({"name": "pd1", "member_id": 7, "client_urls": ["http://10.0.0.5:2379"]});
        let listed = json!({
            "name": "pd1", "member_id": 7, "client_urls": ["http://10.0.0.5:2379"],
            "peer_urls": ["http://10.0.0.5:2380"], "deploy_path": "/data", "binary_version": "v8",
        });
        let real = json!({"header": {"cluster_id": 9}, "members": [listed], "leader": one});
        let seen = all(&tenant(), &real).unwrap();
        assert!(!seen.to_string().contains("10.0.0.5") && !seen.to_string().contains("/data"));
        assert_eq!(seen["members"].as_array().unwrap().len(), 1);
        assert_eq!(seen["leader"]["client_urls"][0], "http://gateway:20000");
        assert_eq!(seen["leader"]["binary_version"], "v8");
        assert_eq!(seen["header"]["cluster_id"], 9);
    }

    #[test]
    fn health_is_that_of_any_member() {
        let real = json!([
            {"name": "a", "member_id": 1, "client_urls": ["http://x"], "health": false},
            {"name": "b", "member_id": 2, "client_urls": ["http://y"], "health": true},
        ]);
        assert_eq!(
            health(&tenant(), &real),
            json!([{
                "name": "tidb-mesh", "member_id": 2,
                "client_urls": ["http://gateway:20000"], "health": true,
            }])
        );
        assert_eq!(health(&tenant(), &json!([]))[0]["health"], false);
    }
}
