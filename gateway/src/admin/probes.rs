//! Health and metrics, open to whoever reaches the listener.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::AdminState;

/// What the gateway tells about itself.
pub trait Probes: Send + Sync + 'static {
    /// Whether new work may be sent here.
    ///
    /// # Errors
    /// The reason why not, in a few words for people.
    fn ready(&self) -> Result<(), String>;

    /// Metrics in OpenMetrics text form.
    fn metrics(&self) -> String;
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process runs and answers; whether it can work is `/ready`'s matter.
pub(super) async fn live() -> &'static str {
    "live\n"
}

pub(super) async fn ready(State(state): State<AdminState>) -> (StatusCode, String) {
    match state.probes.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {why}\n"),
        ),
    }
}

pub(super) async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], state.probes.metrics())
}
