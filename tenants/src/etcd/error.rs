//! What can go wrong between us and etcd, split by what the caller may do about it.

use tonic::{Code, Status};

/// A failed call to etcd.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EtcdError {
    /// An endpoint is not of the form `host:port` or `http://host:port`.
    #[error("etcd endpoint {endpoint:?} can't be used: {why}")]
    BadEndpoint {
        /// As configured.
        endpoint: String,
        /// Reason.
        why: String,
    },
    /// No endpoint could be connected to: the call was not sent.
    #[error("no etcd endpoint of {endpoints} can be reached: {why}")]
    Unreachable {
        /// All endpoints, comma-separated.
        endpoints: String,
        /// Reason of the last attempt.
        why: String,
    },
    /// The call was sent and its answer lost: it may or may not have taken effect.
    #[error("etcd's answer was lost ({why}); the call may have taken effect")]
    Uncertain {
        /// Reason.
        why: String,
    },
    /// etcd answered with a refusal; the call took no effect.
    #[error("etcd refused the call ({code:?}): {message}")]
    Refused {
        /// gRPC code.
        code: Code,
        /// etcd's text.
        message: String,
    },
    /// A watch asked for revisions that are compacted away: list again.
    #[error("the watched revisions are compacted up to {revision}")]
    Compacted {
        /// First revision that is still there.
        revision: i64,
    },
    /// A watch or keep-alive stream ended.
    #[error("the stream ended: {why}")]
    StreamEnded {
        /// Reason.
        why: String,
    },
    /// The lease is gone, and all keys attached to it.
    #[error("the lease has expired")]
    LeaseExpired,
    /// An answer or a stored value is not what it should be.
    #[error("malformed data in etcd: {0}")]
    Malformed(String),
}

impl EtcdError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            EtcdError::Unreachable { .. }
            | EtcdError::Uncertain { .. }
            | EtcdError::StreamEnded { .. } => true,
            EtcdError::Refused { code, .. } => *code == Code::ResourceExhausted,
            EtcdError::BadEndpoint { .. }
            | EtcdError::Compacted { .. }
            | EtcdError::LeaseExpired
            | EtcdError::Malformed(_) => false,
        }
    }

    /// Sorts a status. Codes that etcd or a transport also uses after a proposal was made leave
    /// the outcome open.
    pub(super) fn from_status(status: &Status) -> EtcdError {
        match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::Aborted
            | Code::DataLoss => EtcdError::Uncertain {
                why: status.to_string(),
            },
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => EtcdError::Refused {
                code: status.code(),
                message: status.message().to_owned(),
            },
        }
    }
}
