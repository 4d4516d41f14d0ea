//! What the admin API answers when it can't do what was asked: one status and code per kind.

use axum::Json;
use axum::extract::rejection::{JsonRejection, RawPathParamsRejection};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use mesh_admin_client::{ErrorBody, ErrorCode, ErrorDetail};
use mesh_tenants::{EtcdError, RegistryError};

/// A refused or failed call of the admin API. The texts go to the caller.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The request can't be meant.
    #[error("{0}")]
    BadRequest(String),
    /// No bearer token.
    #[error("a bearer token is required")]
    Unauthorized,
    /// A wrong bearer token.
    #[error("the bearer token is not accepted")]
    Forbidden,
    /// A caller that is known and may not do this.
    #[error("{0}")]
    Denied(String),
    /// No such tenant or path.
    #[error("{0}")]
    NotFound(String),
    /// The path takes other methods.
    #[error("{0}")]
    MethodNotAllowed(String),
    /// The tenant exists otherwise, or its state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The body is too large.
    #[error("{0}")]
    TooLarge(String),
    /// Known, but not offered for this storage cluster.
    #[error("{0}")]
    Unsupported(String),
    /// The registry or the storage cluster can't be reached.
    #[error("{0}")]
    Unavailable(String),
    /// No id or no port is left.
    #[error("{0}")]
    Exhausted(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

/// Goes with an answer that is not a success, for the audit log.
#[derive(Clone)]
pub(super) struct Reason(pub(super) String);

impl AdminError {
    fn kind(&self) -> (StatusCode, ErrorCode) {
        match self {
            AdminError::BadRequest(_) => (StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
            AdminError::Unauthorized => (StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized),
            AdminError::Forbidden => (StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            AdminError::Denied(_) => (StatusCode::FORBIDDEN, ErrorCode::Denied),
            AdminError::NotFound(_) => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
            AdminError::MethodNotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed)
            }
            AdminError::Conflict(_) => (StatusCode::CONFLICT, ErrorCode::Conflict),
            AdminError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge),
            AdminError::Unsupported(_) => (StatusCode::NOT_IMPLEMENTED, ErrorCode::Unsupported),
            AdminError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable),
            AdminError::Exhausted(_) => (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Exhausted),
            AdminError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal),
        }
    }
}

impl From<RegistryError> for AdminError {
    fn from(error: RegistryError) -> Self {
        let message = error.to_string();
        match error {
            RegistryError::NotFound(_) => AdminError::NotFound(message),
            RegistryError::OtherMode { .. }
            | RegistryError::NameTaken(_)
            | RegistryError::Transition { .. }
            | RegistryError::WrongState { .. }
            | RegistryError::NotReserved(_) => AdminError::Conflict(message),
            RegistryError::IdsExhausted(_) | RegistryError::PortsExhausted { .. } => {
                AdminError::Exhausted(message)
            }
            RegistryError::Contended => AdminError::Unavailable(message),
            RegistryError::Etcd(EtcdError::Malformed(_)) => AdminError::Internal(message),
            RegistryError::Etcd(_) => AdminError::Unavailable(message),
        }
    }
}

impl From<RawPathParamsRejection> for AdminError {
    fn from(rejection: RawPathParamsRejection) -> Self {
        AdminError::BadRequest(rejection.body_text())
    }
}

impl From<JsonRejection> for AdminError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return AdminError::TooLarge(rejection.body_text());
        }
        AdminError::BadRequest(rejection.body_text())
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let (status, code) = self.kind();
        if status.is_server_error() {
            tracing::warn!(%status, error = %self, "admin call failed");
        }
        let message = self.to_string();
        let reason = Reason(match self {
            // These texts repeat what the body said.
            AdminError::BadRequest(_) => "bad request".to_owned(),
            _ => message.clone(),
        });
        let error = ErrorDetail { code, message };
        let mut answer = (status, Json(ErrorBody { error })).into_response();
        answer.extensions_mut().insert(reason);
        answer
    }
}

pub(super) async fn no_such_path(uri: Uri) -> AdminError {
    AdminError::NotFound(format!("there is no {}", uri.path()))
}

pub(super) async fn no_such_method(method: Method, uri: Uri) -> AdminError {
    AdminError::MethodNotAllowed(format!("{} does not take {method}", uri.path()))
}
