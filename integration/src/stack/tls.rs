//! TLS in a stack: who gets which certificate.
//!
//! The names below [`DOMAIN`] are known to TiDB alone: it runs in a mount namespace of its own with
//! another `/etc/hosts`, because Go's resolver has no other place to put them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::StorageTls;
use crate::certificates::{Authority, CertificateFiles};
use crate::process::ProcessSpec;

/// What the names of tenants' addresses end with.
pub const DOMAIN: &str = "mesh.test";

/// Authorities and certificates of a stack, one for each side of the gateway.
#[derive(Debug)]
pub struct StackTls {
    /// Signs the gateway's own certificate and those of tenants' clients.
    pub tenants: Authority,
    /// Signs the certificates of PD, the engine and the gateway as their client.
    pub storage: Authority,
    dir: PathBuf,
}

/// What a TiDB server needs to reach the gateway with TLS.
#[derive(Clone, Debug)]
pub struct TidbTls {
    /// Its certificate, which says whose it is.
    pub files: CertificateFiles,
    /// Names and addresses, instead of `/etc/hosts`.
    pub hosts: PathBuf,
}

impl StackTls {
    /// New authorities.
    ///
    /// # Errors
    /// When files can't be written.
    pub fn new(dir: &Path) -> Result<Self> {
        let dir = dir.join("tls");
        Ok(Self {
            tenants: Authority::new(&dir, "tenants")?,
            storage: Authority::new(&dir, "storage")?,
            dir,
        })
    }

    /// The gateway's certificate for the names of these tenants.
    ///
    /// # Errors
    /// When files can't be written.
    pub fn gateway(&self, tenants: &[String]) -> Result<CertificateFiles> {
        let names: Vec<String> = tenants
            .iter()
            .map(|name| format!("*.{name}.{DOMAIN}"))
            .collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.push("127.0.0.1");
        self.tenants.issue("gateway", &names)
    }

    /// What PD, the engine, and the gateway towards them use.
    ///
    /// # Errors
    /// When files can't be written.
    pub fn storage_member(&self, name: &str) -> Result<CertificateFiles> {
        self.storage.issue(name, &["127.0.0.1", "localhost"])
    }

    /// What PD, with this port, and the engine use.
    ///
    /// # Errors
    /// When files can't be written.
    pub fn of_storage(&self, pd_port: u16) -> Result<StorageTls> {
        Ok(StorageTls {
            pd_port,
            pd: self.storage_member("pd")?,
            engine: self.storage_member("engine")?,
        })
    }

    /// A tenant's certificate, and the names that its addresses have.
    ///
    /// # Errors
    /// When files can't be written.
    pub fn tidb(&self, tenant: &str, stores: impl Iterator<Item = u64>) -> Result<TidbTls> {
        let identity = format!("{tenant}.{DOMAIN}");
        let file = format!("tidb-{tenant}");
        let files = self
            .tenants
            .issue(&file, &[&identity, "127.0.0.1", "localhost"])?;
        let mut lines = format!("127.0.0.1 localhost\n127.0.0.1 pd.{tenant}.{DOMAIN}\n");
        for store in stores {
            lines.push_str(&format!("127.0.0.1 store-{store}.{tenant}.{DOMAIN}\n"));
        }
        let hosts = self.dir.join(format!("{tenant}.hosts"));
        std::fs::write(&hosts, lines)?;
        Ok(TidbTls { files, hosts })
    }
}

/// The same command with another `/etc/hosts`.
pub(super) fn with_hosts(spec: ProcessSpec, hosts: &Path) -> ProcessSpec {
    let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
    let mut args: Vec<OsString> = ["--map-root-user", "--mount", "sh", "-c", script]
        .map(OsString::from)
        .into();
    args.push(hosts.into());
    args.push(spec.program.into());
    args.extend(spec.args);
    ProcessSpec {
        program: "unshare".into(),
        args,
        ..spec
    }
}
