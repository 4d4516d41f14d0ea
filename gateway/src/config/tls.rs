//! Sections `[listen.tls]` and `[storage.tls]`.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// TLS towards tenants' clients: who they are is in their certificates.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsListen {
    /// What the names of tenants' addresses end with: `pd.<tenant>.<domain>` and
    /// `store-<id>.<tenant>.<domain>`; a client's DNS name is `<tenant>.<domain>`.
    pub domain: String,
    /// Trust domain of clients' SPIFFE ids, when it is not `domain`.
    #[serde(default)]
    pub trust_domain: Option<String>,
    /// One port for all tenants, which tells them apart by name (SNI). Without it each tenant has
    /// ports of its own, as without TLS.
    #[serde(default)]
    pub shared_port: Option<NonZeroU16>,
    /// Port that tenants are told instead of `shared_port`, behind a load balancer.
    #[serde(default)]
    pub advertise_port: Option<NonZeroU16>,
    /// The gateway's certificates. The one that holds the name that is called is presented,
    /// wildcards included, otherwise the first.
    pub certificates: Vec<CertificateFiles>,
    /// Authorities that sign clients' certificates.
    pub client_ca: PathBuf,
    /// Pause between two looks at the files.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub reload_interval: Duration,
    /// Connections to the shared port whose client is not known yet; further ones wait in the
    /// listen queue.
    #[serde(default = "a_thousand")]
    pub max_handshakes: NonZeroUsize,
}

/// A certificate with its chain, and its key, in PEM.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// Certificate and chain.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// TLS towards PD and the stores. Nothing is sent to them without it then.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsStorage {
    /// Authorities that sign the certificates of PD and the stores.
    pub ca: PathBuf,
    /// The gateway's own certificate and chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Pause between two looks at the files.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub reload_interval: Duration,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn a_thousand() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(999)
}

impl TlsListen {
    /// Trust domain of clients' SPIFFE ids.
    pub fn trust_domain(&self) -> &str {
        self.trust_domain.as_deref().unwrap_or(&self.domain)
    }

    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (key, name) in [
            ("domain", self.domain.as_str()),
            ("trust_domain", self.trust_domain()),
        ] {
            if !is_domain(name) {
                faults.push(format!("listen.tls.{key} {name:?} is not a domain name"));
            }
        }
        if self.certificates.is_empty() {
            faults.push("listen.tls.certificates names no certificate".to_owned());
        }
        if self.advertise_port.is_some() && self.shared_port.is_none() {
            faults.push("listen.tls.advertise_port is set without shared_port".to_owned());
        }
        if self.reload_interval.is_zero() {
            faults.push("listen.tls.reload_interval is zero".to_owned());
        }
        faults
    }
}

impl TlsStorage {
    pub(super) fn faults(&self) -> Vec<String> {
        let zero = self.reload_interval.is_zero();
        let fault = "storage.tls.reload_interval is zero".to_owned();
        zero.then_some(fault).into_iter().collect()
    }
}

/// Labels of letters, digits and hyphens, joined by dots.
fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(fits)
    };
    name.len() <= 190 && name.split('.').all(label)
}
