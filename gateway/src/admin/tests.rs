//! The router in front of a service that only remembers names.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use mesh_admin_client::TenantState;
use mesh_keyspace::Mode;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

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

struct Api(Router);

impl Api {
    fn new(ready: Result<(), String>) -> Api {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{TOKEN}").unwrap();
        Api(router(AdminState {
            tenants: Arc::new(Names::default()),
            probes: Arc::new(Probe(ready)),
            token: Arc::new(Token::load(file.path()).unwrap()),
        }))
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self.0.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// With the token.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {TOKEN}"))
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
    let mut file = tempfile::NamedTempFile::new().unwrap();
    assert!(Token::load(file.path()).is_err(), "empty");
    file.write_all(b"0123456789abcde\n").unwrap();
    let error = Token::load(file.path()).unwrap_err();
    assert!(matches!(error, TokenFault::TooShort(_)));
    assert!(!error.to_string().contains("0123"));
    file.write_all(b"second line\n").unwrap();
    assert!(Token::load(file.path()).is_err());
    let mut good = tempfile::NamedTempFile::new().unwrap();
    writeln!(good, "{TOKEN}").unwrap();
    assert!(!format!("{:?}", Token::load(good.path()).unwrap()).contains(TOKEN));
}
