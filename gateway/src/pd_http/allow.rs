//! The closed table: every call of PD's HTTP API that a tenant may make. What is not here is
//! never sent to PD.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::query::unescaped;

/// A call that is answered.
#[derive(Debug, PartialEq)]
pub(super) enum Route {
    Members(MembersCall),
    Cluster(ClusterCall),
    Config(ConfigSection),
    Stores(StoresCall),
    Regions(RegionsCall),
    Stats,
    Hotspot(HotspotCall),
    Rules(RulesCall),
    Bundles(BundlesCall),
    Labels(LabelsCall),
    /// The same answer for everybody.
    Fixed(Value),
    /// Known, and not a tenant's to do.
    Refused(&'static str),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum MembersCall {
    All,
    Leader,
    Health,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClusterCall {
    Version,
    Status,
    Cluster,
    ClusterStatus,
    MinResolved,
    MinResolvedOfStore(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ConfigSection {
    Whole,
    Schedule,
    PdServer,
    Replicate,
    ClusterVersion,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum StoresCall {
    All,
    One(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum RegionsCall {
    ById(String),
    /// The key as it stands in the path, unescaped.
    ByKey(Vec<u8>),
    All,
    Scan,
    Count,
    OfStore(String),
    Check(&'static str),
    Siblings(String),
    Replicated,
    Accelerate,
    AccelerateBatch,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum HotspotCall {
    Read,
    Write,
    History,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum RulesCall {
    All,
    OfGroup(String),
    One(String, String),
    Set,
    SetMany,
    Batch,
    Delete(String, String),
    Groups,
    Group(String),
    SetGroup,
    DeleteGroup(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum BundlesCall {
    All,
    SetAll,
    One(String),
    Set(String),
    Delete(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LabelsCall {
    All,
    ByIds,
    One(String),
    Set,
    Patch,
    Delete(String),
}

/// The row of a call, if it has one.
pub(super) fn route(method: &Method, path: &str) -> Option<Route> {
    let segments: Vec<&str> = path.split('/').collect();
    match (segments.as_slice(), method.as_str()) {
        (["", "pd", "api", "v1", "config", rest @ ..], method) => config(method, rest),
        (["", "pd", "api", "v1", rest @ ..], "GET") => read(rest),
        (["", "pd", "api", "v1", rest @ ..], method) => write(method, rest),
        (["", "pd", "api", "v2", "ms", "members", _], "GET") => Some(Route::Fixed(json!([]))),
        (["", "pd", "api", "v2", "ms", "primary", _], "GET") => Some(Route::Fixed(json!(""))),
        _ => None,
    }
}

fn read(path: &[&str]) -> Option<Route> {
    Some(match path {
        ["members"] => Route::Members(MembersCall::All),
        ["leader"] => Route::Members(MembersCall::Leader),
        ["health"] => Route::Members(MembersCall::Health),
        ["ping"] => Route::Fixed(Value::Null),
        ["version"] => Route::Cluster(ClusterCall::Version),
        ["status"] => Route::Cluster(ClusterCall::Status),
        ["cluster"] => Route::Cluster(ClusterCall::Cluster),
        ["cluster", "status"] => Route::Cluster(ClusterCall::ClusterStatus),
        ["min-resolved-ts"] => Route::Cluster(ClusterCall::MinResolved),
        ["min-resolved-ts", id] => Route::Cluster(ClusterCall::MinResolvedOfStore(number(id)?)),
        ["stores"] => Route::Stores(StoresCall::All),
        ["store", id] => Route::Stores(StoresCall::One(number(id)?)),
        ["region", "id", id] => Route::Regions(RegionsCall::ById(number(id)?)),
        ["region", "key", key] => Route::Regions(RegionsCall::ByKey(unescaped(key))),
        ["regions", rest @ ..] => return regions(rest).map(Route::Regions),
        ["stats", "region"] => Route::Stats,
        ["hotspot", "regions", "read"] => Route::Hotspot(HotspotCall::Read),
        ["hotspot", "regions", "write"] => Route::Hotspot(HotspotCall::Write),
        ["hotspot", "regions", "history"] => Route::Hotspot(HotspotCall::History),
        // What PD schedules is the cluster's business; no tenant has a scheduler of its own.
        ["schedulers"] => Route::Fixed(json!([])),
        ["gc", "safepoint"] => Route::Refused("safe points of other tenants are in it"),
        _ => return None,
    })
}

fn regions(path: &[&str]) -> Option<RegionsCall> {
    Some(match path {
        [] => RegionsCall::All,
        ["key"] => RegionsCall::Scan,
        ["count"] => RegionsCall::Count,
        ["store", id] => RegionsCall::OfStore(number(id)?),
        ["sibling", id] => RegionsCall::Siblings(number(id)?),
        ["replicated"] => RegionsCall::Replicated,
        ["check", "miss-peer"] => RegionsCall::Check("miss-peer"),
        ["check", "extra-peer"] => RegionsCall::Check("extra-peer"),
        ["check", "pending-peer"] => RegionsCall::Check("pending-peer"),
        ["check", "down-peer"] => RegionsCall::Check("down-peer"),
        ["check", "learner-peer"] => RegionsCall::Check("learner-peer"),
        ["check", "offline-peer"] => RegionsCall::Check("offline-peer"),
        ["check", "empty-region"] => RegionsCall::Check("empty-region"),
        ["check", "oversized-region"] => RegionsCall::Check("oversized-region"),
        ["check", "undersized-region"] => RegionsCall::Check("undersized-region"),
        _ => return None,
    })
}

fn write(method: &str, path: &[&str]) -> Option<Route> {
    Some(match (method, path) {
        ("POST", ["regions", "accelerate-schedule"]) => Route::Regions(RegionsCall::Accelerate),
        ("POST", ["regions", "accelerate-schedule", "batch"]) => {
            Route::Regions(RegionsCall::AccelerateBatch)
        }
        (_, ["schedulers", ..]) => Route::Refused("schedulers move every tenant's regions"),
        (_, ["stores" | "store", ..]) => Route::Refused("stores belong to all tenants"),
        (_, ["admin" | "operators" | "members" | "leader", ..]) => {
            Route::Refused("it administers the whole storage cluster")
        }
        (_, ["gc", ..]) => Route::Refused("safe points hold back every tenant"),
        _ => return None,
    })
}

fn config(method: &str, path: &[&str]) -> Option<Route> {
    if let Some(rest) = path.strip_prefix(&["region-label"]) {
        return labels(method, rest).map(Route::Labels);
    }
    if let Some(rest) = path.strip_prefix(&["placement-rule"]) {
        return bundles(method, rest).map(Route::Bundles);
    }
    if path.first().is_some_and(|first| first.starts_with("rule")) {
        return rules(method, path).map(Route::Rules);
    }
    Some(match (method, path) {
        ("GET", []) => Route::Config(ConfigSection::Whole),
        ("GET", ["schedule"]) => Route::Config(ConfigSection::Schedule),
        ("GET", ["pd-server"]) => Route::Config(ConfigSection::PdServer),
        ("GET", ["replicate"]) => Route::Config(ConfigSection::Replicate),
        ("GET", ["cluster-version"]) => Route::Config(ConfigSection::ClusterVersion),
        ("GET", _) => return None,
        _ => Route::Refused("PD's configuration belongs to all tenants"),
    })
}

fn rules(method: &str, path: &[&str]) -> Option<RulesCall> {
    Some(match (method, path) {
        ("GET", ["rules"]) => RulesCall::All,
        ("POST", ["rules"]) => RulesCall::SetMany,
        ("POST", ["rules", "batch"]) => RulesCall::Batch,
        ("GET", ["rules", "group", group]) => RulesCall::OfGroup(text(group)?),
        ("POST", ["rule"]) => RulesCall::Set,
        ("GET", ["rule", group, id]) => RulesCall::One(text(group)?, text(id)?),
        ("DELETE", ["rule", group, id]) => RulesCall::Delete(text(group)?, text(id)?),
        ("GET", ["rule_groups"]) => RulesCall::Groups,
        ("POST", ["rule_group"]) => RulesCall::SetGroup,
        ("GET", ["rule_group", id]) => RulesCall::Group(text(id)?),
        ("DELETE", ["rule_group", id]) => RulesCall::DeleteGroup(text(id)?),
        _ => return None,
    })
}

fn bundles(method: &str, path: &[&str]) -> Option<BundlesCall> {
    Some(match (method, path) {
        ("GET", []) => BundlesCall::All,
        ("POST", []) => BundlesCall::SetAll,
        ("GET", [group]) => BundlesCall::One(text(group)?),
        ("POST", [group]) => BundlesCall::Set(text(group)?),
        ("DELETE", [group]) => BundlesCall::Delete(text(group)?),
        _ => return None,
    })
}

fn labels(method: &str, path: &[&str]) -> Option<LabelsCall> {
    Some(match (method, path) {
        ("GET", ["rules"]) => LabelsCall::All,
        ("GET", ["rules", "ids"]) => LabelsCall::ByIds,
        ("PATCH", ["rules"]) => LabelsCall::Patch,
        ("POST", ["rule"]) => LabelsCall::Set,
        ("GET", ["rule", id]) => LabelsCall::One(text(id)?),
        ("DELETE", ["rule", id]) => LabelsCall::Delete(text(id)?),
        _ => return None,
    })
}

/// A segment of digits, so that it can stand in a path of ours.
fn number(segment: &str) -> Option<String> {
    segment.parse::<u64>().ok().map(|number| number.to_string())
}

fn text(segment: &str) -> Option<String> {
    percent_decode_str(segment)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn routed(method: &str, path: &str) -> Option<Route> {
        route(&method.parse().unwrap(), path)
    }

    #[test]
    fn listed_calls_have_their_rows() {
        let key = RegionsCall::ByKey(b"t\x80/".to_vec());
        for (method, path, row) in [
            ("GET", "/pd/api/v1/region/key/t%80%2F", Route::Regions(key)),
            (
                "GET",
                "/pd/api/v1/region/id/7",
                Route::Regions(RegionsCall::ById("7".into())),
            ),
            (
                "DELETE",
                "/pd/api/v1/config/region-label/rule/schema%2Ftest%2Ft",
                Route::Labels(LabelsCall::Delete("schema/test/t".into())),
            ),
            (
                "GET",
                "/pd/api/v1/config/rule/tiflash/table-1-r",
                Route::Rules(RulesCall::One("tiflash".into(), "table-1-r".into())),
            ),
            ("GET", "/pd/api/v2/ms/members/tso", Route::Fixed(json!([]))),
        ] {
            assert_eq!(routed(method, path), Some(row), "{path}");
        }
    }

    #[test]
    fn the_rest_is_not_routed() {
        for (method, path) in [
            ("GET", "/pd/api/v1/operators"),
            ("GET", "/pd/api/v1/regions/check/hist-size"),
            ("GET", "/pd/api/v1/regions/keyspace/id/1"),
            ("GET", "/pd/api/v1/region/id/7/labels"),
            ("GET", "/pd/api/v1/region/id/-1"),
            ("GET", "/pd/api/v1/store/1/label"),
            ("GET", "/pd/api/v1/debug/pprof/heap"),
            ("GET", "/pd/api/v1//members"),
            ("GET", "/pd/api/v1/config/rules/key/00"),
            ("POST", "/pd/api/v1/regions/split"),
            ("POST", "/pd/api/v1/regions"),
            ("GET", "/pd/api/v2/keyspaces"),
            ("GET", "/pd/api/v2/affinity-groups"),
            ("GET", "/metrics"),
            ("GET", "/"),
        ] {
            assert_eq!(routed(method, path), None, "{method} {path}");
        }
        for (method, path) in [
            ("POST", "/pd/api/v1/config"),
            ("POST", "/pd/api/v1/config/schedule"),
            ("POST", "/pd/api/v1/schedulers"),
            ("DELETE", "/pd/api/v1/store/1"),
            ("DELETE", "/pd/api/v1/gc/safepoint/x"),
            ("POST", "/pd/api/v1/admin/reset-ts"),
        ] {
            assert!(
                matches!(routed(method, path), Some(Route::Refused(_))),
                "{method} {path}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_path_is_decided(path in "(/pd/api/v[12])?(/[ -~]{0,12}){0,5}") {
            for method in ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD"] {
                routed(method, &path);
            }
        }
    }
}
