//! The MySQL front under test, with its configuration file.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use mesh_mysql_proxy::config::{
    Admin, Config, Limits, Listener, Rule, ServerTls, Tenant, UserForm, VERSION,
};

use super::storage::wait_for;
use crate::endpoints::{FrontEndpoints, write_atomically};
use crate::ports::PortBlock;
use crate::process::{Process, ProcessSpec};
use crate::product::Product;

/// How long the front may take to drain.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(15);

/// What a front is to be.
#[derive(Clone, Debug)]
pub struct FrontPlan {
    /// Holds its configuration and log.
    pub dir: PathBuf,
    /// Address for clients of all tenants.
    pub mysql: SocketAddr,
    /// Admin API, probes and metrics.
    pub admin: SocketAddr,
    /// File with the admin token; it must exist.
    pub token_file: PathBuf,
}

/// A running front.
#[derive(Debug)]
pub struct Front {
    /// Its process.
    pub process: Arc<Process>,
    plan: FrontPlan,
}

impl FrontPlan {
    /// A front with the admin token of `token_file`.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn new(dir: &Path, token_file: &Path, ports: &mut PortBlock) -> Result<Self> {
        let mut address = || {
            let port = ports.port_from_end()?;
            anyhow::Ok(SocketAddr::from(([127, 0, 0, 1], port)))
        };
        Ok(Self {
            dir: dir.to_path_buf(),
            mysql: address()?,
            admin: address()?,
            token_file: token_file.to_path_buf(),
        })
    }

    fn config_file(&self) -> PathBuf {
        self.dir.join("proxy.toml")
    }

    /// The configuration for tenants and the MySQL addresses of their servers.
    #[must_use]
    pub fn config(&self, tenants: Vec<(String, Vec<String>)>) -> Config {
        let tenants = tenants.into_iter().map(|(name, backends)| Tenant {
            name,
            backends,
            user: UserForm::Strip,
            sni: Vec::new(),
            tls: None,
            server_tls: ServerTls::Off,
            proxy_protocol: false,
            signing_key: None,
            max_sessions: 10_000,
        });
        Config {
            version: VERSION,
            admin: Admin {
                listen: self.admin,
                token_file: self.token_file.clone(),
            },
            listeners: vec![Listener {
                bind: self.mysql,
                tenant: None,
                proxy_protocol_from: Vec::new(),
            }],
            tenants: tenants.collect(),
            rules: Vec::<Rule>::new(),
            tls: None,
            require_tls: false,
            limits: Limits::default(),
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }

    fn write(&self, config: &Config) -> Result<()> {
        write_atomically(&self.config_file(), toml::to_string(config)?.as_bytes())
    }
}

impl Front {
    /// Writes the configuration, starts the front and waits until it is ready.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn start(product: &Product, plan: FrontPlan, config: &Config) -> Result<Self> {
        plan.write(config)?;
        let process = Process::start(ProcessSpec {
            name: "proxy".to_owned(),
            program: product.proxy.clone(),
            args: vec!["--config".into(), plan.config_file().into()],
            log: plan.dir.join("proxy.log"),
        })?;
        let front = Self {
            process: Arc::new(process),
            plan,
        };
        let ready = format!("http://{}/ready", front.plan.admin);
        wait_for(&front.process, &ready).await?;
        Ok(front)
    }

    /// Replaces the configuration file; the front takes it up by itself.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn reconfigure(&self, config: &Config) -> Result<()> {
        self.plan.write(config)
    }

    /// What it is.
    #[must_use]
    pub fn plan(&self) -> &FrontPlan {
        &self.plan
    }

    /// An answer of the admin API.
    ///
    /// # Errors
    /// When it isn't a success.
    pub async fn admin(&self, method: &str, path: &str) -> Result<serde_json::Value> {
        let token = std::fs::read_to_string(&self.plan.token_file)?;
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let answer = crate::http::client()?
            .request(method, format!("http://{}{path}", self.plan.admin))
            .bearer_auth(token.trim())
            .send()
            .await?
            .error_for_status()?;
        let text = answer.text().await?;
        if text.is_empty() {
            return Ok(serde_json::Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{path} isn't JSON: {text}"))
    }

    /// As `endpoints.json` shows it.
    #[must_use]
    pub fn endpoints(&self) -> FrontEndpoints {
        FrontEndpoints {
            mysql: self.plan.mysql.to_string(),
            admin: self.plan.admin.to_string(),
            pid: self.process.pid(),
        }
    }

    /// Stops it, with time to drain.
    pub async fn stop(&self) {
        self.process.stop(DRAIN).await;
    }
}
