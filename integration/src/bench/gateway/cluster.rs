//! One cluster per kind of path, all with the same data: PD, the engine and a TiDB, with nothing, a
//! peer, or the gateway in between. All of them run throughout; the idle ones cost the same
//! whichever path is measured.
//!
//! TiDB connects to the address that the store advertises in PD. In the peers' cluster that is the
//! peer's; PD itself is reached directly there, while the gateway also carries PD's traffic.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::peer::Peer;
use crate::bench::PathName;
use crate::eventually::eventually;
use crate::http;
use crate::ports::PortBlock;
use crate::process::{GRACE, Process, ProcessSpec};
use crate::product::Product;
use crate::servers::Servers;
use crate::sql::Session;
use crate::stack::{Gateway, GatewayPlan, START_LIMIT, Storage, StoragePlan, Tidb, TidbPlan};

/// The measured tenant, and one more: a gateway for a single tenant wouldn't be the real thing.
const TENANT: &str = "bench";
const NEIGHBOUR: &str = "neighbour";
const TENANT_PORTS: u16 = 8;

/// What stands between TiDB and the engine.
enum Between {
    Nothing,
    Peer { peer: Option<Peer>, port: u16 },
    Gateway(Gateway),
}

/// A cluster to be measured.
pub(super) struct Cluster {
    dir: PathBuf,
    pd: Arc<Process>,
    engine: Process,
    engine_port: u16,
    between: Between,
    pub(super) tidb: Tidb,
}

/// What every cluster is started from.
pub(super) struct Site<'a> {
    pub(super) servers: &'a Servers,
    pub(super) product: &'a Product,
    pub(super) dir: &'a Path,
    pub(super) ports: &'a mut PortBlock,
}

impl Cluster {
    /// Starts the cluster that `path` is measured on.
    pub(super) async fn start(path: PathName, site: &mut Site<'_>) -> Result<Self> {
        let dir = site.dir.join(kind(path));
        std::fs::create_dir_all(&dir)?;
        let plan = StoragePlan::new(&dir, site.ports, None)?;
        let pd = Storage::start_pd(site.servers, &plan).await?;
        let engine_port = plan.ports.engine;
        let pd_address = format!("127.0.0.1:{}", plan.ports.pd);
        let (between, advertised) = match path {
            PathName::Direct | PathName::Ours => (Between::Nothing, engine_port),
            PathName::Nginx | PathName::HaproxyH2 | PathName::HaproxyTcp => {
                let port = site.ports.port()?;
                (Between::Peer { peer: None, port }, port)
            }
        };
        let engine = Process::start(engine_spec(site.servers, &plan, advertised))?;
        let status = format!("http://127.0.0.1:{}/status", plan.ports.engine_status);
        eventually("the engine", START_LIMIT, || async {
            http::get_text(&status).await.map(drop)
        })
        .await?;
        let (between, tidb_pd) = match (path, between) {
            (PathName::Ours, _) => {
                let (gateway, tenant_pd) = gateway(site, &dir, &pd_address).await?;
                (Between::Gateway(gateway), tenant_pd)
            }
            (_, Between::Peer { port, .. }) => {
                let peer = Some(Peer::start(path, &dir, port, engine_port)?);
                (Between::Peer { peer, port }, pd_address)
            }
            (_, between) => (between, pd_address),
        };
        let plan = TidbPlan::new(&dir, "tidb", &tidb_pd, site.ports)?;
        let tidb = Tidb::start(site.servers, plan).await?;
        Ok(Self {
            dir,
            pd,
            engine,
            engine_port,
            between,
            tidb,
        })
    }

    /// Makes the cluster go by `path`, and waits until it does.
    pub(super) async fn take(&mut self, path: PathName) -> Result<()> {
        if let Between::Peer { peer, port } = &mut self.between
            && peer.as_ref().is_none_or(|peer| peer.path != path)
        {
            if let Some(peer) = peer.take() {
                peer.stop().await;
            }
            *peer = Some(Peer::start(path, &self.dir, *port, self.engine_port)?);
        }
        let address = self.tidb.mysql();
        let what = format!("rows by path {}", path.name());
        eventually(&what, Duration::from_secs(60), || async {
            let mut session = Session::connect(&address).await?;
            session
                .value("SELECT COUNT(*) FROM mysql.tidb")
                .await
                .map(drop)
        })
        .await
    }

    /// The process between TiDB and the engine.
    pub(super) fn proxy(&self) -> Option<i32> {
        match &self.between {
            Between::Nothing => None,
            Between::Peer { peer, .. } => peer.as_ref().map(|peer| peer.process.pid()),
            Between::Gateway(gateway) => Some(gateway.process.pid()),
        }
    }

    pub(super) async fn stop(&self) {
        self.tidb.stop().await;
        match &self.between {
            Between::Nothing => {}
            Between::Peer { peer, .. } => {
                if let Some(peer) = peer {
                    peer.stop().await;
                }
            }
            Between::Gateway(gateway) => gateway.stop().await,
        }
        self.engine.stop(GRACE).await;
        self.pd.stop(GRACE).await;
    }
}

/// Paths of one kind share a cluster, and its directory's name.
pub(super) fn kind(path: PathName) -> &'static str {
    match path {
        PathName::Direct => "direct",
        PathName::Ours => "ours",
        PathName::Nginx | PathName::HaproxyH2 | PathName::HaproxyTcp => "peers",
    }
}

async fn gateway(site: &mut Site<'_>, dir: &Path, pd: &str) -> Result<(Gateway, String)> {
    let plan = GatewayPlan::new(dir, pd, site.ports, TENANT_PORTS)?;
    let gateway = Gateway::start(site.product, plan).await?;
    let admin = gateway.admin()?;
    admin.create_tenant(NEIGHBOUR, "table").await?;
    let tenant = admin.create_tenant(TENANT, "table").await?;
    Ok((gateway, tenant.pd))
}

/// Collecting garbage would fall on whichever path is measured just then.
fn engine_spec(servers: &Servers, plan: &StoragePlan, advertised: u16) -> ProcessSpec {
    let dir = plan.dir.display();
    let ports = &plan.ports;
    let args = [
        format!("--pd=127.0.0.1:{}", ports.pd),
        format!("--addr=127.0.0.1:{}", ports.engine),
        format!("--advertise-addr=127.0.0.1:{advertised}"),
        format!("--status-addr=127.0.0.1:{}", ports.engine_status),
        format!("--data-dir={dir}/engine"),
        format!("--log-file={dir}/engine.log"),
        "--gc-interval=0".to_owned(),
    ];
    ProcessSpec {
        name: "engine".to_owned(),
        program: servers.engine.clone(),
        args: args.into_iter().map(Into::into).collect(),
        log: plan.dir.join("engine.out"),
    }
}
