//! Why a call was not answered, as PD would say it: a status and a JSON string.
//!
//! A text of PD's can hold other tenants' keys and real addresses, so it passes only when it
//! shows neither.

use http::StatusCode;
use mesh_keyspace::KeyError;

use crate::fault::Fault;

/// A call that gets no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    BadRequest(String),
    /// PD's own status and text, the text already safe to show.
    #[error("{text}")]
    Upstream { status: StatusCode, text: String },
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A key of the request that is none.
impl From<KeyError> for Problem {
    fn from(fault: KeyError) -> Self {
        Problem::BadRequest(fault.to_string())
    }
}

impl Problem {
    /// PD answered in a shape that is not PD's.
    pub(super) fn bad_answer(what: &str) -> Problem {
        Problem::Fault(Fault::BadAnswer(what.to_owned()))
    }

    pub(super) fn into_fault(self) -> Fault {
        match self {
            Problem::Fault(fault) => fault,
            other => Fault::BadAnswer(other.to_string()),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Problem::Refused(_) => StatusCode::FORBIDDEN,
            Problem::NotFound(_) => StatusCode::NOT_FOUND,
            Problem::BadRequest(_) => StatusCode::BAD_REQUEST,
            Problem::Upstream { status, .. } => *status,
            Problem::Fault(Fault::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What of a text of PD's a tenant may read: all, or nothing of it. `addresses` are the real
/// cluster's.
pub(super) fn shown(text: &str, addresses: &[String]) -> String {
    const LONGEST: usize = 1024;
    let names_address = addresses
        .iter()
        .any(|address| text.contains(address.as_str()));
    if text.len() > LONGEST || names_address || text.contains("://") || shows_key(text) {
        return "PD refused the call; its reason is not shown to tenants".to_owned();
    }
    text.to_owned()
}

/// Keys are printed as hexadecimal digits or as escaped bytes.
fn shows_key(text: &str) -> bool {
    const SHORTEST_KEY: usize = 12;
    let mut run = 0;
    let long_hex = text.bytes().any(|byte| {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        run >= SHORTEST_KEY
    });
    long_hex || text.contains("\\x") || text.contains("\\u") || text.contains("\\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_addresses_or_keys_are_not_shown() {
        let addresses = ["127.0.0.1:20160".to_owned()];
        for hidden in [
            "store 127.0.0.1:20160 is down",
            "see http://pd:2379/x",
            "region [7480000000000000FF, )",
            "key t\\x80\\x00",
        ] {
            assert!(
                shown(hidden, &addresses).starts_with("PD refused"),
                "{hidden}"
            );
        }
        for passed in [
            "rule not found",
            "[PD:placement:ErrRuleContent]invalid rule",
            "region 12",
        ] {
            assert_eq!(shown(passed, &addresses), passed);
        }
    }
}
