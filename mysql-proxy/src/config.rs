//! Configuration of the proxy: one TOML file, every key named, unknown keys rejected, every fault
//! reported at once. The file is read again when it changes; what can't be used changes nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The version of the file's form that this program reads.
pub const VERSION: u32 = 1;

/// The proxy's configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Version of the file's form: 1.
    pub version: u32,
    /// Admin API, health and metrics.
    pub admin: Admin,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Who they connect to.
    #[serde(default)]
    pub tenants: Vec<Tenant>,
    /// Rules for connections that name no tenant; the first that fits decides.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Certificate for clients that ask for no tenant's host name. Without any certificate clients
    /// are not offered TLS.
    #[serde(default)]
    pub tls: Option<KeyPair>,
    /// Whether clients must use TLS.
    #[serde(default)]
    pub require_tls: bool,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Threads that carry sessions; one per core unless given.
    #[serde(default = "cores")]
    pub workers: NonZeroUsize,
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Admin API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address of the admin API, `/live`, `/ready` and `/metrics`.
    pub listen: SocketAddr,
    /// File with the bearer token of the admin API.
    pub token_file: PathBuf,
}

/// One address that clients connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The address.
    pub bind: SocketAddr,
    /// The tenant that this address belongs to; any tenant when absent.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Networks of load balancers: whoever connects from there must begin with a PROXY header, and
    /// nobody else may.
    #[serde(default)]
    pub proxy_protocol_from: Vec<IpNet>,
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its name, as users write it before their own.
    pub name: String,
    /// Its TiDB servers.
    #[serde(default)]
    pub backends: Vec<String>,
    /// Whether TiDB gets the user without the tenant.
    #[serde(default)]
    pub user: UserForm,
    /// Host names by which TLS clients ask for it: exact, or `*.` and a domain.
    #[serde(default)]
    pub sni: Vec<String>,
    /// Certificate for those names.
    #[serde(default)]
    pub tls: Option<KeyPair>,
    /// How its TiDB servers are spoken to.
    pub server_tls: ServerTls,
    /// Whether its TiDB servers are told the client's address by a PROXY header (version 2).
    #[serde(default)]
    pub proxy_protocol: bool,
    /// The Ed25519 key with which its TiDB servers sign session tokens. With it, sessions that are
    /// idle when their server dies go on at another one; without it they end.
    #[serde(default)]
    pub signing_key: Option<PathBuf>,
    /// Sessions at a time.
    #[serde(default = "ten_thousand")]
    pub max_sessions: usize,
}

fn ten_thousand() -> usize {
    10_000
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// The certificate, then those that vouch for it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How servers are spoken to. There is no form that encrypts and verifies nothing: it would keep out
/// nobody who can listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "mode", rename_all = "kebab-case")]
pub enum ServerTls {
    /// Without TLS.
    Off,
    /// With TLS; the certificate must be for the server's name.
    VerifyFull {
        /// Who vouches for the servers' certificates, as a PEM file.
        ca: PathBuf,
        /// The name in the certificates, where it isn't the address's host.
        #[serde(default)]
        name: Option<String>,
    },
}

/// What of `tenant.user` TiDB gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserForm {
    /// `user`.
    #[default]
    Strip,
    /// `tenant.user`, as the client wrote it.
    Keep,
}

/// A rule: all conditions that are given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Where to.
    pub tenant: String,
    /// Host name that the TLS client asked for.
    pub sni: Option<String>,
    /// User as the client wrote it.
    pub user: Option<String>,
    /// Port of the proxy that the client connected to.
    pub port: Option<u16>,
    /// Schema named at login.
    pub schema: Option<String>,
    /// Connection attribute, `name=value`.
    pub attribute: Option<String>,
    /// Network of the client.
    pub from: Option<IpNet>,
}

/// Bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Time within which a login must be complete.
    #[serde(with = "humantime_serde")]
    pub login_timeout: Duration,
    /// Time within which a TiDB must accept a connection; another one is tried then.
    #[serde(with = "humantime_serde")]
    pub dial_timeout: Duration,
    /// Bytes that a client may send before it is logged in.
    pub login_bytes: usize,
    /// Sessions of all tenants, those logging in included.
    pub max_sessions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            login_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(1),
            login_bytes: 64 * 1024,
            max_sessions: 100_000,
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
    /// The file is not what the proxy expects.
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

    /// Finds every fault.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        if self.version != VERSION {
            let version = self.version;
            faults.push(format!("version {version} isn't known here, {VERSION} is"));
        }
        self.check_listeners(&mut faults);
        self.check_tenants(&mut faults);
        for rule in &self.rules {
            self.check_tenant_exists("a rule", &rule.tenant, &mut faults);
            if rule
                .attribute
                .as_ref()
                .is_some_and(|text| !text.contains('='))
            {
                faults.push("a rule's attribute isn't of the form name=value".to_owned());
            }
        }
        let certificates = self.tenants.iter().any(|tenant| tenant.tls.is_some());
        if self.require_tls && self.tls.is_none() && !certificates {
            faults.push("require_tls is set, but there is no certificate".to_owned());
        }
        if self.limits.login_bytes < 1024 {
            faults.push("limits.login_bytes is below 1024".to_owned());
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(faults))
        }
    }

    fn check_listeners(&self, faults: &mut Vec<String>) {
        let mut bound = BTreeSet::new();
        for listener in &self.listeners {
            if !bound.insert(listener.bind) {
                faults.push(format!("two listeners on {}", listener.bind));
            }
            if let Some(tenant) = &listener.tenant {
                self.check_tenant_exists("a listener", tenant, faults);
            }
        }
    }

    fn check_tenants(&self, faults: &mut Vec<String>) {
        let (mut names, mut hosts) = (BTreeSet::new(), BTreeSet::new());
        for tenant in &self.tenants {
            let name = &tenant.name;
            if name.is_empty() || name.contains(['.', '@']) {
                faults.push(format!(
                    "{name:?} can't be a tenant's name before or behind a user"
                ));
            }
            if !names.insert(name) {
                faults.push(format!("two tenants {name}"));
            }
            if tenant.tls.is_some() && tenant.sni.is_empty() {
                faults.push(format!(
                    "tenant {name} has a certificate but no host name in sni"
                ));
            }
            for host in &tenant.sni {
                if !hosts.insert(host.to_ascii_lowercase()) {
                    faults.push(format!("two tenants with host name {host}"));
                }
            }
        }
    }

    fn check_tenant_exists(&self, what: &str, name: &str, faults: &mut Vec<String>) {
        if !self.tenants.iter().any(|tenant| tenant.name == name) {
            faults.push(format!(
                "{what} names the tenant {name:?}, which there is not"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "version = 1\n[admin]\nlisten = \"127.0.0.1:1\"\ntoken_file = \"t\"\n";

    fn faults(text: &str) -> String {
        let config: Config = toml::from_str(&format!("{HEAD}{text}")).expect("parses");
        config.validate().expect_err("a fault").to_string()
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let text = "[[listeners]]\nbind = \"127.0.0.1:2\"\ntenant = \"nobody\"\n\
            [[listeners]]\nbind = \"127.0.0.1:2\"\n\
            [[tenants]]\nname = \"a.b\"\nserver_tls = { mode = \"off\" }\n\
            [[tenants]]\nname = \"c\"\nserver_tls = { mode = \"off\" }\n\
            [[tenants]]\nname = \"c\"\nserver_tls = { mode = \"off\" }\n";
        let faults = faults(text);
        for part in [
            "two listeners on 127.0.0.1:2",
            "\"nobody\"",
            "\"a.b\"",
            "two tenants c",
        ] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
    }

    #[test]
    fn how_servers_are_spoken_to_must_be_said_and_unverified_tls_is_no_way() {
        for tls in [
            "",
            "server_tls = { mode = \"require\" }",
            "server_tls = { mode = \"verify-full\" }",
        ] {
            let text = format!("{HEAD}listeners = []\n[[tenants]]\nname = \"a\"\n{tls}\n");
            assert!(toml::from_str::<Config>(&text).is_err(), "{tls}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = format!("{HEAD}[limits]\nlogin_time = \"1s\"\n");
        assert!(toml::from_str::<Config>(&text).is_err());
    }
}
