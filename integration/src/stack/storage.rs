//! The storage cluster: one real PD and one store, the TiKV-protocol engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::START_LIMIT;
use crate::certificates::CertificateFiles;
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
    /// TLS towards the gateway.
    pub tls: Option<StorageTls>,
    /// Client and peer ports of PD servers beside the first.
    pub more_pd: Vec<(u16, u16)>,
    /// The port at which the engine is reached, when it isn't its own.
    pub engine_relay: Option<u16>,
}

/// TLS of a storage cluster. The engine speaks to PD without it, on PD's other port: the library's
/// client of PD knows nothing else.
#[derive(Clone, Debug)]
pub struct StorageTls {
    /// PD's port with TLS.
    pub pd_port: u16,
    /// PD's certificate.
    pub pd: CertificateFiles,
    /// The engine's.
    pub engine: CertificateFiles,
}

/// A running storage cluster.
#[derive(Debug)]
pub struct Storage {
    /// PD, the first of them.
    pub pd: Arc<Process>,
    /// The other PD servers.
    pub more_pd: Vec<Arc<Process>>,
    /// The engine.
    pub engine: Arc<Process>,
    /// Engines without regions.
    pub more_engines: Vec<Arc<Process>>,
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
            tls: None,
            more_pd: Vec::new(),
            engine_relay: None,
        })
    }

    /// One of the PD servers; the first is called `pd`, the others `pd1` and so on.
    fn pd_spec(&self, servers: &Servers, index: usize, client: u16, peer: u16) -> ProcessSpec {
        let dir = self.dir.display();
        let name = pd_name(index);
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut clients = format!("http://127.0.0.1:{client}");
        let mut args = Vec::new();
        if let Some(tls) = &self.tls {
            clients = format!("{clients},https://127.0.0.1:{}", tls.pd_port);
            args.extend(tls_flags(&tls.pd));
        }
        args.extend([
            format!("--name={name}"),
            format!("--data-dir={dir}/{name}"),
            format!("--client-urls={clients}"),
            format!("--peer-urls={scheme}://127.0.0.1:{peer}"),
            format!("--config={dir}/{PD_CONFIG}"),
            format!("--log-file={dir}/{name}.log"),
        ]);
        if !self.more_pd.is_empty() {
            args.push(format!("--initial-cluster={}", self.pd_cluster()));
        }
        ProcessSpec {
            program: servers.pd.clone(),
            args: args.into_iter().map(Into::into).collect(),
            log: self.dir.join(format!("{name}.out")),
            name,
        }
    }

    /// Client and peer ports of all PD servers.
    fn all_pd(&self) -> Vec<(u16, u16)> {
        let mut all = vec![(self.ports.pd, self.ports.pd_peer)];
        all.extend(&self.more_pd);
        all
    }

    fn pd_cluster(&self) -> String {
        let all = self.all_pd().into_iter().enumerate();
        let members = all.map(|(index, (_, peer))| {
            let name = pd_name(index);
            format!("{name}=http://127.0.0.1:{peer}")
        });
        members.collect::<Vec<_>>().join(",")
    }

    /// PD's addresses without TLS, with commas between.
    fn pd_addresses(&self) -> String {
        let all = self.all_pd().into_iter();
        let addresses = all.map(|(client, _)| format!("127.0.0.1:{client}"));
        addresses.collect::<Vec<_>>().join(",")
    }

    fn engine_spec(&self, servers: &Servers) -> ProcessSpec {
        let dir = self.dir.display();
        let ports = &self.ports;
        let mut args = vec![
            format!("--pd={}", self.pd_addresses()),
            format!("--addr=127.0.0.1:{}", ports.engine),
            format!("--status-addr=127.0.0.1:{}", ports.engine_status),
            format!("--data-dir={dir}/engine"),
            format!("--log-file={dir}/engine.log"),
        ];
        if let Some(relay) = self.engine_relay {
            args.push(format!("--advertise-addr=127.0.0.1:{relay}"));
        }
        if let Some(size) = &self.region_size {
            args.push(format!("--region-size={size}"));
        }
        if let Some(tls) = &self.tls {
            args.extend(tls_flags(&tls.engine));
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
        let mut more_pd = Vec::new();
        for (index, (client, peer)) in plan.all_pd().into_iter().enumerate().skip(1) {
            std::fs::create_dir_all(&plan.dir)?;
            std::fs::write(plan.dir.join(PD_CONFIG), ONE_REPLICA)?;
            let spec = plan.pd_spec(servers, index, client, peer);
            more_pd.push(Arc::new(Process::start(spec)?));
        }
        let pd = Self::start_pd(servers, &plan).await?;
        let mut storage = Self::start_engine(servers, plan, pd).await?;
        storage.more_pd = more_pd;
        Ok(storage)
    }

    /// Starts PD alone.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn start_pd(servers: &Servers, plan: &StoragePlan) -> Result<Arc<Process>> {
        std::fs::create_dir_all(&plan.dir)?;
        std::fs::write(plan.dir.join(PD_CONFIG), ONE_REPLICA)?;
        let spec = plan.pd_spec(servers, 0, plan.ports.pd, plan.ports.pd_peer);
        let pd = Arc::new(Process::start(spec)?);
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
        Ok(Self {
            pd,
            more_pd: Vec::new(),
            engine,
            more_engines: Vec::new(),
            plan,
        })
    }

    /// PD's address.
    #[must_use]
    pub fn pd_address(&self) -> String {
        format!("127.0.0.1:{}", self.plan.ports.pd)
    }

    /// PD's addresses as the gateway reaches them, with commas between.
    #[must_use]
    pub fn pd_for_gateway(&self) -> String {
        match &self.plan.tls {
            Some(tls) => format!("127.0.0.1:{}", tls.pd_port),
            None => self.plan.pd_addresses(),
        }
    }

    /// All PD servers, the first first.
    #[must_use]
    pub fn pd_servers(&self) -> Vec<&Arc<Process>> {
        std::iter::once(&self.pd).chain(&self.more_pd).collect()
    }

    /// What one of the PD servers is called in PD.
    #[must_use]
    pub fn pd_server_name(&self, index: usize) -> String {
        pd_name(index)
    }

    /// URL of one of the PD servers.
    #[must_use]
    pub fn pd_url(&self, index: usize) -> String {
        let all = self.plan.all_pd();
        let client = all.get(index).map_or(0, |(client, _)| *client);
        format!("http://127.0.0.1:{client}")
    }

    /// Starts the engine again on another port, with the data that it has.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn move_engine(&mut self, servers: &Servers, port: u16) -> Result<()> {
        self.engine.stop(GRACE).await;
        self.plan.ports.engine = port;
        self.engine = Arc::new(Process::start(self.plan.engine_spec(servers))?);
        self.engine_ready().await
    }

    /// Starts one more engine, which joins as a store without regions.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn add_engine(&mut self, servers: &Servers, port: u16, status: u16) -> Result<()> {
        let mut plan = self.plan.clone();
        plan.dir = self.plan.dir.join(format!("engine-at-{port}"));
        std::fs::create_dir_all(&plan.dir)?;
        plan.ports.engine = port;
        plan.ports.engine_status = status;
        let engine = Arc::new(Process::start(plan.engine_spec(servers))?);
        wait_for(&engine, &status_url(&plan.ports)).await?;
        self.more_engines.push(engine);
        Ok(())
    }

    /// The store's address.
    #[must_use]
    pub fn tikv_address(&self) -> String {
        format!("127.0.0.1:{}", self.plan.ports.engine)
    }

    /// The port at which the engine is reached, and its own, when they differ.
    #[must_use]
    pub fn engine_ports(&self) -> Option<(u16, u16)> {
        let own = self.plan.ports.engine;
        self.plan.engine_relay.map(|relay| (relay, own))
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
        for engine in self.more_engines.iter().chain([&self.engine]) {
            engine.stop(GRACE).await;
        }
        for pd in self.more_pd.iter().chain([&self.pd]) {
            pd.stop(GRACE).await;
        }
    }
}

fn pd_name(index: usize) -> String {
    match index {
        0 => "pd".to_owned(),
        index => format!("pd{index}"),
    }
}

fn tls_flags(files: &CertificateFiles) -> [String; 3] {
    let flag = |name: &str, file: &Path| format!("--{name}={}", file.display());
    [
        flag("cacert", &files.ca),
        flag("cert", &files.cert),
        flag("key", &files.key),
    ]
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
