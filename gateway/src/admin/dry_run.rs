//! `?dry_run=true`: everything is checked, nothing is changed, and the answer says what would be.

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use mesh_admin_client::{Planned, Tenant};
use serde::Deserialize;

use super::AdminError;

/// The only thing that a query of a change may say: a misspelt `dry_run` must not be a change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DryRun {
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// Whether a request only asks what would be.
pub(super) fn is_meant(uri: &Uri) -> bool {
    asked(uri).is_ok_and(|query| query.dry_run)
}

/// What a request's query says.
pub(super) fn asked(uri: &Uri) -> Result<DryRun, AdminError> {
    let query = axum::extract::Query::<DryRun>::try_from_uri(uri);
    query
        .map(|query| query.0)
        .map_err(|rejection| AdminError::BadRequest(rejection.body_text()))
}

/// The answer to a dry run.
pub(super) fn planned(action: &str, tenant: Option<Tenant>, effects: &[&str]) -> Response {
    let planned = Planned {
        dry_run: true,
        action: action.to_owned(),
        tenant,
        effects: effects.iter().map(|effect| (*effect).to_owned()).collect(),
    };
    Json(planned).into_response()
}
