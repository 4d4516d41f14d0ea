//! `/v1/tenants`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mesh_admin_client::{CreateTenant, Tenant, TenantList};

use super::{AdminError, AdminState, Created, TenantName};

pub(super) async fn create(
    State(state): State<AdminState>,
    body: Result<Json<CreateTenant>, JsonRejection>,
) -> Result<(StatusCode, Json<Tenant>), AdminError> {
    let Json(body) = body?;
    let name = checked(&body.name)?;
    // A client that hangs up must not leave a tenant half made: the work runs on without it.
    let work = tokio::spawn(async move { state.tenants.create(name, body.mode).await });
    let (tenant, created) = joined(work.await)?;
    let status = match created {
        Created::New => StatusCode::CREATED,
        Created::Existing => StatusCode::OK,
    };
    Ok((status, Json(tenant)))
}

pub(super) async fn list(State(state): State<AdminState>) -> Result<Json<TenantList>, AdminError> {
    Ok(Json(TenantList {
        tenants: state.tenants.list().await?,
    }))
}

pub(super) async fn show(
    State(state): State<AdminState>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Tenant>, AdminError> {
    Ok(Json(state.tenants.get(&from_path(name)?).await?))
}

pub(super) async fn delete(
    State(state): State<AdminState>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Tenant>, AdminError> {
    let name = from_path(name)?;
    let work = tokio::spawn(async move { state.tenants.delete(&name).await });
    Ok(Json(joined(work.await)?))
}

fn from_path(name: Result<Path<String>, PathRejection>) -> Result<TenantName, AdminError> {
    let Path(name) = name.map_err(|rejection| AdminError::BadRequest(rejection.body_text()))?;
    checked(&name)
}

fn checked(name: &str) -> Result<TenantName, AdminError> {
    name.parse()
        .map_err(|error: mesh_tenants::BadTenantName| AdminError::BadRequest(error.to_string()))
}

fn joined<T>(
    outcome: Result<Result<T, AdminError>, tokio::task::JoinError>,
) -> Result<T, AdminError> {
    match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "an admin call's task ended before its time");
            Err(AdminError::Internal(
                "the call ended before its time".to_owned(),
            ))
        }
    }
}
