//! `openapi.json` against the router and the bodies.

use mesh_admin_client::{
    CreateTenant, DiskUse, ErrorBody, ErrorCode, ErrorDetail, KeyRange, Planned, Rates,
    RenameTenant, Store, TenantList,
};

use super::*;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

fn description() -> Value {
    serde_json::from_str(super::super::openapi::DESCRIPTION).unwrap()
}

/// Every operation that is described is served, and no other method is: asked about a path with the
/// operator's token, the router answers neither "no such path" nor "no such method".
#[tokio::test]
async fn what_is_described_is_served_and_what_is_served_is_described() {
    let api = Api::new(Ok(()));
    let description = description();
    let paths = description["paths"].as_object().unwrap();
    for (path, operations) in paths {
        let concrete = path.replace("{name}", "nobody");
        for method in METHODS {
            let described = operations.get(method.to_lowercase()).is_some();
            let request = Request::builder()
                .method(method)
                .uri(&concrete)
                .header("authorization", format!("Bearer {TOKEN}"))
                .body(Body::empty())
                .unwrap();
            let (status, text) = api.send(request).await;
            let served =
                status != StatusCode::METHOD_NOT_ALLOWED && !text.contains("there is no /");
            assert_eq!(served, described, "{method} {path}: {status} {text}");
        }
    }
    // The table of operations is the router's only source; each of its paths is described.
    let source = include_str!("../operations.rs");
    let routed: Vec<String> = source
        .split("\"/v1/")
        .skip(1)
        .map(|rest| format!("/v1/{}", rest.split('"').next().unwrap()))
        .collect();
    assert!(routed.len() > 10);
    for path in routed {
        assert!(paths.contains_key(&path), "{path} is not described");
    }
}

/// Roles of the description are those that the router lets in.
#[tokio::test]
async fn the_least_role_is_the_one_that_is_let_in() {
    let api = Api::new(Ok(()));
    api.call("POST", "/v1/tenants", Some(json!({"name": "alpha"})))
        .await;
    let description = description();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(least) = operation["x-least-role"].as_str() else {
                assert!(!path.starts_with("/v1/"), "{path}");
                continue;
            };
            let concrete = path.replace("{name}", "alpha");
            for (who, role) in [("watcher", 0), ("owner", 1)] {
                let needed = match least {
                    "viewer" => 0,
                    "tenant-admin" => 1,
                    "operator" => 2,
                    other => panic!("no role {other}"),
                };
                let request = Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(&concrete)
                    .header("authorization", format!("Bearer {}", token(who)))
                    .body(Body::empty())
                    .unwrap();
                let (status, _) = api.send(request).await;
                let let_in = status != StatusCode::FORBIDDEN;
                assert_eq!(let_in, role >= needed, "{who} {method} {path}: {status}");
            }
        }
    }
}

fn samples() -> Vec<(&'static str, Value)> {
    let store = Store {
        id: 1,
        address: "h:1".to_owned(),
    };
    let range = KeyRange {
        start: "00".to_owned(),
        end: "01".to_owned(),
    };
    let tenant = Tenant {
        stores: vec![store.clone()],
        ranges: vec![range.clone()],
        ..body("alpha", Mode::Table)
    };
    let create = CreateTenant {
        name: "a".to_owned(),
        mode: ModeChoice::Auto,
    };
    let rename = RenameTenant {
        name: "a".to_owned(),
    };
    let one = std::num::NonZeroU32::new(1);
    let limits = Limits {
        requests_per_second: one,
        bytes_per_second: one,
        in_flight_requests: one,
        in_flight_bytes: std::num::NonZeroU64::new(1),
        connections: one,
        weight: one,
    };
    let usage = Usage {
        tenant: "alpha".to_owned(),
        disk: DiskUse::default(),
        gateway: Rates::default(),
    };
    let planned = Planned {
        dry_run: true,
        action: "delete".to_owned(),
        tenant: Some(tenant.clone()),
        effects: vec!["x".to_owned()],
    };
    let detail = ErrorDetail {
        code: ErrorCode::NotFound,
        message: "x".to_owned(),
    };
    let list = TenantList {
        tenants: vec![tenant.clone()],
    };
    let error = ErrorBody {
        error: detail.clone(),
    };
    let json = |value: &dyn erased::Json| value.json();
    vec![
        ("CreateTenant", json(&create)),
        ("RenameTenant", json(&rename)),
        ("Tenant", json(&tenant)),
        ("Store", json(&store)),
        ("KeyRange", json(&range)),
        ("TenantList", json(&list)),
        ("Limits", json(&limits)),
        ("Usage", json(&usage)),
        ("DiskUse", json(&usage.disk)),
        ("Rates", json(&usage.gateway)),
        ("Planned", json(&planned)),
        ("ErrorDetail", json(&detail)),
        ("ErrorBody", json(&error)),
    ]
}

mod erased {
    /// Any body, as JSON.
    pub(super) trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

/// Members that are described are those that are there, for every schema.
#[test]
fn schemas_have_the_members_of_the_bodies() {
    let description = description();
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let samples = samples();
    assert_eq!(schemas.len(), samples.len());
    for (name, sample) in samples {
        let schema = &schemas[name];
        let members =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(members(&schema["properties"]), members(&sample), "{name}");
        for (member, value) in sample.as_object().unwrap() {
            let kind = schema["properties"][member]["type"].as_str();
            let fits = match kind {
                Some("string") => value.is_string(),
                Some("integer") => value.is_u64(),
                Some("number") => value.is_number(),
                Some("boolean") => value.is_boolean(),
                Some("array") => value.is_array(),
                Some(other) => panic!("{other}"),
                None => value.is_object(),
            };
            assert!(fits, "{name}.{member}: {value} is no {kind:?}");
        }
    }
    let codes = &schemas["ErrorDetail"]["properties"]["code"]["enum"];
    for code in codes.as_array().unwrap() {
        let known: ErrorCode = serde_json::from_value(code.clone()).unwrap();
        assert_ne!(known, ErrorCode::Unknown, "{code}");
    }
}
