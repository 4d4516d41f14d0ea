//! Facts about the whole cluster that every tenant may know. Fields are copied by name.

use serde_json::{Map, Value};

use super::allow::ClusterCall;
use super::query::escaped;
use super::{Answer, Visit};

pub(super) async fn serve(visit: &Visit<'_>, call: ClusterCall) -> Answer {
    let (path, fields): (String, &[&str]) = match call {
        ClusterCall::Version => (
            "/pd/api/v1/version".into(),
            &["version", "build_time", "hash", "branch"],
        ),
        ClusterCall::Status => (
            "/pd/api/v1/status".into(),
            &["build_ts", "version", "git_hash", "start_timestamp"],
        ),
        ClusterCall::Cluster => ("/pd/api/v1/cluster".into(), &["id", "max_peer_count"]),
        ClusterCall::ClusterStatus => (
            "/pd/api/v1/cluster/status".into(),
            &[
                "raft_bootstrap_time",
                "is_initialized",
                "replication_status",
            ],
        ),
        ClusterCall::MinResolved => {
            let scope = escaped(visit.query.bytes("scope"));
            (
                format!("/pd/api/v1/min-resolved-ts?scope={scope}"),
                &MIN_RESOLVED,
            )
        }
        ClusterCall::MinResolvedOfStore(id) => {
            (format!("/pd/api/v1/min-resolved-ts/{id}"), &MIN_RESOLVED)
        }
    };
    Ok(only(fields, &visit.backend.get(&path).await?))
}

/// The minimum over all tenants is lower than a tenant's own: reads that go by it stay right.
const MIN_RESOLVED: [&str; 4] = [
    "is_real_time",
    "min_resolved_ts",
    "persist_interval",
    "stores_min_resolved_ts",
];

fn only(fields: &[&str], answer: &Value) -> Value {
    let kept = fields.iter().filter_map(|field| {
        answer
            .get(*field)
            .map(|value| ((*field).to_owned(), value.clone()))
    });
    Value::Object(kept.collect::<Map<_, _>>())
}
