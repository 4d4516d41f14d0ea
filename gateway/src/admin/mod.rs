//! Admin API, health and metrics: the one HTTP listener that is not for tenants.
//!
//! | path | methods | least role |
//! |---|---|---|
//! | `/v1/tenants` | `GET`, `POST` | viewer, operator |
//! | `/v1/tenants/{name}` | `GET`, `DELETE` | viewer, operator |
//! | `/v1/tenants/{name}/suspend`, `…/resume` | `POST` | tenant admin |
//! | `/v1/tenants/{name}/rename` | `POST` | operator |
//! | `/v1/tenants/{name}/limits` | `GET`, `PUT` | viewer, operator |
//! | `/v1/tenants/{name}/usage` | `GET` | viewer |
//! | `/v1/openapi.json` | `GET` | viewer |
//! | `/live`, `/ready`, `/metrics` | `GET` | none |
//!
//! What must stay true: nothing below `/v1/` is reached, not even its 404, by a caller that is not
//! known; every operation is made by [`operations`], so it has an action that its caller's role must
//! allow, and a line in the audit log if it changes something; every answer that is not a success
//! has the body `{"error": {"code", "message"}}`; a name is checked here, so that behind this module
//! there are only [`TenantName`]s.

mod audit;
mod dry_run;
mod error;
mod identity;
mod openapi;
mod operations;
mod probes;
mod service;
mod tenants;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

pub use audit::AuditLog;
pub use error::AdminError;
pub use identity::{Action, Authenticator, Identity, Role};
pub use mesh_tenants::{Creation as Created, TenantName};
pub use probes::Probes;
pub use service::TenantService;
pub use token::{TokenFault, Tokens};

/// Largest request body; a creation has some hundred bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What the admin listener needs.
#[derive(Clone)]
pub struct AdminState {
    /// Acts on tenants.
    pub tenants: Arc<dyn TenantService>,
    /// Tells health and metrics.
    pub probes: Arc<dyn Probes>,
    /// Tells who calls.
    pub callers: Arc<dyn Authenticator>,
    /// Is told of every change.
    pub audit: Arc<AuditLog>,
}

/// The listener's routes.
pub fn router(state: AdminState) -> Router {
    let api = operations::routes(&state)
        .route("/v1/{*rest}", axum::routing::any(error::no_such_path))
        .method_not_allowed_fallback(error::no_such_method)
        .layer(from_fn_with_state(
            Arc::clone(&state.callers),
            operations::identified,
        ))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    Router::new()
        .route("/live", get(probes::live))
        .route("/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .method_not_allowed_fallback(error::no_such_method)
        .merge(api)
        .fallback(error::no_such_path)
        .with_state(state)
}

#[cfg(test)]
mod tests;
