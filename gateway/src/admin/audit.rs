//! Who changed what, when, and how it ended: one line when a change begins and one when it ends.
//!
//! Lines go to the log's target `audit`, and to a file if one is configured. What must stay true: no
//! change begins that could not be written down, and one that began is written down to its end even
//! when the caller hangs up.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::error::Reason;
use super::identity::Identity;
use super::operations::tenant_in_path;
use super::{AdminError, MAX_BODY_BYTES, TenantName};

/// Where changes are written down.
#[derive(Default)]
pub struct AuditLog {
    file: Option<Mutex<File>>,
}

/// Members of bodies that are written down: names, modes, limits.
const WORDS: [&str; 2] = ["name", "mode"];
const LIMITS: [&str; 6] = [
    "requests_per_second",
    "bytes_per_second",
    "in_flight_requests",
    "in_flight_bytes",
    "connections",
    "weight",
];

/// One change. Fields of a line are added, never renamed.
struct Change {
    id: String,
    who: String,
    role: &'static str,
    what: &'static str,
    tenant: String,
    change: Value,
}

impl AuditLog {
    /// A log that is also appended to `file`.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn open(file: Option<&Path>) -> std::io::Result<AuditLog> {
        let append = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(AuditLog {
            file: file.map(append).transpose()?.map(Mutex::new),
        })
    }

    /// Writes down what the gateway itself does to a tenant.
    pub fn note(&self, what: &'static str, tenant: &str, change: Value) {
        let change = Change {
            id: id(),
            who: "gateway".to_owned(),
            role: "gateway",
            what,
            tenant: tenant.to_owned(),
            change,
        };
        if let Err(fault) = self.write(&change, "done", None) {
            tracing::error!(error = %fault, "audit file not written");
        }
    }

    fn write(&self, change: &Change, outcome: &str, reason: Option<&str>) -> std::io::Result<()> {
        let Change {
            id,
            who,
            role,
            what,
            tenant,
            change,
        } = change;
        tracing::info!(
            target: "audit",
            id, who, role, what, tenant, %change, outcome, reason = reason.unwrap_or_default()
        );
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut line = json!({
            "at": now(), "id": id, "who": who, "role": role, "what": what, "tenant": tenant,
            "change": change, "outcome": outcome, "reason": reason,
        })
        .to_string();
        line.push('\n');
        let mut file = file.lock();
        file.write_all(line.as_bytes())?;
        file.flush()
    }
}

fn id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Seconds since 1970, with milliseconds.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| {
        f64::from(u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
            + f64::from(since.subsec_millis()) / 1000.0
    })
}

/// Runs an operation that changes something, and writes it down.
pub(super) async fn audited(
    State((log, what)): State<(Arc<AuditLog>, &'static str)>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, AdminError> {
    let params = params?;
    if super::dry_run::is_meant(request.uri()) {
        return Ok(next.run(request).await);
    }
    let (change, request) = begun(&log, what, &params, request).await?;
    Ok(finished(log, change, request, next).await)
}

async fn begun(
    log: &AuditLog,
    what: &'static str,
    params: &RawPathParams,
    request: Request,
) -> Result<(Change, Request), AdminError> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await;
    let body = body.map_err(|_| AdminError::TooLarge("the body is too large".to_owned()))?;
    let asked = serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null);
    let named = tenant_in_path(params).map(str::to_owned);
    let tenant = named.or_else(|| asked.get("name").and_then(Value::as_str).map(str::to_owned));
    let caller = head.extensions.get::<Identity>();
    let change = Change {
        id: id(),
        who: caller.map_or_else(String::new, |caller| caller.name.clone()),
        role: caller.map_or("", |caller| caller.role.as_str()),
        what,
        // What is no name stays out, whatever it is.
        tenant: tenant
            .filter(|name| name.parse::<TenantName>().is_ok())
            .unwrap_or_default(),
        change: known(asked),
    };
    log.write(&change, "begun", None).map_err(|fault| {
        tracing::error!(error = %fault, "audit file not written");
        AdminError::Unavailable("the change can't be written to the audit file".to_owned())
    })?;
    Ok((change, Request::from_parts(head, Body::from(body))))
}

/// What is written down of a body. Whatever else somebody sent, perhaps a password by mistake, is
/// nobody's to read.
fn known(asked: Value) -> Value {
    let Value::Object(mut members) = asked else {
        return Value::Object(Map::new());
    };
    members.retain(|member, value| match value {
        Value::Null | Value::Number(_) => LIMITS.contains(&member.as_str()),
        Value::String(word) => {
            WORDS.contains(&member.as_str()) && word.len() <= TenantName::MAX_LEN
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    });
    Value::Object(members)
}

/// The work runs on when the caller hangs up: nothing is left half done, nothing unwritten.
async fn finished(log: Arc<AuditLog>, change: Change, request: Request, next: Next) -> Response {
    let work = tokio::spawn(async move {
        let answered = tokio::spawn(async move { next.run(request).await }).await;
        let answer = answered.unwrap_or_else(|error| {
            tracing::error!(%error, "an admin call's task ended before its time");
            AdminError::Internal("the call ended before its time".to_owned()).into_response()
        });
        let reason = answer.extensions().get::<Reason>();
        let reason = reason.map(|Reason(text)| text.as_str());
        if let Err(fault) = log.write(&change, outcome(answer.status()), reason) {
            tracing::error!(error = %fault, "audit file not written");
        }
        answer
    });
    work.await.unwrap_or_else(|_| {
        AdminError::Internal("the call ended before its time".to_owned()).into_response()
    })
}

fn outcome(status: StatusCode) -> &'static str {
    match status {
        status if status.is_success() => "done",
        StatusCode::FORBIDDEN => "denied",
        status if status.is_client_error() => "refused",
        _ => "failed",
    }
}
