//! Why a call of the admin API failed, in words that name the remedy.

use std::path::PathBuf;

use crate::ErrorCode;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is no `host:port` or URL.
    #[error("admin address {address:?} can't be used: {why}")]
    BadAddress {
        /// As given.
        address: String,
        /// Reason.
        why: String,
    },
    /// The token file can't be read.
    #[error("token file {path} can't be read: {why}")]
    TokenFile {
        /// Path.
        path: PathBuf,
        /// Reason; never the content.
        why: String,
    },
    /// Nobody answers at the address.
    #[error("no gateway answers at {address}: {why}")]
    Unreachable {
        /// Address.
        address: String,
        /// Reason.
        why: String,
    },
    /// The answer did not come in time; a creation or deletion may still be going on.
    #[error(
        "the gateway at {address} did not answer within {seconds} s; the call may still be going on"
    )]
    TimedOut {
        /// Address.
        address: String,
        /// Bound in seconds.
        seconds: u64,
    },
    /// 401: the request carried no token.
    #[error(
        "the gateway wants a token: give its admin token file (--token-file or TIDB_MESH_TOKEN_FILE)"
    )]
    Unauthorized,
    /// 403: the token is not the gateway's.
    #[error("the gateway does not accept this token: is the token file the one it runs with?")]
    Forbidden,
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// Any other answer of the API that is not a success.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Kind.
        code: ErrorCode,
        /// The gateway's words.
        message: String,
    },
    /// What answers is not the admin API, or one that speaks another version.
    #[error("{address} does not answer like a gateway's admin API: {why}")]
    NotTheApi {
        /// Address.
        address: String,
        /// What was unexpected.
        why: String,
    },
}
