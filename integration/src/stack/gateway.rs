//! The product under test: the gateway with its configuration file and admin token.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;

use super::storage::wait_for;
use super::tls::DOMAIN;
use crate::admin::Admin;
use crate::certificates::CertificateFiles;
use crate::endpoints::write_atomically;
use crate::ports::PortBlock;
use crate::process::{Process, ProcessSpec};
use crate::product::Product;

/// How long the gateway may take to drain.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(15);

/// Our engine carries nothing out that it has not answered.
const QUARANTINE: &str = "2s";

/// What a gateway is to be.
#[derive(Clone, Debug)]
pub struct GatewayPlan {
    /// Holds its configuration, token and log.
    pub dir: PathBuf,
    /// The storage's PD servers.
    pub pd: Vec<String>,
    /// Where tenants' ports are bound; they are told of loopback's usual address.
    pub bind: Ipv4Addr,
    /// Admin API, probes and metrics.
    pub admin_port: u16,
    /// Tenants' ports, first and last.
    pub tenant_ports: (u16, u16),
    /// A TiDB lives directly on the storage.
    pub tenant0_present: bool,
    /// Limit for one message, or the gateway's default.
    pub max_message_bytes: Option<u64>,
    /// TLS towards tenants.
    pub listen_tls: Option<ListenTlsPlan>,
    /// TLS towards the storage.
    pub storage_tls: Option<CertificateFiles>,
}

/// TLS of the gateway towards tenants.
#[derive(Clone, Debug)]
pub struct ListenTlsPlan {
    /// The gateway's certificate, and the authority of its clients.
    pub files: CertificateFiles,
    /// One port for all tenants.
    pub shared_port: Option<u16>,
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Its process.
    pub process: Arc<Process>,
    admin: SocketAddr,
    token_file: PathBuf,
    viewer_token_file: PathBuf,
}

/// `gateway.toml`.
#[derive(Serialize)]
struct File<'a> {
    advertise_host: &'a str,
    storage: StorageSection<'a>,
    admin: AdminSection<'a>,
    listen: ListenSection<'a>,
    tenancy: TenancySection<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitsSection>,
}

#[derive(Serialize)]
struct StorageSection<'a> {
    pd: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<StorageTlsSection<'a>>,
}

#[derive(Serialize)]
struct StorageTlsSection<'a> {
    ca: &'a Path,
    cert: &'a Path,
    key: &'a Path,
    reload_interval: &'a str,
}

#[derive(Serialize)]
struct ListenTlsSection<'a> {
    domain: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_port: Option<u16>,
    client_ca: &'a Path,
    reload_interval: &'a str,
    certificates: [PairSection<'a>; 1],
}

#[derive(Serialize)]
struct PairSection<'a> {
    cert: &'a Path,
    key: &'a Path,
}

#[derive(Serialize)]
struct AdminSection<'a> {
    listen: String,
    token_file: &'a Path,
    audit_file: PathBuf,
    callers: [CallerSection<'a>; 1],
}

#[derive(Serialize)]
struct CallerSection<'a> {
    name: &'a str,
    role: &'a str,
    token_file: &'a Path,
}

#[derive(Serialize)]
struct ListenSection<'a> {
    bind: &'a str,
    port_range: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<ListenTlsSection<'a>>,
}

#[derive(Serialize)]
struct TenancySection<'a> {
    tenant0: &'a str,
    destroy_quarantine: &'a str,
}

#[derive(Serialize)]
struct LimitsSection {
    max_message_bytes: u64,
}

impl GatewayPlan {
    /// A gateway in front of the PD at `pd` (several with commas between), with so many ports for tenants.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn new(dir: &Path, pd: &str, ports: &mut PortBlock, tenant_ports: u16) -> Result<Self> {
        Ok(Self {
            dir: dir.to_path_buf(),
            pd: pd.split(',').map(str::to_owned).collect(),
            bind: Ipv4Addr::LOCALHOST,
            admin_port: ports.port()?,
            tenant_ports: ports.range(tenant_ports)?,
            tenant0_present: false,
            max_message_bytes: None,
            listen_tls: None,
            storage_tls: None,
        })
    }

    /// Where its admin token is.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.dir.join("admin.token")
    }

    fn viewer_token_file(&self) -> PathBuf {
        self.dir.join("viewer.token")
    }

    fn config_file(&self) -> PathBuf {
        self.dir.join("gateway.toml")
    }

    fn write_config(&self) -> Result<()> {
        let file = File {
            advertise_host: "127.0.0.1",
            storage: StorageSection {
                pd: &self.pd,
                tls: self.storage_tls.as_ref().map(storage_section),
            },
            admin: AdminSection {
                listen: format!("127.0.0.1:{}", self.admin_port),
                token_file: &self.token_file(),
                audit_file: self.dir.join("audit.jsonl"),
                callers: [CallerSection {
                    name: "viewer",
                    role: "viewer",
                    token_file: &self.viewer_token_file(),
                }],
            },
            listen: ListenSection {
                bind: &self.bind.to_string(),
                port_range: format!("{}-{}", self.tenant_ports.0, self.tenant_ports.1),
                tls: self.listen_tls.as_ref().map(listen_section),
            },
            tenancy: TenancySection {
                tenant0: if self.tenant0_present {
                    "present"
                } else {
                    "absent"
                },
                destroy_quarantine: QUARANTINE,
            },
            limits: self
                .max_message_bytes
                .map(|max_message_bytes| LimitsSection { max_message_bytes }),
        };
        write_atomically(&self.config_file(), toml::to_string(&file)?.as_bytes())
    }

    fn spec(&self, product: &Product) -> ProcessSpec {
        ProcessSpec {
            name: "gateway".to_owned(),
            program: product.gateway.clone(),
            args: vec!["--config".into(), self.config_file().into()],
            log: self.dir.join("gateway.log"),
        }
    }
}

/// Certificates that change are to be seen at once.
const LOOK: &str = "200ms";

fn storage_section(files: &CertificateFiles) -> StorageTlsSection<'_> {
    StorageTlsSection {
        ca: &files.ca,
        cert: &files.cert,
        key: &files.key,
        reload_interval: LOOK,
    }
}

fn listen_section(plan: &ListenTlsPlan) -> ListenTlsSection<'_> {
    ListenTlsSection {
        domain: DOMAIN,
        shared_port: plan.shared_port,
        client_ca: &plan.files.ca,
        reload_interval: LOOK,
        certificates: [PairSection {
            cert: &plan.files.cert,
            key: &plan.files.key,
        }],
    }
}

impl Gateway {
    /// Writes configuration and token, starts the gateway and waits until it is ready.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn start(product: &Product, plan: GatewayPlan) -> Result<Self> {
        ensure_token(&plan.token_file())?;
        ensure_token(&plan.viewer_token_file())?;
        plan.write_config()?;
        let process = Arc::new(Process::start(plan.spec(product))?);
        let admin = SocketAddr::from(([127, 0, 0, 1], plan.admin_port));
        let gateway = Self {
            process,
            admin,
            token_file: plan.token_file(),
            viewer_token_file: plan.viewer_token_file(),
        };
        gateway.ready().await?;
        Ok(gateway)
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// When it doesn't in time.
    pub async fn ready(&self) -> Result<()> {
        wait_for(&self.process, &format!("http://{}/ready", self.admin)).await
    }

    /// Starts a stopped or killed gateway again.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn restart(&self) -> Result<()> {
        self.process.start_again()?;
        self.ready().await
    }

    /// Its admin API.
    ///
    /// # Errors
    /// When the token is gone.
    pub fn admin(&self) -> Result<Admin> {
        Admin::new(self.admin, &self.token_file)
    }

    /// Its admin API for somebody who may only look.
    ///
    /// # Errors
    /// When the token is gone.
    pub fn viewer(&self) -> Result<Admin> {
        Admin::new(self.admin, &self.viewer_token_file)
    }

    /// Its admin address.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The file with the admin token.
    #[must_use]
    pub fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// Stops it, with time to drain.
    pub async fn stop(&self) {
        self.process.stop(DRAIN).await;
    }
}

/// Makes a token once; only the owner may read it.
fn ensure_token(path: &Path) -> Result<()> {
    use std::io::Write as _;
    if path.exists() {
        return Ok(());
    }
    let token: [u8; 32] = rand::random();
    let mut file = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{}", hex::encode(token))?;
    Ok(())
}
