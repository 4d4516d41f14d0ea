//! The storage cluster: one real PD and one store, the TiKV-protocol engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::START_LIMIT;
use crate::eventually::eventually;
use crate::http;
use crate::ports::PortBlock;
use crate::process::{GRACE, Process, ProcessSpec};
use crate::servers::Servers;

/// Ports of a storage cluster; kept between runs where the state is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoragePorts {
    /// PD's clients.
    pub pd: u16,
    /// PD's peers.
    pub pd_peer: u16,
    /// The engine's gRPC.
    pub engine: u16,
    /// The engine's status and dump.
    pub engine_status: u16,
}

/// What a storage cluster is to be.
#[derive(Clone, Debug)]
pub struct StoragePlan {
    /// Holds the data directories and the logs.
    pub dir: PathBuf,
    /// Its ports.
    pub ports: StoragePorts,
    /// Size at which the engine splits a region.
    pub region_size: Option<u64>,
}

/// A running storage cluster.
#[derive(Debug)]
pub struct Storage {
    /// PD.
    pub pd: Arc<Process>,
    /// The engine.
    pub engine: Arc<Process>,
    plan: StoragePlan,
}

impl StoragePorts {
    /// Takes four ports of a block.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn take(ports: &mut PortBlock) -> Result<Self> {
        Ok(Self {
            pd: ports.port()?,
            pd_peer: ports.port()?,
            engine: ports.port()?,
            engine_status: ports.port()?,
        })
    }
}

const PD_CONFIG: &str = "pd.toml";
/// There is one store: a PD that wants three replicas looks for two more without end, which costs
/// a fifth of a core.
const ONE_REPLICA: &str = "[replication]\nmax-replicas = 1\n";

impl StoragePlan {
    /// A storage cluster below `dir`.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn new(dir: &Path, ports: &mut PortBlock, region_size: Option<u64>) -> Result<Self> {
        Ok(Self {
            dir: dir.to_path_buf(),
            ports: StoragePorts::take(ports)?,
            region_size,
        })
    }

    fn pd_spec(&self, servers: &Servers) -> ProcessSpec {
        let dir = self.dir.display();
        let (client, peer) = (self.ports.pd, self.ports.pd_peer);
        let args = [
            "--name=pd".to_owned(),
            format!("--data-dir={dir}/pd"),
            format!("--client-urls=http://127.0.0.1:{client}"),
            format!("--peer-urls=http://127.0.0.1:{peer}"),
            format!("--config={dir}/{PD_CONFIG}"),
            format!("--log-file={dir}/pd.log"),
        ];
        ProcessSpec {
            name: "pd".to_owned(),
            program: servers.pd.clone(),
            args: args.into_iter().map(Into::into).collect(),
            log: self.dir.join("pd.out"),
        }
    }

    fn engine_spec(&self, servers: &Servers) -> ProcessSpec {
        let dir = self.dir.display();
        let ports = &self.ports;
        let mut args = vec![
            format!("--pd=127.0.0.1:{}", ports.pd),
            format!("--addr=127.0.0.1:{}", ports.engine),
            format!("--status-addr=127.0.0.1:{}", ports.engine_status),
            format!("--data-dir={dir}/engine"),
            format!("--log-file={dir}/engine.log"),
        ];
        if let Some(size) = &self.region_size {
            args.push(format!("--region-size={size}"));
        }
        ProcessSpec {
            name: "engine".to_owned(),
            program: servers.engine.clone(),
            args: args.into_iter().map(Into::into).collect(),
            log: self.dir.join("engine.out"),
        }
    }
}

impl Storage {
    /// Starts PD, then the engine, and waits for both.
    ///
    /// # Errors
    /// When one doesn't come up.
    pub async fn start(servers: &Servers, plan: StoragePlan) -> Result<Self> {
        let pd = Self::start_pd(servers, &plan).await?;
        Self::start_engine(servers, plan, pd).await
    }

    /// Starts PD alone.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn start_pd(servers: &Servers, plan: &StoragePlan) -> Result<Arc<Process>> {
        std::fs::create_dir_all(&plan.dir)?;
        std::fs::write(plan.dir.join(PD_CONFIG), ONE_REPLICA)?;
        let pd = Arc::new(Process::start(plan.pd_spec(servers))?);
        wait_for(&pd, &members_url(&plan.ports)).await?;
        Ok(pd)
    }

    /// Starts the engine beside a running PD.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn start_engine(
        servers: &Servers,
        plan: StoragePlan,
        pd: Arc<Process>,
    ) -> Result<Self> {
        let engine = Arc::new(Process::start(plan.engine_spec(servers))?);
        wait_for(&engine, &status_url(&plan.ports)).await?;
        Ok(Self { pd, engine, plan })
    }

    /// PD's address.
    #[must_use]
    pub fn pd_address(&self) -> String {
        format!("127.0.0.1:{}", self.plan.ports.pd)
    }

    /// The store's address.
    #[must_use]
    pub fn tikv_address(&self) -> String {
        format!("127.0.0.1:{}", self.plan.ports.engine)
    }

    /// The engine's status address.
    #[must_use]
    pub fn engine_status_address(&self) -> String {
        format!("127.0.0.1:{}", self.plan.ports.engine_status)
    }

    /// Waits until PD answers.
    ///
    /// # Errors
    /// When it doesn't in time.
    pub async fn pd_ready(&self) -> Result<()> {
        wait_for(&self.pd, &members_url(&self.plan.ports)).await
    }

    /// Waits until the engine answers.
    ///
    /// # Errors
    /// When it doesn't in time.
    pub async fn engine_ready(&self) -> Result<()> {
        wait_for(&self.engine, &status_url(&self.plan.ports)).await
    }

    /// Starts a stopped or killed engine again.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn restart_engine(&self) -> Result<()> {
        self.engine.start_again()?;
        self.engine_ready().await
    }

    /// Starts a stopped or killed PD again.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn restart_pd(&self) -> Result<()> {
        self.pd.start_again()?;
        self.pd_ready().await
    }

    /// Stops the engine, then PD.
    pub async fn stop(&self) {
        self.engine.stop(GRACE).await;
        self.pd.stop(GRACE).await;
    }
}

fn members_url(ports: &StoragePorts) -> String {
    format!("http://127.0.0.1:{}/pd/api/v1/members", ports.pd)
}

fn status_url(ports: &StoragePorts) -> String {
    format!("http://127.0.0.1:{}/status", ports.engine_status)
}

/// Waits until a URL answers; a process that ends meanwhile fails at once with its last words.
pub(super) async fn wait_for(process: &Process, url: &str) -> Result<()> {
    let name = &process.spec().name;
    let what = format!("{name} at {url}");
    let answered = eventually(&what, START_LIMIT, || async {
        http::get_text(url).await.map(drop)
    });
    tokio::select! {
        answer = answered => answer,
        () = process.exited() => {
            anyhow::bail!("{name} ended during its start:\n{}", process.log_tail())
        }
    }
}
