//! PD's configuration, for reading: how it schedules and replicates, not where it runs.

use serde_json::{Map, Value};

use super::allow::ConfigSection;
use super::{Answer, Visit};

/// Sections of the configuration without addresses, paths and names of files.
const SECTIONS: [&str; 4] = ["schedule", "replication", "pd-server", "replication-mode"];
/// Single settings of the top level.
const SETTINGS: [&str; 6] = [
    "cluster-version",
    "lease",
    "tso-save-interval",
    "tso-update-physical-interval",
    "quota-backend-bytes",
    "max-request-bytes",
];
/// What of those sections tells of other tenants or of machines.
const HIDDEN: [&str; 4] = [
    "metric-storage",
    "dashboard-address",
    "schedulers-v2",
    "schedulers-payload",
];

pub(super) async fn serve(visit: &Visit<'_>, section: ConfigSection) -> Answer {
    let path = match section {
        ConfigSection::Whole => {
            return Ok(whole(&visit.backend.get("/pd/api/v1/config").await?));
        }
        ConfigSection::Schedule => "/pd/api/v1/config/schedule",
        ConfigSection::PdServer => "/pd/api/v1/config/pd-server",
        ConfigSection::Replicate => "/pd/api/v1/config/replicate",
        ConfigSection::ClusterVersion => "/pd/api/v1/config/cluster-version",
    };
    Ok(harmless(&visit.backend.get(path).await?).unwrap_or_default())
}

fn whole(config: &Value) -> Value {
    let shown = SECTIONS
        .iter()
        .chain(&SETTINGS)
        .filter_map(|name| Some(((*name).to_owned(), harmless(config.get(*name)?)?)));
    Value::Object(shown.collect::<Map<_, _>>())
}

/// A setting without its hidden parts and without anything that reads like an address or a path.
fn harmless(setting: &Value) -> Option<Value> {
    match setting {
        Value::Object(fields) => {
            let shown = fields
                .iter()
                .filter(|(name, _)| !HIDDEN.contains(&name.as_str()));
            let shown = shown.filter_map(|(name, value)| Some((name.clone(), harmless(value)?)));
            Some(Value::Object(shown.collect()))
        }
        Value::Array(items) => Some(items.iter().filter_map(harmless).collect()),
        Value::String(text) if text.contains(['/', ':', '\\', '@']) => None,
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_listed_and_harmless_is_shown() {
        let config = json!({
            "client-urls": "http://10.0.0.5:2379", "data-dir": "/data", "name": "pd1",
            "security": {"cacert-path": "/ca"}, "lease": 3, "cluster-version": "8.0.0",
            "schedule": {
                "max-snapshot-count": 64, "max-store-down-time": "30m0s",
                "schedulers-v2": [{"type": "scatter-range", "args": ["t"]}],
            },
            "replication": {"max-replicas": 3, "location-labels": ["zone"]},
            "pd-server": {
                "metric-storage": "http://10.0.0.6:9090", "dashboard-address": "auto",
                "key-type": "table", "some-new-address": "10.0.0.7:1",
            },
        });
        assert_eq!(
            whole(&config),
            json!({
                "lease": 3, "cluster-version": "8.0.0",
                "schedule": {"max-snapshot-count": 64, "max-store-down-time": "30m0s"},
                "replication": {"max-replicas": 3, "location-labels": ["zone"]},
                "pd-server": {"key-type": "table"},
            })
        );
    }
}
