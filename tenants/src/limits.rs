//! What a tenant may take of what all tenants share.
//!
//! Kept in the record, so a change reaches every gateway with the record and needs no restart. A
//! member that is absent sets no bound. Each gateway applies them by itself: with several replicas
//! a tenant that spreads its connections may get each bound once per replica.

use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

/// Bounds of one tenant, per gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests per second, those inside BatchCommands frames counted one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Message bytes per second, both directions together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<NonZeroU32>,
    /// Requests sent to stores and not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_requests: Option<NonZeroU32>,
    /// Bytes of those requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_bytes: Option<NonZeroU64>,
    /// Open connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<NonZeroU32>,
    /// Share when tenants compete for a worker; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<NonZeroU32>,
}

impl Limits {
    /// Whether no bound is set.
    pub fn is_unbounded(&self) -> bool {
        *self == Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_form_is_pinned_and_nought_is_no_bound() {
        let limits = Limits {
            requests_per_second: NonZeroU32::new(100),
            in_flight_bytes: NonZeroU64::new(1 << 40),
            ..Limits::default()
        };
        let json = json!({"requests_per_second": 100, "in_flight_bytes": 1_099_511_627_776_u64});
        assert_eq!(serde_json::to_value(limits).unwrap(), json);
        assert_eq!(serde_json::from_value::<Limits>(json).unwrap(), limits);
        assert!(serde_json::from_value::<Limits>(json!({"connections": 0})).is_err());
        assert!(Limits::default().is_unbounded() && !limits.is_unbounded());
    }
}
