//! What the registry keeps about a tenant.
//!
//! A record is complete in itself: whoever reads one key sees the tenant's whole truth at one
//! revision. The claims beside it (ids, ports) exist to be compared against, not to be read.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh_keyspace::{Mode, TenantId};
use serde::{Deserialize, Serialize};

use crate::{Limits, Scope, TenantName};

/// A tenant as registered. Unknown members of the JSON form are ignored: during an upgrade an
/// older gateway reads what a newer one wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RecordJson", into = "RecordJson")]
pub struct Record {
    /// Name.
    pub name: TenantName,
    /// Mode and id.
    pub scope: Scope,
    /// Where in its life the tenant is.
    pub state: State,
    /// Port of the gateway that stands for PD.
    pub pd_port: u16,
    /// Ports of the gateway that stand for the stores, by store id.
    pub store_ports: BTreeMap<u64, u16>,
    /// When the tenant was created, to the second.
    pub created_at: SystemTime,
    /// What the tenant may take.
    pub limits: Limits,
}

/// Where in its life a tenant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Registered; its regions are being cut and its ports opened.
    Creating,
    /// Served.
    Active,
    /// Kept, but not served.
    Suspended,
    /// No longer served; its data is being destroyed.
    Destroying,
}

impl State {
    /// Every state.
    pub const ALL: [State; 4] = [
        State::Creating,
        State::Active,
        State::Suspended,
        State::Destroying,
    ];

    /// The word for the state in records and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Creating => "creating",
            State::Active => "active",
            State::Suspended => "suspended",
            State::Destroying => "destroying",
        }
    }

    /// Whether a tenant may go from this state to `next`. Staying is always allowed, so that a
    /// repeated command succeeds; nothing leads out of `Destroying`.
    pub const fn may_become(self, next: State) -> bool {
        match (self, next) {
            (State::Creating, _) | (_, State::Destroying) => true,
            (State::Active | State::Suspended, State::Active | State::Suspended) => true,
            (State::Active | State::Suspended, State::Creating) => false,
            (State::Destroying, State::Creating | State::Active | State::Suspended) => false,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// JSON form of [`Record`], an on-disk format.
#[derive(Serialize, Deserialize)]
struct RecordJson {
    name: TenantName,
    mode: Mode,
    id: u32,
    state: State,
    pd_port: u16,
    store_ports: BTreeMap<u64, u16>,
    /// Seconds since 1970.
    created_at: u64,
    #[serde(default, skip_serializing_if = "Limits::is_unbounded")]
    limits: Limits,
}

impl From<Record> for RecordJson {
    fn from(record: Record) -> Self {
        RecordJson {
            name: record.name,
            mode: record.scope.mode,
            id: record.scope.id.get(),
            state: record.state,
            pd_port: record.pd_port,
            store_ports: record.store_ports,
            created_at: seconds(record.created_at),
            limits: record.limits,
        }
    }
}

impl TryFrom<RecordJson> for Record {
    type Error = mesh_keyspace::IdOutOfRange;

    fn try_from(json: RecordJson) -> Result<Self, Self::Error> {
        Ok(Record {
            name: json.name,
            scope: Scope::new(json.mode, json.id)?,
            state: json.state,
            pd_port: json.pd_port,
            store_ports: json.store_ports,
            created_at: UNIX_EPOCH + Duration::from_secs(json.created_at),
            limits: json.limits,
        })
    }
}

/// Seconds since 1970, as records and claims keep times.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Now, to the second, as a record keeps it.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds(SystemTime::now()))
}

impl Record {
    /// Mode.
    pub fn mode(&self) -> Mode {
        self.scope.mode
    }

    /// Id within the mode.
    pub fn id(&self) -> TenantId {
        self.scope.id
    }

    /// Every port of the tenant.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        std::iter::once(self.pd_port).chain(self.store_ports.values().copied())
    }
}

/// Value of `ids/<mode>/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdClaim {
    /// Tenant that has, or last had, the id.
    pub name: TenantName,
    /// Set when the tenant is gone from the registry but its id can't be given away yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reserved: bool,
    /// Ports that stay claimed with a reserved id, so that clients of the tenant that is gone
    /// don't reach another one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Seconds since 1970 when the data was first proven destroyed; with `reserved`.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub destroyed_at: u64,
}

fn is_nought(seconds: &u64) -> bool {
    *seconds == 0
}

/// Value of `ports/<port>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortClaim {
    /// Tenant.
    pub tenant: TenantName,
    /// Store that the port stands for; none: PD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<u64>,
}

/// Value of `tenant0`, as plain text: whether a TiDB lives on the storage directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantZero {
    /// It does, and only it moves PD's own garbage collection safe point.
    Present,
    /// It does not; one gateway moves the safe point.
    Absent,
}

impl TenantZero {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            TenantZero::Present => "present",
            TenantZero::Absent => "absent",
        }
    }

    pub(crate) fn from_stored(value: &[u8]) -> Option<TenantZero> {
        [TenantZero::Present, TenantZero::Absent]
            .into_iter()
            .find(|known| known.as_str().as_bytes() == value)
    }
}

#[cfg(test)]
mod tests;
