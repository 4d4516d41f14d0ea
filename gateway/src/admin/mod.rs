//! Admin API, health and metrics: the one HTTP listener that is not for tenants.
//!
//! | path | methods | token |
//! |---|---|---|
//! | `/v1/tenants` | `POST`, `GET` | yes |
//! | `/v1/tenants/{name}` | `GET`, `DELETE` | yes |
//! | `/live`, `/ready`, `/metrics` | `GET` | no |
//!
//! What must stay true: nothing below `/v1/` is reached, not even its 404, without the token;
//! every answer that is not a success has the body `{"error": {"code", "message"}}`; a name is
//! checked here, so that behind this module there are only [`TenantName`]s.

mod error;
mod probes;
mod tenants;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

pub use error::AdminError;
pub use mesh_tenants::{Creation as Created, TenantName};
pub use probes::Probes;
pub use token::{Token, TokenFault};

use mesh_admin_client::{ModeChoice, Tenant};

/// Largest request body; a creation has some hundred bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What the admin API does to tenants.
#[async_trait::async_trait]
pub trait TenantService: Send + Sync + 'static {
    /// Creates a tenant and returns once its listeners answer and its regions are cut. The same
    /// name with a mode that [accepts](ModeChoice::accepts) the tenant's is not an error.
    async fn create(
        &self,
        name: TenantName,
        mode: ModeChoice,
    ) -> Result<(Tenant, Created), AdminError>;

    /// A tenant; [`AdminError::NotFound`] if there is none.
    async fn get(&self, name: &TenantName) -> Result<Tenant, AdminError>;

    /// All tenants, by name.
    async fn list(&self) -> Result<Vec<Tenant>, AdminError>;

    /// Ends serving a tenant and has its data destroyed; returns it in its last known state.
    async fn delete(&self, name: &TenantName) -> Result<Tenant, AdminError>;
}

/// What the admin listener needs.
#[derive(Clone)]
pub struct AdminState {
    /// Acts on tenants.
    pub tenants: Arc<dyn TenantService>,
    /// Tells health and metrics.
    pub probes: Arc<dyn Probes>,
    /// Opens `/v1/`.
    pub token: Arc<Token>,
}

/// The listener's routes.
pub fn router(state: AdminState) -> Router {
    let api = Router::new()
        .route("/v1/tenants", get(tenants::list).post(tenants::create))
        .route(
            "/v1/tenants/{name}",
            get(tenants::show).delete(tenants::delete),
        )
        .route("/v1/{*rest}", axum::routing::any(error::no_such_path))
        .method_not_allowed_fallback(error::no_such_method)
        .layer(from_fn_with_state(Arc::clone(&state.token), token::require))
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
