//! `/v1/tenants` and what is below.

use axum::Extension;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use mesh_admin_client::{
    CreateTenant, Limits, RenameTenant, Tenant, TenantList, TenantState, Usage,
};
use serde::de::DeserializeOwned;

use super::dry_run::{self, planned};
use super::{AdminError, AdminState, Created, Identity, TenantName};

type Name = Result<Path<String>, PathRejection>;
type Body = Result<Json<serde_json::Value>, JsonRejection>;

pub(super) async fn create(
    State(state): State<AdminState>,
    uri: Uri,
    body: Body,
) -> Result<Response, AdminError> {
    let query = dry_run::asked(&uri)?;
    let body: CreateTenant = known_members(body)?;
    let name = checked(&body.name)?;
    if query.dry_run {
        return match state.tenants.get(&name).await {
            Ok(found) if body.mode.accepts(found.mode) => Ok(planned(
                "create",
                Some(found),
                &["it exists as asked for: nothing changes"],
            )),
            Ok(found) => Err(AdminError::Conflict(format!(
                "tenant {name} exists in mode {}",
                found.mode
            ))),
            Err(AdminError::NotFound(_)) => Ok(planned(
                "create",
                None,
                &[
                    "an id and ports are taken",
                    "regions are cut at the tenant's bounds",
                    "its ports open",
                ],
            )),
            Err(error) => Err(error),
        };
    }
    let (tenant, created) = state.tenants.create(name, body.mode).await?;
    let status = match created {
        Created::New => StatusCode::CREATED,
        Created::Existing => StatusCode::OK,
    };
    Ok((status, Json(tenant)).into_response())
}

pub(super) async fn list(
    State(state): State<AdminState>,
    Extension(caller): Extension<Identity>,
) -> Result<Json<TenantList>, AdminError> {
    let mut tenants = state.tenants.list().await?;
    tenants.retain(|tenant| caller.sees(&tenant.name));
    Ok(Json(TenantList { tenants }))
}

pub(super) async fn show(
    State(state): State<AdminState>,
    name: Name,
) -> Result<Json<Tenant>, AdminError> {
    Ok(Json(state.tenants.get(&from_path(name)?).await?))
}

pub(super) async fn delete(
    State(state): State<AdminState>,
    uri: Uri,
    name: Name,
) -> Result<Response, AdminError> {
    let name = from_path(name)?;
    if dry_run::asked(&uri)?.dry_run {
        let tenant = state.tenants.get(&name).await?;
        let effects = [
            "every connection is cut",
            "all data is destroyed, and proven gone",
            "the name becomes free at once, id and ports after a quarantine",
        ];
        return Ok(planned("delete", Some(tenant), &effects));
    }
    Ok(Json(state.tenants.delete(&name).await?).into_response())
}

pub(super) async fn suspend(
    State(state): State<AdminState>,
    uri: Uri,
    name: Name,
) -> Result<Response, AdminError> {
    let name = from_path(name)?;
    if dry_run::asked(&uri)?.dry_run {
        let tenant = living(state.tenants.get(&name).await?)?;
        let effects = [
            "every connection is cut and new ones are refused",
            "data is kept, old snapshots are not",
        ];
        return Ok(planned("suspend", Some(tenant), &effects));
    }
    Ok(Json(state.tenants.suspend(&name).await?).into_response())
}

pub(super) async fn resume(
    State(state): State<AdminState>,
    uri: Uri,
    name: Name,
) -> Result<Response, AdminError> {
    let name = from_path(name)?;
    if dry_run::asked(&uri)?.dry_run {
        let tenant = living(state.tenants.get(&name).await?)?;
        return Ok(planned(
            "resume",
            Some(tenant),
            &["the tenant is served again"],
        ));
    }
    Ok(Json(state.tenants.resume(&name).await?).into_response())
}

pub(super) async fn rename(
    State(state): State<AdminState>,
    uri: Uri,
    name: Name,
    body: Body,
) -> Result<Response, AdminError> {
    let name = from_path(name)?;
    let body: RenameTenant = known_members(body)?;
    let to = checked(&body.name)?;
    if dry_run::asked(&uri)?.dry_run {
        let tenant = living(state.tenants.get(&name).await?)?;
        match state.tenants.get(&to).await {
            Err(AdminError::NotFound(_)) => {}
            Ok(_) => {
                return Err(AdminError::Conflict(format!(
                    "there is a tenant {to} already"
                )));
            }
            Err(error) => return Err(error),
        }
        return Ok(planned(
            "rename",
            Some(tenant),
            &["the name changes and nothing else"],
        ));
    }
    Ok(Json(state.tenants.rename(&name, &to).await?).into_response())
}

pub(super) async fn limits(
    State(state): State<AdminState>,
    name: Name,
) -> Result<Json<Limits>, AdminError> {
    Ok(Json(state.tenants.limits(&from_path(name)?).await?))
}

pub(super) async fn set_limits(
    State(state): State<AdminState>,
    uri: Uri,
    name: Name,
    body: Body,
) -> Result<Response, AdminError> {
    let name = from_path(name)?;
    let limits: Limits = known_members(body)?;
    if dry_run::asked(&uri)?.dry_run {
        let tenant = living(state.tenants.get(&name).await?)?;
        return Ok(planned(
            "set limits",
            Some(tenant),
            &["the limits hold at once, on every gateway"],
        ));
    }
    Ok(Json(state.tenants.set_limits(&name, limits).await?).into_response())
}

pub(super) async fn usage(
    State(state): State<AdminState>,
    name: Name,
) -> Result<Json<Usage>, AdminError> {
    Ok(Json(state.tenants.usage(&from_path(name)?).await?))
}

/// A body whose every member is understood and named: a misspelt limit must not be no limit, and
/// what stands in an array would be missing in the audit log.
fn known_members<T: DeserializeOwned + serde::Serialize>(body: Body) -> Result<T, AdminError> {
    let bad = |why: String| AdminError::BadRequest(why);
    let Json(body) = body?;
    if !body.is_object() {
        return Err(bad("the body is not an object".to_owned()));
    }
    let known: T = serde_json::from_value(body.clone()).map_err(|error| bad(error.to_string()))?;
    let written = serde_json::to_value(&known).map_err(|error| bad(error.to_string()))?;
    let members = body.as_object().into_iter().flatten();
    for (member, value) in members {
        if !value.is_null() && written.get(member).is_none() {
            return Err(bad(format!("there is no {member:?} here")));
        }
    }
    Ok(known)
}

fn living(tenant: Tenant) -> Result<Tenant, AdminError> {
    if tenant.state == TenantState::Destroying {
        let why = format!("tenant {} is destroying", tenant.name);
        return Err(AdminError::Conflict(why));
    }
    Ok(tenant)
}

fn from_path(name: Name) -> Result<TenantName, AdminError> {
    let Path(name) = name.map_err(|rejection| AdminError::BadRequest(rejection.body_text()))?;
    checked(&name)
}

fn checked(name: &str) -> Result<TenantName, AdminError> {
    name.parse()
        .map_err(|error: mesh_tenants::BadTenantName| AdminError::BadRequest(error.to_string()))
}
