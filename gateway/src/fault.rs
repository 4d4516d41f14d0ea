//! What can go wrong on the way, told once: whose fault it is, what the client sees, and under
//! which label it is counted.
//!
//! A fault's text never holds key bytes: it goes to tenants and into logs.

use mesh_keyspace::KeyError;
use tonic::{Code, Status};

use crate::limits::Busy;
use crate::tls::Refusal;

/// A request that is not answered by the storage cluster, or an answer that may not pass.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The RPC is in no table.
    #[error("{path} is not routed by the gateway")]
    UnknownRpc {
        /// Path as the client sent it, cut to a sane length.
        path: String,
    },
    /// The RPC is known and refused.
    #[error("{path} is refused by the gateway: {why}")]
    RefusedRpc {
        /// Path of the RPC.
        path: &'static str,
        /// Reason from the schema.
        why: &'static str,
    },
    /// The client is not who it would have to be for this address.
    #[error("refused by the gateway: {0}")]
    Identity(#[from] Refusal),
    /// The request can be decoded but asks for what a tenant may not have.
    #[error("refused by the gateway: {0}")]
    Refused(String),
    /// The tenant is known and not served now.
    #[error("tenant {tenant} is {state}: its data is kept, and nothing is served to it")]
    NotServed {
        /// Name.
        tenant: String,
        /// Its state, as the registry says it.
        state: &'static str,
    },
    /// The tenant takes more than it may and has waited long enough.
    #[error("tenant is over its limit of {limit}; try again")]
    OverLimit {
        /// Which limit.
        limit: &'static str,
    },
    /// The request can't be decoded or breaks the tables' rules.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// A message above `limits.max_message_bytes`.
    #[error("the message is too large: {0}")]
    TooLarge(String),
    /// A key, range or id of the request lies outside what a tenant may name.
    #[error("bad key: {0}")]
    Key(#[from] KeyError),
    /// The storage cluster's answer can't be handed on.
    #[error("bad answer of the storage cluster: {0}")]
    BadAnswer(String),
    /// The storage cluster can't be reached or has no leader.
    #[error("storage cluster unavailable: {0}")]
    Unavailable(String),
    /// The storage cluster answered with a status of its own: passed verbatim, clients match on it.
    #[error("{}", .0.message())]
    Upstream(Box<Status>),
}

impl From<Busy> for Fault {
    fn from(Busy(limit): Busy) -> Self {
        Fault::OverLimit { limit }
    }
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Fault::Upstream(Box::new(status))
    }
}

impl Fault {
    /// Fault of a status that reading the client's own messages ended with.
    pub fn of_client(status: Status) -> Fault {
        match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => {
                Fault::TooLarge(status.message().to_owned())
            }
            Code::Cancelled => Fault::from(status),
            _ => Fault::BadRequest(status.message().to_owned()),
        }
    }

    /// Fault of a status that a call to the storage cluster ended with. A status that was made on
    /// this side of the wire tells addresses: they are for the log, not for tenants. Of a server's
    /// own, code and text go on, the text without dumps of keys; trailers and details stay.
    pub fn of_storage(status: Status) -> Fault {
        match std::error::Error::source(&status) {
            None => {
                let mut text = Vec::with_capacity(status.message().len());
                crate::undecorate::text::scrub(status.message().as_bytes(), &mut text);
                Fault::from(Status::new(status.code(), String::from_utf8_lossy(&text)))
            }
            Some(source) => {
                tracing::debug!(error = %source, "storage cluster not reached");
                Fault::Unavailable("the connection to it failed".to_owned())
            }
        }
    }

    /// Label under which metrics count the fault; a closed set.
    pub fn label(&self) -> &'static str {
        match self {
            Fault::UnknownRpc { .. } => "unknown_rpc",
            Fault::RefusedRpc { .. } => "refused_rpc",
            Fault::Identity(_) => "identity",
            Fault::Refused(_) => "refused",
            Fault::NotServed { .. } => "not_served",
            Fault::OverLimit { .. } => "over_limit",
            Fault::BadRequest(_) => "bad_request",
            Fault::TooLarge(_) => "too_large",
            Fault::Key(_) => "bad_key",
            Fault::BadAnswer(_) => "bad_answer",
            Fault::Unavailable(_) => "unavailable",
            Fault::Upstream(_) => "upstream",
        }
    }

    fn code(&self) -> Code {
        match self {
            Fault::UnknownRpc { .. } => Code::Unimplemented,
            Fault::RefusedRpc { .. } | Fault::Refused(_) | Fault::Identity(_) => {
                Code::PermissionDenied
            }
            Fault::BadRequest(_) | Fault::Key(_) => Code::InvalidArgument,
            // As TiKV's and Go's gRPC servers answer.
            Fault::TooLarge(_) | Fault::OverLimit { .. } => Code::ResourceExhausted,
            Fault::BadAnswer(_) => Code::Internal,
            Fault::Unavailable(_) | Fault::NotServed { .. } => Code::Unavailable,
            Fault::Upstream(status) => status.code(),
        }
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Upstream(status) => *status,
            other => Status::new(other.code(), other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataMap;

    use super::*;

    #[test]
    fn of_a_servers_status_code_and_text_go_on_and_no_keys_or_trailers() {
        let mut trailers = MetadataMap::new();
        trailers.insert("server", "10.0.0.1:20160".parse().unwrap());
        let told = Status::with_details_and_metadata(
            Code::InvalidArgument,
            "key 7480030000000000055F72 is not in region 7",
            vec![1, 2, 3].into(),
            trailers,
        );
        let status = Status::from(Fault::of_storage(told));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "key ? is not in region 7");
        assert!(status.metadata().is_empty() && status.details().is_empty());
    }
}
