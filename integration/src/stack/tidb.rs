//! One unmodified TiDB server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::START_LIMIT;
use super::signing::SigningFiles;
use super::storage::wait_for;
use super::tls::{TidbTls, with_hosts};
use crate::endpoints::{TidbEndpoints, write_atomically};
use crate::eventually::eventually;
use crate::ports::PortBlock;
use crate::process::{GRACE, Process, ProcessSpec};
use crate::servers::Servers;
use crate::sql::Session;

/// Ports of a TiDB server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TidbPorts {
    /// MySQL clients.
    pub mysql: u16,
    /// Status and metrics.
    pub status: u16,
}

/// What a TiDB server is to be.
#[derive(Clone, Debug)]
pub struct TidbPlan {
    /// Holds its configuration, temporary files and log.
    pub dir: PathBuf,
    /// Names its files.
    pub name: String,
    /// The PD address it is given.
    pub pd: String,
    /// Its ports.
    pub ports: TidbPorts,
    /// TLS towards PD and the stores.
    pub tls: Option<TidbTls>,
    /// What it signs session tokens with; without it no session can leave it.
    pub signing: Option<SigningFiles>,
    /// Settings of its configuration file beside the harness's own.
    pub settings: toml::Table,
}

/// A running TiDB server.
#[derive(Debug)]
pub struct Tidb {
    /// Its process.
    pub process: Arc<Process>,
    ports: TidbPorts,
    /// Its status port asks for a certificate too, then.
    with_tls: bool,
}

impl TidbPorts {
    /// Takes two ports of a block.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn take(ports: &mut PortBlock) -> Result<Self> {
        Ok(Self {
            mysql: ports.port()?,
            status: ports.port()?,
        })
    }
}

impl TidbPlan {
    /// A TiDB on the PD at `pd`.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn new(dir: &Path, name: &str, pd: &str, ports: &mut PortBlock) -> Result<Self> {
        Ok(Self {
            dir: dir.to_path_buf(),
            name: name.to_owned(),
            pd: pd.to_owned(),
            ports: TidbPorts::take(ports)?,
            tls: None,
            signing: None,
            settings: toml::Table::new(),
        })
    }

    /// No socket file and own temporary directories, so that many servers fit on a machine.
    fn write_config(&self) -> Result<PathBuf> {
        let temporary = self.dir.join(format!("{}.tmp", self.name));
        std::fs::create_dir_all(&temporary)?;
        let mut config = self.settings.clone();
        config.insert("socket".to_owned(), String::new().into());
        let temporary = temporary.display().to_string();
        config.insert("temp-dir".to_owned(), temporary.clone().into());
        config.insert("tmp-storage-path".to_owned(), temporary.into());
        let mut log = toml::Table::new();
        let slow_log = self.dir.join(format!("{}-slow.log", self.name));
        log.insert(
            "slow-query-file".to_owned(),
            slow_log.display().to_string().into(),
        );
        config.insert("log".to_owned(), log.into());
        let mut security = match config.remove("security") {
            Some(toml::Value::Table(security)) => security,
            _ => toml::Table::new(),
        };
        for (key, file) in self.security_files() {
            security.insert(key.to_owned(), file.into());
        }
        config.insert("security".to_owned(), security.into());
        let path = self.dir.join(format!("{}.toml", self.name));
        write_atomically(&path, toml::to_string(&config)?.as_bytes())?;
        Ok(path)
    }

    fn security_files(&self) -> Vec<(&'static str, String)> {
        let mut files = Vec::new();
        if let Some(tls) = &self.tls {
            let shown = |file: &Path| file.display().to_string();
            files.push(("cluster-ssl-ca", shown(&tls.files.ca)));
            files.push(("cluster-ssl-cert", shown(&tls.files.cert)));
            files.push(("cluster-ssl-key", shown(&tls.files.key)));
        }
        if let Some(signing) = &self.signing {
            files.extend(signing.settings());
        }
        files
    }

    fn spec(&self, servers: &Servers, config: &Path) -> ProcessSpec {
        let log = self.dir.join(format!("{}.log", self.name));
        let args = [
            "-config".to_owned(),
            config.display().to_string(),
            "-store=tikv".to_owned(),
            format!("-path={}", self.pd),
            "-host=127.0.0.1".to_owned(),
            "-advertise-address=127.0.0.1".to_owned(),
            format!("-P={}", self.ports.mysql),
            "-status-host=127.0.0.1".to_owned(),
            format!("-status={}", self.ports.status),
            format!("-log-file={}", log.display()),
        ];
        let spec = ProcessSpec {
            name: self.name.clone(),
            program: servers.tidb.clone(),
            args: args.into_iter().map(Into::into).collect(),
            log: self.dir.join(format!("{}.out", self.name)),
        };
        match &self.tls {
            Some(tls) => with_hosts(spec, &tls.hosts),
            None => spec,
        }
    }
}

impl Tidb {
    /// Starts it and waits until it answers. Its variables stay as TiDB sets them, but for one on a
    /// nearly full disk: there TiDB refuses to sort an index in files, and so to add one at all.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn start(servers: &Servers, plan: TidbPlan) -> Result<Self> {
        let config = plan.write_config()?;
        let process = Arc::new(Process::start(plan.spec(servers, &config))?);
        let tidb = Self {
            process,
            ports: plan.ports,
            with_tls: plan.tls.is_some(),
        };
        tidb.ready().await?;
        if is_nearly_full(&plan.dir)? {
            let mut session = Session::connect(&tidb.mysql()).await?;
            session
                .execute("SET GLOBAL tidb_ddl_enable_fast_reorg = OFF")
                .await?;
        }
        Ok(tidb)
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// When it doesn't in time.
    pub async fn ready(&self) -> Result<()> {
        if !self.with_tls {
            return wait_for(&self.process, &format!("http://{}/status", self.status())).await;
        }
        let answered = eventually("a greeting of TiDB", START_LIMIT, || async {
            Session::connect(&self.mysql()).await.map(drop)
        });
        tokio::select! {
            answer = answered => answer,
            () = self.process.exited() => {
                anyhow::bail!("TiDB ended during its start:\n{}", self.process.log_tail())
            }
        }
    }

    /// Starts a stopped or killed TiDB again.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn restart(&self) -> Result<()> {
        self.process.start_again()?;
        self.ready().await
    }

    /// MySQL address.
    #[must_use]
    pub fn mysql(&self) -> String {
        format!("127.0.0.1:{}", self.ports.mysql)
    }

    /// Status address.
    #[must_use]
    pub fn status(&self) -> String {
        format!("127.0.0.1:{}", self.ports.status)
    }

    /// As `endpoints.json` shows it.
    #[must_use]
    pub fn endpoints(&self) -> TidbEndpoints {
        TidbEndpoints {
            mysql: self.mysql(),
            status: self.status(),
            pid: self.process.pid(),
        }
    }

    /// Stops it.
    pub async fn stop(&self) {
        self.process.stop(GRACE).await;
    }
}

/// Whether TiDB would refuse to add indexes through files in a directory: it does from nine tenths
/// of the disk on, counting as used what only root may use.
///
/// # Errors
/// When the file system can't be asked.
pub fn is_nearly_full(dir: &Path) -> Result<bool> {
    let disk = nix::sys::statvfs::statvfs(dir)?;
    Ok(disk.blocks_available().saturating_mul(10) <= disk.blocks())
}
