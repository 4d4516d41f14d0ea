//! Every operation of the API in one table: what it is called in the audit log, what it does as far
//! as permission goes, and who serves it.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::HeaderValue;
use axum::http::header::WWW_AUTHENTICATE;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};

use super::audit::audited;
use super::identity::{Action, Authenticator, Identity};
use super::{AdminError, AdminState, AuditLog, openapi, tenants};

/// The operations below `/v1/`.
pub(super) fn routes(state: &AdminState) -> Router<AdminState> {
    let log = &state.audit;
    let look = |handler| allowed(Action::Look, handler);
    let operate = |what, handler| written(log, what, allowed(Action::Operate, handler));
    let govern = |what, handler| written(log, what, allowed(Action::Govern, handler));
    Router::new()
        .route("/v1/openapi.json", look(get(openapi::serve)))
        .route("/v1/tenants", look(get(tenants::list)))
        .route("/v1/tenants", govern("create", post(tenants::create)))
        .route("/v1/tenants/{name}", look(get(tenants::show)))
        .route(
            "/v1/tenants/{name}",
            govern("delete", delete(tenants::delete)),
        )
        .route(
            "/v1/tenants/{name}/suspend",
            operate("suspend", post(tenants::suspend)),
        )
        .route(
            "/v1/tenants/{name}/resume",
            operate("resume", post(tenants::resume)),
        )
        .route(
            "/v1/tenants/{name}/rename",
            govern("rename", post(tenants::rename)),
        )
        .route("/v1/tenants/{name}/limits", look(get(tenants::limits)))
        .route(
            "/v1/tenants/{name}/limits",
            govern("set limits", put(tenants::set_limits)),
        )
        .route("/v1/tenants/{name}/usage", look(get(tenants::usage)))
}

fn allowed(action: Action, handler: MethodRouter<AdminState>) -> MethodRouter<AdminState> {
    let check = move |params, request, next| authorized(action, params, request, next);
    handler.layer(from_fn(check))
}

/// Outside of the permission: attempts that are denied are written down too.
fn written(
    log: &Arc<AuditLog>,
    what: &'static str,
    handler: MethodRouter<AdminState>,
) -> MethodRouter<AdminState> {
    handler.layer(from_fn_with_state((Arc::clone(log), what), audited))
}

/// Lets nobody in who is not known.
pub(super) async fn identified(
    State(callers): State<Arc<dyn Authenticator>>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    match callers.identify(&head) {
        Ok(identity) => {
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        Err(error) => {
            let mut refusal = error.into_response();
            let challenge = HeaderValue::from_static("Bearer");
            refusal.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            refusal
        }
    }
}

async fn authorized(
    action: Action,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, AdminError> {
    let params = params?;
    let caller = request.extensions().get::<Identity>();
    let caller = caller.ok_or(AdminError::Unauthorized)?;
    caller.may(action, tenant_in_path(&params))?;
    Ok(next.run(request).await)
}

/// The tenant that an operation's path names.
pub(super) fn tenant_in_path(params: &RawPathParams) -> Option<&str> {
    let named = params.iter().find(|(name, _)| *name == "name");
    named.map(|(_, name)| name)
}
