//! Configuration of the gateway: one TOML file, every key named, unknown keys rejected, every fault
//! reported at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_tenants::TenantName;
use serde::{Deserialize, Serialize};

mod tls;

pub use tls::{CertificateFiles, TlsListen, TlsStorage};

use crate::admin::Role;
use crate::tenant::Addresses;

/// TiKV's own default limit of a gRPC message (`server.grpc-max-recv-msg-len` is unlimited, raft
/// entries are not: 8 MiB); client-go splits at far less. Large enough for a 100 MiB transaction
/// chunk that a tool sends as one message, small enough to bound memory.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 128 * 1024 * 1024;

/// The gateway's configuration file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Host that goes into the addresses handed to tenants.
    pub advertise_host: String,
    /// The shared storage cluster.
    pub storage: Storage,
    /// Admin API, health and metrics.
    pub admin: Admin,
    /// Where tenants' listeners are bound.
    pub listen: Listen,
    /// How tenants and the storage's own TiDB live together.
    #[serde(default)]
    pub tenancy: Tenancy,
    /// Bounds that protect the process and the tenants from each other.
    #[serde(default)]
    pub limits: Limits,
    /// Shutdown.
    #[serde(default)]
    pub drain: Drain,
}

/// The shared storage cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// `host:port` of one or more PD servers.
    pub pd: Vec<String>,
    /// TLS towards PD and the stores; without it they are spoken to in the clear.
    #[serde(default)]
    pub tls: Option<TlsStorage>,
}

/// Admin API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address of the admin API, `/live`, `/ready` and `/metrics`.
    pub listen: SocketAddr,
    /// File with the bearer token of the admin API.
    pub token_file: PathBuf,
    /// Further callers, each with a token and a role of its own; `token_file` is an operator's.
    #[serde(default)]
    pub callers: Vec<Caller>,
    /// File that every change of the tenants is appended to, besides the log's target `audit`.
    #[serde(default)]
    pub audit_file: Option<PathBuf>,
}

/// Somebody who may call the admin API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// Name in the audit log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The tenants that it is bound to; left out, a viewer sees all.
    #[serde(default)]
    pub tenants: Option<Vec<TenantName>>,
    /// File with its bearer token.
    pub token_file: PathBuf,
}

impl Caller {
    fn fault(&self) -> Option<String> {
        let name = &self.name;
        match (self.role, &self.tenants) {
            (Role::TenantAdmin, None) => Some(format!(
                "admin.callers: {name} is a tenant admin and no tenants are named"
            )),
            (Role::Operator, Some(_)) => Some(format!(
                "admin.callers: {name} is an operator and can't be bound to tenants"
            )),
            _ => None,
        }
    }
}

/// Listeners of tenants.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address that tenants' ports are bound on.
    #[serde(default = "loopback")]
    pub bind: IpAddr,
    /// Ports for tenants, `first-last`, both included.
    pub port_range: PortRange,
    /// Allows binding off loopback although a tenant is then known by port alone.
    #[serde(default)]
    pub insecure_port_identity: bool,
    /// TLS towards tenants' clients; without it a tenant is known by its ports alone.
    #[serde(default)]
    pub tls: Option<TlsListen>,
    /// Threads that carry tenants' connections.
    #[serde(default = "half_the_cores")]
    pub workers: NonZeroUsize,
}

fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

/// A worker that finds many sockets ready at once pays for waking up once, and what has arrived
/// meanwhile leaves in fewer writes: two workers on two cores, taking turns with the servers there,
/// cost a fifth more CPU per query for the same throughput. The other half of the cores has the
/// kernel's network stack to run. On cores of its own a gateway may want as many as it has.
fn half_the_cores() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN)
}

/// `first-last`, both included.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange(pub RangeInclusive<u16>);

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fault = || format!("port_range {text:?} is not of the form first-last");
        let (first, last) = text.split_once('-').ok_or_else(fault)?;
        let first: u16 = first.trim().parse().map_err(|_| fault())?;
        let last: u16 = last.trim().parse().map_err(|_| fault())?;
        if first == 0 || first > last {
            return Err(fault());
        }
        Ok(PortRange(first..=last))
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> String {
        format!("{}-{}", range.0.start(), range.0.end())
    }
}

/// How tenants and the storage's own TiDB live together.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenancy {
    /// Whether a TiDB lives on the storage directly (tenant 0) and moves PD's own GC safe point.
    pub tenant0: TenantZero,
    /// Time after which a silent tenant no longer holds back garbage collection; longer than any
    /// planned outage of the gateway.
    #[serde(with = "humantime_serde")]
    pub gc_ttl: Duration,
    /// Time between a tenant's destruction and the second look after which its id and ports may be
    /// given to another: longer than a store still carries out a request that it has taken in.
    /// TiDB's writes say that they are void after 20 s.
    #[serde(with = "humantime_serde")]
    pub destroy_quarantine: Duration,
}

impl Default for Tenancy {
    fn default() -> Self {
        Tenancy {
            tenant0: TenantZero::Present,
            gc_ttl: Duration::from_secs(24 * 3600),
            destroy_quarantine: Duration::from_secs(30),
        }
    }
}

/// Whether a TiDB lives on the storage directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantZero {
    /// It does, and only it moves PD's `gc_worker` safe point.
    Present,
    /// It does not: one gateway moves the safe point to the tenants' minimum.
    Absent,
}

/// Bounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest gRPC message in either direction, in bytes.
    pub max_message_bytes: usize,
    /// Connections of one tenant at a time; a further one waits in the listen queue.
    pub max_connections_per_tenant: usize,
    /// Time within which a new connection must send its first bytes.
    #[serde(with = "humantime_serde")]
    pub first_bytes_timeout: Duration,
    /// HTTP/2 streams of one connection.
    pub max_streams_per_connection: u32,
    /// Requests that one worker has under way to the stores before its tenants take turns.
    pub worker_in_flight: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
            max_connections_per_tenant: 4096,
            first_bytes_timeout: Duration::from_secs(10),
            max_streams_per_connection: 4096,
            worker_in_flight: 4096,
        }
    }
}

/// Shutdown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// Time between reporting not-ready and closing the listeners.
    #[serde(with = "humantime_serde")]
    pub unready: Duration,
    /// Time that calls in flight get to end.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Drain {
            unready: Duration::from_millis(200),
            grace: Duration::from_secs(5),
        }
    }
}

/// A configuration that can't be used, with every fault found.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The file is not what the gateway expects.
    #[error("{path}: {source}")]
    Parse {
        /// File.
        path: PathBuf,
        /// Cause, with line and key.
        source: Box<toml::de::Error>,
    },
    /// Values that parse but can't be meant.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
}

impl Config {
    /// Reads and validates a file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and every fault.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        let config: Config = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.into(),
            source: Box::new(source),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// How tenants reach the gateway.
    pub fn addresses(&self) -> Addresses {
        let tls = self.listen.tls.as_ref();
        match tls.and_then(|tls| Some((tls, tls.shared_port?))) {
            Some((tls, port)) => Addresses::Names {
                domain: tls.domain.to_ascii_lowercase(),
                port: tls.advertise_port.unwrap_or(port).get(),
            },
            None => Addresses::Ports {
                host: self.advertise_host.clone(),
                tls: tls.is_some(),
            },
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        if self.storage.pd.is_empty() {
            faults.push("storage.pd names no PD server".to_owned());
        }
        if self.advertise_host.is_empty() {
            faults.push("advertise_host is empty".to_owned());
        }
        let known_by_port_alone = self.listen.tls.is_none() && !self.listen.insecure_port_identity;
        if !self.listen.bind.is_loopback() && known_by_port_alone {
            faults.push(
                "listen.bind is not a loopback address: a tenant would be known by its port \
                 alone; configure listen.tls, or set listen.insecure_port_identity = true if the \
                 network keeps tenants apart"
                    .to_owned(),
            );
        }
        faults.extend(self.listen.tls.iter().flat_map(TlsListen::faults));
        faults.extend(self.storage.tls.iter().flat_map(TlsStorage::faults));
        if self.limits.max_message_bytes < 1024 * 1024 {
            faults.push("limits.max_message_bytes is below 1 MiB".to_owned());
        }
        faults.extend(self.admin.callers.iter().filter_map(Caller::fault));
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(faults))
        }
    }
}
