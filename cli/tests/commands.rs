//! The binary against a stub of the admin API: what goes where, and with which exit code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A stub of the API on a port of its own, with a token file.
struct Stub {
    _runtime: tokio::runtime::Runtime,
    address: String,
    token: tempfile::NamedTempFile,
}

impl Stub {
    fn start() -> Stub {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = axum::Router::new().fallback(answer);
        runtime.spawn(async move { axum::serve(listener, router).await });
        let mut token = tempfile::NamedTempFile::new().unwrap();
        writeln!(token, "{TOKEN}").unwrap();
        Stub {
            _runtime: runtime,
            address,
            token,
        }
    }

    fn run(&self, line: &str) -> Output {
        let token = self.token.path().to_str().unwrap().to_owned();
        run(
            line,
            &[
                ("TIDB_MESH_ADMIN", &self.address),
                ("TIDB_MESH_TOKEN_FILE", &token),
            ],
        )
    }
}

const TOKEN: &str = "0123456789abcdef";

fn alpha() -> Value {
    json!({
        "name": "alpha", "id": 1, "mode": "table", "state": "active", "pd": "127.0.0.1:20001",
        "stores": [{"id": 4, "address": "127.0.0.1:20002"}],
        "ranges": [
            {"start": "6d010001", "end": "6d010002"},
            {"start": "748001", "end": "748002"},
        ],
    })
}

fn usage() -> Value {
    json!({
        "tenant": "alpha",
        "disk": {"bytes": 1_048_576, "keys": 12, "regions": 3},
        "gateway": {
            "requests_per_second": 1.5, "received_bytes_per_second": 10.0,
            "sent_bytes_per_second": 20.0, "in_flight_requests": 1, "in_flight_bytes": 2,
            "waiting": 3, "refused": 4, "connections": 5,
        },
    })
}

async fn answer(request: Request) -> Response {
    let token = request
        .headers()
        .get("authorization")
        .map(|value| value.as_bytes().to_vec());
    match token {
        None => return error(StatusCode::UNAUTHORIZED, "unauthorized", "no token"),
        Some(token) if token != format!("Bearer {TOKEN}").as_bytes() => {
            return error(StatusCode::FORBIDDEN, "forbidden", "wrong token");
        }
        Some(_) => {}
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if request.uri().query() == Some("dry_run=true") {
        let action = format!("{method} {path}");
        let plan = json!({
            "dry_run": true, "action": action, "tenant": alpha(), "effects": ["something happens"],
        });
        return axum::Json(plan).into_response();
    }
    match (method, path.as_str()) {
        (Method::POST, "/v1/tenants") => {
            let body = axum::body::to_bytes(request.into_body(), 1 << 16)
                .await
                .unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            match body["name"].as_str().unwrap() {
                "alpha" if body["mode"] == "prefix" => error(
                    StatusCode::CONFLICT,
                    "conflict",
                    "tenant alpha exists in mode table",
                ),
                "alpha" => (StatusCode::OK, axum::Json(alpha())).into_response(),
                "new" => (StatusCode::CREATED, axum::Json(alpha())).into_response(),
                _ => error(StatusCode::BAD_REQUEST, "bad_request", "bad name"),
            }
        }
        (Method::GET, "/v1/tenants") => axum::Json(json!({"tenants": [alpha()]})).into_response(),
        (Method::GET | Method::DELETE, "/v1/tenants/alpha") => axum::Json(alpha()).into_response(),
        (Method::POST, "/v1/tenants/alpha/suspend" | "/v1/tenants/alpha/resume")
        | (Method::POST, "/v1/tenants/alpha/rename") => axum::Json(alpha()).into_response(),
        (Method::GET, "/v1/tenants/alpha/limits") => {
            axum::Json(json!({"connections": 7, "weight": 2})).into_response()
        }
        (Method::PUT, "/v1/tenants/alpha/limits") => {
            let body = axum::body::to_bytes(request.into_body(), 1 << 16)
                .await
                .unwrap();
            body.into_response()
        }
        (Method::GET, "/v1/tenants/alpha/usage") => axum::Json(usage()).into_response(),
        (Method::GET, "/v1/tenants/html") => "<html>".into_response(),
        (Method::GET, "/v1/tenants/moved") => {
            (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response()
        }
        _ => error(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such tenant",
        ),
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}});
    (status, axum::Json(body)).into_response()
}

fn run(line: &str, environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidb-mesh"))
        .args(line.split_whitespace())
        .env_remove("TIDB_MESH_ADMIN")
        .env_remove("TIDB_MESH_TOKEN_FILE")
        .env("http_proxy", "http://127.0.0.1:1")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Code, standard output, standard error.
fn parts(output: &Output) -> (i32, String, String) {
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn results_go_to_standard_output_as_asked_for() {
    let stub = Stub::start();
    for line in [
        "tenant show alpha --output json",
        "tenant create new --mode table --output json",
        "tenant create alpha -o json",
        "tenant delete alpha --yes -o json",
    ] {
        let (code, out, err) = parts(&stub.run(line));
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        assert_eq!(
            serde_json::from_str::<Value>(&out).unwrap(),
            alpha(),
            "{line}"
        );
    }
    let (_, out, _) = parts(&stub.run("tenant list -o json"));
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap(),
        json!({"tenants": [alpha()]})
    );

    for (line, said) in [
        ("tenant create new", "alpha created"),
        ("tenant create alpha", "alpha exists already"),
        ("tenant show alpha", "[748001, 748002)"),
        ("tenant list", "NAME"),
        ("tenant delete alpha --yes", "alpha deleted"),
    ] {
        let (code, out, err) = parts(&stub.run(line));
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        assert!(out.contains(said), "{line}: {out}");
    }
}

#[test]
fn a_limit_that_is_not_named_stays() {
    let stub = Stub::start();
    let line = "tenant limits set alpha --requests-per-second 100 --weight none -o json";
    let (code, out, err) = parts(&stub.run(line));
    assert_eq!((code, err.as_str()), (0, ""));
    let expected = json!({"connections": 7, "requests_per_second": 100});
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
    let (code, out, _) = parts(&stub.run("tenant limits show alpha"));
    assert_eq!(code, 0);
    assert!(out.contains("connections") && out.contains("none"), "{out}");
    for line in [
        "tenant limits set alpha",
        "tenant limits set alpha --connections 0",
        "tenant limits set alpha --connections many",
    ] {
        assert_eq!(parts(&stub.run(line)).0, 2, "{line}");
    }
}

#[test]
fn changes_and_looks_are_told_to_people_and_programs() {
    let stub = Stub::start();
    for (line, said) in [
        ("tenant suspend alpha", "alpha suspended"),
        ("tenant resume alpha", "alpha resumed"),
        ("tenant rename alpha beta", "was alpha"),
        ("tenant usage alpha", "1048576"),
    ] {
        let (code, out, err) = parts(&stub.run(line));
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        assert!(out.contains(said), "{line}: {out}");
    }
    let (_, out, _) = parts(&stub.run("tenant usage alpha -o json"));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), usage());
}

/// Nothing is asked, because nothing is lost.
#[test]
fn a_dry_run_of_every_change_shows_what_would_be() {
    let stub = Stub::start();
    for (line, action) in [
        ("tenant create new", "POST /v1/tenants"),
        ("tenant delete alpha", "DELETE /v1/tenants/alpha"),
        ("tenant suspend alpha", "POST /v1/tenants/alpha/suspend"),
        ("tenant resume alpha", "POST /v1/tenants/alpha/resume"),
        ("tenant rename alpha beta", "POST /v1/tenants/alpha/rename"),
        (
            "tenant limits set alpha --weight 3",
            "PUT /v1/tenants/alpha/limits",
        ),
    ] {
        let (code, out, err) = parts(&stub.run(&format!("{line} --dry-run")));
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        assert!(
            out.contains(action) && out.contains("something happens"),
            "{line}: {out}"
        );
        let (_, out, _) = parts(&stub.run(&format!("{line} --dry-run -o json")));
        let plan: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (&plan["dry_run"], &plan["action"]),
            (&json!(true), &json!(action))
        );
    }
}

#[test]
fn refusals_exit_with_1_and_say_why() {
    let stub = Stub::start();
    for (line, said) in [
        ("tenant show nobody", "there is no such tenant"),
        ("tenant delete nobody --yes", "there is no such tenant"),
        ("tenant create alpha --mode prefix", "exists in mode table"),
        ("tenant create Bad", "bad name"),
        ("tenant show html", "does not answer like"),
        ("tenant show moved", "does not answer like"),
        ("tenant show a/../alpha", "there is no such tenant"),
        ("tenant show ..", "there is no tenant"),
    ] {
        let (code, out, err) = parts(&stub.run(line));
        assert_eq!((code, out.as_str()), (1, ""), "{line}: {err}");
        assert!(err.contains(said), "{line}: {err}");
    }
}

#[test]
fn a_token_that_is_missing_or_wrong_is_named_and_never_shown() {
    let stub = Stub::start();
    let admin = ("TIDB_MESH_ADMIN", stub.address.as_str());
    let (code, _, err) = parts(&run("tenant list", &[admin]));
    assert_eq!(code, 1);
    assert!(err.contains("--token-file"), "{err}");

    let mut other = tempfile::NamedTempFile::new().unwrap();
    write!(other, "fedcba9876543210").unwrap();
    let path = other.path().to_str().unwrap();
    let (code, _, err) = parts(&run(
        "tenant list",
        &[admin, ("TIDB_MESH_TOKEN_FILE", path)],
    ));
    assert_eq!(code, 1);
    assert!(
        err.contains("does not accept") && !err.contains("fedcba"),
        "{err}"
    );

    let absent = ("TIDB_MESH_TOKEN_FILE", "/nonexistent/token");
    let (code, _, err) = parts(&run("tenant list", &[admin, absent]));
    assert_eq!(code, 2);
    assert!(err.contains("/nonexistent/token"), "{err}");
}

#[test]
fn commands_that_cannot_be_meant_exit_with_2() {
    let stub = Stub::start();
    for line in [
        "",
        "tenant",
        "tenant create",
        "tenant create a --mode v2",
        "tenant show",
        "tenant delete alpha",
        "tenant list --admin https://127.0.0.1:1",
        "tenant list --admin http://127.0.0.1:1/path",
        "tenant list --output yaml",
        "completion tcsh",
    ] {
        let (code, out, err) = parts(&stub.run(line));
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {err}");
    }
    let (code, _, err) = parts(&run("tenant list", &[]));
    assert_eq!(code, 2);
    assert!(err.contains("TIDB_MESH_ADMIN"), "{err}");
}

#[test]
fn a_gateway_that_is_away_is_named() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, out, err) = parts(&run(&format!("tenant list --admin {unused}"), &[]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains(&format!("no gateway answers at {unused}")),
        "{err}"
    );
    assert!(err.to_lowercase().contains("refused"), "{err}");
}

#[test]
fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = parts(&run(&format!("completion {shell}"), &[]));
        assert_eq!(code, 0);
        assert!(
            out.contains("tidb-mesh") && out.contains("tenant"),
            "{shell}"
        );
    }
    let (code, out, _) = parts(&run("--help", &[]));
    assert_eq!(code, 0);
    assert!(
        out.contains("TIDB_MESH_ADMIN") && out.contains("Exit codes"),
        "{out}"
    );
}
