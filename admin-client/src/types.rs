//! JSON bodies of the admin API.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

use mesh_keyspace::Mode;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/tenants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// Name of the new tenant.
    pub name: String,
    /// Mode of its keyspace.
    #[serde(default)]
    pub mode: ModeChoice,
}

/// A mode as asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ModeChoice {
    /// The best that the stores allow, decided once, when the tenant is created.
    #[default]
    Auto,
    /// This one.
    Fixed(Mode),
}

/// A word that names no choice of a mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode {0:?}: expected auto, table, keyspace or prefix")]
pub struct UnknownModeChoice(String);

impl ModeChoice {
    /// Every choice.
    pub const ALL: [ModeChoice; 4] = [
        ModeChoice::Auto,
        ModeChoice::Fixed(Mode::Table),
        ModeChoice::Fixed(Mode::Keyspace),
        ModeChoice::Fixed(Mode::Prefix),
    ];

    /// The word for the choice.
    pub const fn as_str(self) -> &'static str {
        match self {
            ModeChoice::Auto => "auto",
            ModeChoice::Fixed(mode) => mode.as_str(),
        }
    }

    /// Whether a tenant that exists in `mode` is what was asked for.
    pub fn accepts(self, mode: Mode) -> bool {
        match self {
            ModeChoice::Auto => true,
            ModeChoice::Fixed(asked) => asked == mode,
        }
    }
}

impl fmt::Display for ModeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ModeChoice {
    type Err = UnknownModeChoice;

    fn from_str(word: &str) -> Result<Self, UnknownModeChoice> {
        let found = ModeChoice::ALL
            .into_iter()
            .find(|choice| choice.as_str() == word);
        found.ok_or_else(|| UnknownModeChoice(word.to_owned()))
    }
}

impl TryFrom<String> for ModeChoice {
    type Error = UnknownModeChoice;

    fn try_from(word: String) -> Result<Self, UnknownModeChoice> {
        word.parse()
    }
}

impl From<ModeChoice> for String {
    fn from(choice: ModeChoice) -> String {
        choice.as_str().to_owned()
    }
}

/// A tenant as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Name.
    pub name: String,
    /// Id within the mode.
    pub id: u32,
    /// Mode of the keyspace.
    pub mode: Mode,
    /// Where in its life the tenant is.
    pub state: TenantState,
    /// `host:port` that clients of the tenant take as their PD address.
    pub pd: String,
    /// Addresses that stand for the stores.
    pub stores: Vec<Store>,
    /// What the tenant owns of the shared stores' key space.
    pub ranges: Vec<KeyRange>,
}

/// Body of `POST /v1/tenants/{name}/rename`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameTenant {
    /// New name.
    pub name: String,
}

/// What a tenant may take of each gateway; what is left out is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Message bytes per second, both directions together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<NonZeroU32>,
    /// Requests not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_requests: Option<NonZeroU32>,
    /// Their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_bytes: Option<NonZeroU64>,
    /// Open connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<NonZeroU32>,
    /// Share when tenants compete; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<NonZeroU32>,
}

/// What a tenant takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Name.
    pub tenant: String,
    /// On the whole storage cluster.
    pub disk: DiskUse,
    /// Of the gateway that answers; each replica has its own.
    pub gateway: Rates,
}

/// What a tenant's regions take, as PD last heard; each copy counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// Bytes, to a mebibyte per region.
    pub bytes: u64,
    /// Keys, about.
    pub keys: u64,
    /// Regions.
    pub regions: u64,
}

/// What a tenant takes of one gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Requests per second, over the last seconds.
    pub requests_per_second: f64,
    /// Bytes per second from the tenant.
    pub received_bytes_per_second: f64,
    /// Bytes per second to the tenant.
    pub sent_bytes_per_second: f64,
    /// Requests not answered yet.
    pub in_flight_requests: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// Frames that wait for a limit.
    pub waiting: u64,
    /// Requests told that the server is busy, since the gateway serves the tenant.
    pub refused: u64,
    /// Open connections.
    pub connections: u64,
}

/// Answer to a change with `?dry_run=true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Always `true`.
    pub dry_run: bool,
    /// What was asked for.
    pub action: String,
    /// The tenant as it is now, if there is one.
    pub tenant: Option<Tenant>,
    /// What would be done, for people.
    pub effects: Vec<String>,
}

/// Where in its life a tenant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantState {
    /// Registered, not served yet.
    Creating,
    /// Served.
    Active,
    /// Kept, but not served.
    Suspended,
    /// No longer served; its data is being destroyed.
    Destroying,
    /// A state that this client is too old to know.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for TenantState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TenantState::Creating => "creating",
            TenantState::Active => "active",
            TenantState::Suspended => "suspended",
            TenantState::Destroying => "destroying",
            TenantState::Unknown => "unknown",
        })
    }
}

/// A store as the tenant sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Store id.
    pub id: u64,
    /// `host:port` of the gateway that stands for the store.
    pub address: String,
}

/// A half-open range of raw physical keys, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    /// First key.
    pub start: String,
    /// First key after the range.
    pub end: String,
}

/// Body of `GET /v1/tenants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantList {
    /// All tenants, by name.
    pub tenants: Vec<Tenant>,
}

/// Body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// Kinds of errors, one status each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the request can't be meant.
    BadRequest,
    /// 401: no bearer token.
    Unauthorized,
    /// 403: a wrong bearer token.
    Forbidden,
    /// 403: the caller's role does not allow it.
    Denied,
    /// 404: no such tenant or path.
    NotFound,
    /// 405: the path takes other methods.
    MethodNotAllowed,
    /// 409: the tenant exists otherwise, or its state does not allow it.
    Conflict,
    /// 413: the body is larger than any request of the API.
    TooLarge,
    /// 501: known, but not offered for this storage cluster.
    Unsupported,
    /// 503: the registry or the storage cluster can't be reached; try again.
    Unavailable,
    /// 507: no id or no port is left.
    Exhausted,
    /// 500: a fault of the gateway.
    Internal,
    /// A code that this client is too old to know.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_form_of_a_tenant_is_pinned() {
        let tenant = Tenant {
            name: "alpha".to_owned(),
            id: 1,
            mode: Mode::Table,
            state: TenantState::Active,
            pd: "127.0.0.1:20001".to_owned(),
            stores: vec![Store {
                id: 4,
                address: "127.0.0.1:20002".to_owned(),
            }],
            ranges: vec![KeyRange {
                start: "6d010001".to_owned(),
                end: "6d010002".to_owned(),
            }],
        };
        let json = json!({
            "name": "alpha", "id": 1, "mode": "table", "state": "active",
            "pd": "127.0.0.1:20001",
            "stores": [{"id": 4, "address": "127.0.0.1:20002"}],
            "ranges": [{"start": "6d010001", "end": "6d010002"}],
        });
        assert_eq!(serde_json::to_value(&tenant).unwrap(), json);
        assert_eq!(serde_json::from_value::<Tenant>(json).unwrap(), tenant);
    }

    #[test]
    fn a_creation_names_its_mode_or_leaves_it_open_and_nothing_else() {
        let parse = |json| serde_json::from_value::<CreateTenant>(json);
        assert_eq!(parse(json!({"name": "a"})).unwrap().mode, ModeChoice::Auto);
        for choice in ModeChoice::ALL {
            let body = CreateTenant {
                name: "a".to_owned(),
                mode: choice,
            };
            let json = json!({"name": "a", "mode": choice.as_str()});
            assert_eq!(serde_json::to_value(&body).unwrap(), json);
            assert_eq!(parse(json).unwrap(), body);
        }
        assert!(parse(json!({"name": "a", "mode": "Table"})).is_err());
        assert!(parse(json!({"name": "a", "mod": "table"})).is_err());
    }

    #[test]
    fn words_of_a_newer_gateway_are_unknown_not_errors() {
        assert_eq!(
            serde_json::from_value::<TenantState>(json!("moving")).unwrap(),
            TenantState::Unknown
        );
        assert_eq!(
            serde_json::from_value::<ErrorCode>(json!("teapot")).unwrap(),
            ErrorCode::Unknown
        );
    }

    #[test]
    fn auto_accepts_what_is_there() {
        for mode in Mode::ALL {
            assert!(ModeChoice::Auto.accepts(mode));
            assert!(ModeChoice::Fixed(mode).accepts(mode));
        }
        assert!(!ModeChoice::Fixed(Mode::Table).accepts(Mode::Prefix));
    }
}
