//! The admin API: health and metrics for anybody who reaches the address, the rest for whoever has
//! the token.

mod sessions;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};

pub use token::Token;

use crate::metrics;
use crate::proxy::Proxy;
use crate::route::{Explanation, Question};

/// What handlers share.
#[derive(Clone)]
pub struct Admin {
    /// The proxy.
    pub proxy: Arc<Proxy>,
    /// Whether it takes new sessions.
    pub ready: Arc<AtomicBool>,
}

/// All routes.
pub fn router(admin: Admin, token: Token) -> Router {
    let guarded = Router::new()
        .route("/v1/sessions", get(sessions::list))
        .route("/v1/sessions/{id}", axum::routing::delete(sessions::close))
        .route("/v1/sessions/{id}/migrate", post(sessions::migrate))
        .route("/v1/servers", get(sessions::servers))
        .route(
            "/v1/servers/{address}/drain",
            post(sessions::drain).delete(sessions::undrain),
        )
        .route("/v1/explain-route", get(explain))
        .route("/v1/config", get(config))
        .layer(middleware::from_fn_with_state(token, token::check));
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(render))
        .merge(guarded)
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.ready.load(Relaxed) {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn render(State(admin): State<Admin>) -> Response {
    const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (
        [(header::CONTENT_TYPE, FORM)],
        metrics::render(&admin.proxy),
    )
        .into_response()
}

async fn explain(
    State(admin): State<Admin>,
    Query(mut question): Query<Question>,
) -> Json<Explanation> {
    let config = admin.proxy.config();
    let listener = config
        .listeners
        .iter()
        .find(|one| one.bind.port() == question.port);
    question.listener_tenant = listener.and_then(|one| one.tenant.clone());
    Json(admin.proxy.table().explain(&question))
}

async fn config(State(admin): State<Admin>) -> Json<crate::config::Config> {
    Json((*admin.proxy.config()).clone())
}
