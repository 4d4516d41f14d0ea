//! The API's description. `openapi.json` is written by hand; tests hold it against the router and
//! against the bodies.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

pub(super) const DESCRIPTION: &str = include_str!("openapi.json");

pub(super) async fn serve() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION)
}
