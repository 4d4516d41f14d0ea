//! The router in front of a service that only remembers names.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use mesh_admin_client::{Limits, ModeChoice, Tenant, TenantState, Usage};
use mesh_keyspace::Mode;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::config;

const TOKEN: &str = "0123456789abcdef";

#[derive(Default)]
struct Names(Mutex<BTreeMap<String, Mode>>);

fn body(name: &str, mode: Mode) -> Tenant {
    Tenant {
        name: name.to_owned(),
        id: 1,
        mode,
        state: TenantState::Active,
        pd: "127.0.0.1:20001".to_owned(),
        stores: Vec::new(),
        ranges: Vec::new(),
    }
}

#[async_trait::async_trait]
impl TenantService for Names {
    async fn create(
        &self,
        name: TenantName,
        choice: ModeChoice,
    ) -> Result<(Tenant, Created), AdminError> {
        if name.as_str() == "crash" {
            panic!("a fault of the service");
        }
        let mut names = self.0.lock().unwrap();
        match names.get(name.as_str()) {
            Some(mode) if choice.accepts(*mode) => {
                Ok((body(name.as_str(), *mode), Created::Existing))
            }
            Some(_) => Err(AdminError::Conflict("another mode".to_owned())),
            None => {
                names.insert(name.to_string(), Mode::Table);
                Ok((body(name.as_str(), Mode::Table), Created::New))
            }
        }
    }

    async fn get(&self, name: &TenantName) -> Result<Tenant, AdminError> {
        let names = self.0.lock().unwrap();
        let mode = names.get(name.as_str());
        let mode = mode.ok_or_else(|| AdminError::NotFound(format!("no tenant {name}")))?;
        Ok(body(name.as_str(), *mode))
    }

    async fn list(&self) -> Result<Vec<Tenant>, AdminError> {
        let names = self.0.lock().unwrap();
        Ok(names.iter().map(|(name, mode)| body(name, *mode)).collect())
    }

    async fn delete(&self, name: &TenantName) -> Result<Tenant, AdminError> {
        let gone = self.get(name).await?;
        self.0.lock().unwrap().remove(name.as_str());
        Ok(gone)
    }

    async fn suspend(&self, name: &TenantName) -> Result<Tenant, AdminError> {
        let mut tenant = self.get(name).await?;
        tenant.state = TenantState::Suspended;
        Ok(tenant)
    }

    async fn resume(&self, name: &TenantName) -> Result<Tenant, AdminError> {
        self.get(name).await
    }

    async fn rename(&self, name: &TenantName, to: &TenantName) -> Result<Tenant, AdminError> {
        let old = self.get(name).await?;
        let mut names = self.0.lock().unwrap();
        names.remove(name.as_str());
        names.insert(to.to_string(), old.mode);
        Ok(body(to.as_str(), old.mode))
    }

    async fn limits(&self, name: &TenantName) -> Result<Limits, AdminError> {
        self.get(name).await.map(|_| Limits::default())
    }

    async fn set_limits(&self, name: &TenantName, limits: Limits) -> Result<Limits, AdminError> {
        self.get(name).await.map(|_| limits)
    }

    async fn usage(&self, name: &TenantName) -> Result<Usage, AdminError> {
        Ok(Usage {
            tenant: self.get(name).await?.name,
            disk: Default::default(),
            gateway: Default::default(),
        })
    }
}

struct Probe(Result<(), String>);

impl Probes for Probe {
    fn ready(&self) -> Result<(), String> {
        self.0.clone()
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}

struct Api {
    router: Router,
    audit: tempfile::NamedTempFile,
}

/// A token of each role, by its name.
fn token(caller: &str) -> String {
    format!("{caller}-{TOKEN}")
}

fn token_file(token: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{token}").unwrap();
    file
}

fn caller(
    name: &str,
    role: Role,
    tenants: Option<&[&str]>,
    file: &tempfile::NamedTempFile,
) -> config::Caller {
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    config::Caller {
        name: name.to_owned(),
        role,
        tenants: tenants.map(names),
        token_file: file.path().to_owned(),
    }
}

fn admin(token_file: &std::path::Path, callers: Vec<config::Caller>) -> config::Admin {
    config::Admin {
        listen: "127.0.0.1:0".parse().unwrap(),
        token_file: token_file.to_owned(),
        callers,
        audit_file: None,
    }
}

impl Api {
    fn new(ready: Result<(), String>) -> Api {
        let operator = token_file(TOKEN);
        let files = ["watcher", "guest", "owner"].map(|name| token_file(&token(name)));
        let callers = vec![
            caller("watcher", Role::Viewer, None, &files[0]),
            caller("guest", Role::Viewer, Some(&["alpha"]), &files[1]),
            caller("owner", Role::TenantAdmin, Some(&["alpha"]), &files[2]),
        ];
        let audit = tempfile::NamedTempFile::new().unwrap();
        let router = router(AdminState {
            tenants: Arc::new(Names::default()),
            probes: Arc::new(Probe(ready)),
            callers: Arc::new(Tokens::load(&admin(operator.path(), callers)).unwrap()),
            audit: Arc::new(AuditLog::open(Some(audit.path())).unwrap()),
        });
        Api { router, audit }
    }

    /// What was written down so far.
    fn audited(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.audit.path()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// With the operator's token.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.call_as(TOKEN, method, path, body).await
    }

    async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap();
        let (status, text) = self.send(request).await;
        (status.as_u16(), serde_json::from_str(&text).unwrap())
    }
}

fn code(body: &Value) -> &str {
    assert!(
        body["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{body}"
    );
    body["error"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn a_tenant_is_created_once_found_again_and_deleted() {
    let api = Api::new(Ok(()));
    let alpha = json!({"name": "alpha", "mode": "table"});
    let (status, created) = api.call("POST", "/v1/tenants", Some(alpha.clone())).await;
    assert_eq!((status, &created["name"]), (201, &json!("alpha")));
    assert_eq!(
        api.call("POST", "/v1/tenants", Some(alpha)).await,
        (200, created.clone())
    );
    let other = json!({"name": "alpha", "mode": "prefix"});
    let (status, refusal) = api.call("POST", "/v1/tenants", Some(other)).await;
    assert_eq!((status, code(&refusal)), (409, "conflict"));

    assert_eq!(
        api.call("GET", "/v1/tenants/alpha", None).await,
        (200, created.clone())
    );
    let list = json!({"tenants": [created]});
    assert_eq!(api.call("GET", "/v1/tenants", None).await, (200, list));
    assert_eq!(
        api.call("DELETE", "/v1/tenants/alpha", None).await,
        (200, created)
    );
    for method in ["GET", "DELETE"] {
        let (status, refusal) = api.call(method, "/v1/tenants/alpha", None).await;
        assert_eq!((status, code(&refusal)), (404, "not_found"));
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_the_reason() {
    let api = Api::new(Ok(()));
    for (body, said) in [
        (json!({"name": "Alpha"}), "'A'"),
        (json!({"name": ""}), "empty"),
        (json!({"name": "x".repeat(64)}), "63"),
        (json!({"name": "a/b"}), "'/'"),
        (
            json!({"name": "a", "mode": "v2"}),
            "auto, table, keyspace or prefix",
        ),
        (json!({"name": "a", "modus": "table"}), "modus"),
        (json!({"mode": "table"}), "name"),
        (json!([]), ""),
    ] {
        let (status, refusal) = api.call("POST", "/v1/tenants", Some(body.clone())).await;
        assert_eq!((status, code(&refusal)), (400, "bad_request"), "{body}");
        let message = refusal["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{body}: {message}");
    }
    let huge = json!({"name": "a".repeat(MAX_BODY_BYTES)});
    let (status, refusal) = api.call("POST", "/v1/tenants", Some(huge)).await;
    assert_eq!((status, code(&refusal)), (413, "too_large"));
    for path in ["/v1/tenants/Bad", "/v1/tenants/a%2Fb", "/v1/tenants/%ff"] {
        let (status, refusal) = api.call("GET", path, None).await;
        assert_eq!((status, code(&refusal)), (400, "bad_request"), "{path}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_the_apis_form() {
    let api = Api::new(Ok(()));
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/stores",
        "/v1/tenants/a/b",
        "/v2/tenants",
    ] {
        let (status, refusal) = api.call("GET", path, None).await;
        assert_eq!((status, code(&refusal)), (404, "not_found"), "{path}");
    }
    for (method, path) in [
        ("PUT", "/v1/tenants"),
        ("POST", "/v1/tenants/alpha"),
        ("POST", "/metrics"),
    ] {
        let (status, refusal) = api.call(method, path, None).await;
        assert_eq!(
            (status, code(&refusal)),
            (405, "method_not_allowed"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn nothing_below_v1_is_reached_without_the_token() {
    let api = Api::new(Ok(()));
    let wrong = [
        (None, 401, "unauthorized"),
        (Some(String::new()), 401, "unauthorized"),
        (Some("Bearer".to_owned()), 401, "unauthorized"),
        (Some(TOKEN.to_owned()), 401, "unauthorized"),
        (Some(format!("Basic {TOKEN}")), 401, "unauthorized"),
        (Some("Bearer ".to_owned()), 403, "forbidden"),
        (Some(format!("Bearer {}", &TOKEN[1..])), 403, "forbidden"),
        (Some(format!("Bearer {TOKEN}0")), 403, "forbidden"),
    ];
    let paths = [
        "/v1/tenants",
        "/v1/tenants/alpha",
        "/v1/tenants/Bad",
        "/v1/nothing",
    ];
    for (authorization, status, kind) in wrong {
        for (path, method) in paths
            .into_iter()
            .flat_map(|path| ["GET", "POST", "DELETE", "PUT"].map(|method| (path, method)))
        {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(value) = &authorization {
                request = request.header("authorization", value);
            }
            let (found, text) = api.send(request.body(Body::empty()).unwrap()).await;
            let context = format!("{method} {path} {authorization:?}: {text}");
            assert_eq!(found.as_u16(), status, "{context}");
            let body: Value = serde_json::from_str(&text).expect(&context);
            assert_eq!(code(&body), kind, "{context}");
        }
    }
    let lower = Request::get("/v1/tenants").header("authorization", format!("bearer {TOKEN}"));
    assert_eq!(
        api.send(lower.body(Body::empty()).unwrap()).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn probes_need_no_token() {
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let api = Api::new(Ok(()));
    assert_eq!(api.send(get("/live")).await.0, StatusCode::OK);
    assert_eq!(api.send(get("/ready")).await.0, StatusCode::OK);
    assert_eq!(
        api.send(get("/metrics")).await,
        (StatusCode::OK, "# EOF\n".to_owned())
    );

    let starting = Api::new(Err("no PD".to_owned()));
    assert_eq!(starting.send(get("/live")).await.0, StatusCode::OK);
    let (status, text) = starting.send(get("/ready")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("no PD"));
}

#[tokio::test]
async fn a_fault_of_the_service_is_an_answer_too() {
    let api = Api::new(Ok(()));
    let body = json!({"name": "crash", "mode": "table"});
    let (status, refusal) = api.call("POST", "/v1/tenants", Some(body)).await;
    assert_eq!((status, code(&refusal)), (500, "internal"));
    assert!(!refusal.to_string().contains("fault of the service"));
}

#[test]
fn a_token_that_can_be_guessed_or_told_apart_is_refused() {
    let load = |path: &std::path::Path| Tokens::load(&admin(path, Vec::new()));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    assert!(load(file.path()).is_err(), "empty");
    file.write_all(b"0123456789abcde\n").unwrap();
    let error = load(file.path()).unwrap_err();
    assert!(matches!(error, TokenFault::TooShort(_)));
    assert!(!error.to_string().contains("0123"));
    file.write_all(b"second line\n").unwrap();
    assert!(load(file.path()).is_err());
    let good = token_file(TOKEN);
    assert!(!format!("{:?}", load(good.path()).unwrap()).contains(TOKEN));
    let twice = vec![caller("second", Role::Viewer, None, &good)];
    let error = Tokens::load(&admin(good.path(), twice)).unwrap_err();
    assert!(matches!(error, TokenFault::Twice(_)));
}

const CHANGES: [(&str, &str); 6] = [
    ("DELETE", "/v1/tenants/alpha"),
    ("POST", "/v1/tenants"),
    ("POST", "/v1/tenants/alpha/rename"),
    ("PUT", "/v1/tenants/alpha/limits"),
    ("POST", "/v1/tenants/alpha/suspend"),
    ("POST", "/v1/tenants/alpha/resume"),
];

#[tokio::test]
async fn each_role_does_what_it_may_and_nothing_else() {
    let api = Api::new(Ok(()));
    for name in ["alpha", "beta"] {
        let body = json!({"name": name, "mode": "table"});
        assert_eq!(api.call("POST", "/v1/tenants", Some(body)).await.0, 201);
    }
    for (who, lists, changes) in [("watcher", 2, 0), ("guest", 1, 0), ("owner", 1, 2)] {
        let token = token(who);
        let (_, list) = api.call_as(&token, "GET", "/v1/tenants", None).await;
        assert_eq!(list["tenants"].as_array().unwrap().len(), lists, "{who}");
        for path in ["", "/limits", "/usage"] {
            let path = format!("/v1/tenants/alpha{path}");
            assert_eq!(
                api.call_as(&token, "GET", &path, None).await.0,
                200,
                "{who}"
            );
        }
        let mut done = 0;
        for (method, path) in CHANGES {
            let body = Some(json!({"name": "gamma"}));
            let (status, answer) = api.call_as(&token, method, path, body).await;
            match status {
                200 => done += 1,
                _ => assert_eq!(
                    (status, code(&answer)),
                    (403, "denied"),
                    "{who} {method} {path}"
                ),
            }
        }
        assert_eq!(done, changes, "{who}");
    }
    // Not even whether a tenant exists is told to who is bound to another.
    for who in ["guest", "owner"] {
        for tenant in ["beta", "nobody", "Bad"] {
            let path = format!("/v1/tenants/{tenant}");
            let (status, answer) = api.call_as(&token(who), "GET", &path, None).await;
            assert_eq!((status, code(&answer)), (403, "denied"), "{who} {tenant}");
        }
    }
}

#[tokio::test]
async fn every_change_is_written_down_with_its_outcome_and_looks_are_not() {
    let api = Api::new(Ok(()));
    let alpha = json!({"name": "alpha", "mode": "table"});
    api.call("POST", "/v1/tenants", Some(alpha.clone())).await;
    api.call("GET", "/v1/tenants/alpha", None).await;
    api.call("POST", "/v1/tenants/alpha/suspend?dry_run=true", None)
        .await;
    api.call_as(&token("watcher"), "DELETE", "/v1/tenants/alpha", None)
        .await;
    api.call(
        "PUT",
        "/v1/tenants/alpha/limits",
        Some(json!({"connections": 3})),
    )
    .await;
    api.call("DELETE", "/v1/tenants/nobody", None).await;
    api.call("POST", "/v1/tenants", Some(json!({"name": "crash"})))
        .await;
    let lines = api.audited();
    let told: Vec<_> = lines
        .iter()
        .map(|line| ["who", "role", "what", "tenant", "outcome"].map(|m| line[m].as_str().unwrap()))
        .collect();
    let (op, see) = (["operator", "operator"], ["watcher", "viewer"]);
    let expected = [
        (op, "create", "alpha", "done"),
        (see, "delete", "alpha", "denied"),
        (op, "set limits", "alpha", "done"),
        (op, "delete", "nobody", "refused"),
        (op, "create", "crash", "failed"),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .flat_map(|([who, role], what, tenant, outcome)| {
            ["begun", outcome].map(|outcome| [who, role, what, tenant, outcome])
        })
        .collect();
    assert_eq!(told, expected);
    for pair in lines.chunks(2) {
        assert_eq!(pair[0]["id"], pair[1]["id"]);
        assert!(pair[0]["at"].as_f64().unwrap() > 1e9);
    }
    assert_eq!(lines[0]["change"], alpha);
    assert_eq!(lines[4]["change"], json!({"connections": 3}));
    assert!(lines[3]["reason"].as_str().unwrap().contains("viewer"));
    let text = std::fs::read_to_string(api.audit.path()).unwrap();
    assert!(!text.contains(TOKEN));
}

#[tokio::test]
async fn what_was_sent_by_mistake_is_not_written_down() {
    let api = Api::new(Ok(()));
    let secret = "hunter2-hunter2";
    for body in [
        json!({"name": "alpha", "password": secret}),
        json!({"name": {"token": secret}, "mode": "table"}),
        json!({"name": "alpha", "mode": [secret]}),
        json!([secret]),
    ] {
        let (status, answer) = api.call("POST", "/v1/tenants", Some(body)).await;
        assert_eq!(status, 400, "{answer}");
    }
    let limits = json!({"connections": secret});
    let path = "/v1/tenants/alpha/limits";
    assert_eq!(api.call("PUT", path, Some(limits)).await.0, 400);
    assert_eq!(api.audited().len(), 10, "each attempt is");
    let text = std::fs::read_to_string(api.audit.path()).unwrap();
    assert!(!text.contains(secret), "{text}");
}

#[tokio::test]
async fn a_change_that_cannot_be_written_down_is_not_made() {
    let full = AuditLog::open(Some(std::path::Path::new("/dev/full"))).unwrap();
    let names = Arc::new(Names::default());
    let operator = token_file(TOKEN);
    let router = router(AdminState {
        tenants: names.clone(),
        probes: Arc::new(Probe(Ok(()))),
        callers: Arc::new(Tokens::load(&admin(operator.path(), Vec::new())).unwrap()),
        audit: Arc::new(full),
    });
    let api = Api {
        router,
        audit: tempfile::NamedTempFile::new().unwrap(),
    };
    let (status, refusal) = api
        .call("POST", "/v1/tenants", Some(json!({"name": "alpha"})))
        .await;
    assert_eq!((status, code(&refusal)), (503, "unavailable"));
    assert!(names.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_dry_run_checks_and_changes_nothing() {
    let api = Api::new(Ok(()));
    let alpha = json!({"name": "alpha", "mode": "table"});
    let dry = "/v1/tenants?dry_run=true";
    let (status, plan) = api.call("POST", dry, Some(alpha.clone())).await;
    assert_eq!(
        (status, &plan["dry_run"], &plan["tenant"]),
        (200, &json!(true), &Value::Null)
    );
    assert_eq!(api.call("GET", "/v1/tenants/alpha", None).await.0, 404);
    api.call("POST", "/v1/tenants", Some(alpha)).await;
    for (method, path) in CHANGES {
        let body = Some(match path {
            "/v1/tenants/alpha/limits" => json!({"connections": 1}),
            "/v1/tenants" => json!({"name": "alpha", "mode": "table"}),
            _ => json!({"name": "beta"}),
        });
        let path = format!("{path}?dry_run=true");
        let (status, plan) = api.call(method, &path, body).await;
        assert_eq!(
            (status, &plan["dry_run"]),
            (200, &json!(true)),
            "{method} {path}: {plan}"
        );
        assert_eq!(plan["tenant"]["name"], "alpha");
        let denied = api.call_as(&token("watcher"), method, &path, None).await;
        assert_eq!(denied.0, 403, "a dry run needs the change's own permission");
    }
    let (_, list) = api.call("GET", "/v1/tenants", None).await;
    assert_eq!(list["tenants"][0]["state"], "active");
    for query in ["dryrun=true", "dry_run=yes", "dry_run=true&force=1"] {
        let path = format!("/v1/tenants/alpha?{query}");
        let (status, refusal) = api.call("DELETE", &path, None).await;
        assert_eq!((status, code(&refusal)), (400, "bad_request"), "{query}");
    }
    assert_eq!(api.call("GET", "/v1/tenants/alpha", None).await.0, 200);
}

#[tokio::test]
async fn a_limit_that_is_misspelt_or_nought_is_refused() {
    let api = Api::new(Ok(()));
    api.call("POST", "/v1/tenants", Some(json!({"name": "alpha"})))
        .await;
    for body in [
        json!({"request_per_second": 5}),
        json!({"connections": 0}),
        json!({"connections": -1}),
        json!({"connections": "many"}),
        json!([]),
    ] {
        let path = "/v1/tenants/alpha/limits";
        let (status, refusal) = api.call("PUT", path, Some(body.clone())).await;
        assert_eq!((status, code(&refusal)), (400, "bad_request"), "{body}");
    }
}

mod description;
