//! The start in order: build, storage, gateway, tenants, TiDB servers. What has come up is handed
//! to the supervisor at once, so that an interrupted start is stopped in order too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;

use super::flags::{Flags, Mode};
use super::state_dir::{RememberedPorts, StateDir};
use super::supervisor::{Describe, Layer, Supervisor};
use crate::admin::TenantInfo;
use crate::endpoints::{Endpoints, GatewayEndpoints, StorageEndpoints, TenantEndpoints};
use crate::eventually::eventually;
use crate::http;
use crate::ports::{PortBlock, Purpose};
use crate::product::Product;
use crate::progress::Progress;
use crate::servers::Servers;
use crate::stack::{
    Front, FrontPlan, Gateway, GatewayPlan, SigningFiles, Storage, StoragePlan, Tidb, TidbPlan,
    TidbPorts, is_nearly_full,
};

/// Ports of the block for the tenants' PD and store addresses.
const TENANT_PORTS: u16 = 100;
/// Ports of a playground that was stopped a moment ago may still be closing.
const PORTS_LIMIT: Duration = Duration::from_secs(10);

/// Everything that runs.
pub(super) struct Running {
    pub(super) storage: StorageEndpoints,
    pub(super) gateway: Arc<Gateway>,
    pub(super) front: Option<Arc<Front>>,
    pub(super) tenants: BTreeMap<String, RunningTenant>,
    _ports: PortBlock,
}

/// A tenant and its servers.
#[derive(Clone)]
pub(super) struct RunningTenant {
    pub(super) info: TenantInfo,
    pub(super) tidb: Vec<Arc<Tidb>>,
}

/// What the steps of a start share.
struct Start<'a> {
    flags: &'a Flags,
    state: &'a StateDir,
    supervisor: &'a Supervisor,
    progress: &'a Progress,
}

/// Starts everything that the flags ask for.
pub(super) async fn start(
    flags: &Flags,
    state: &StateDir,
    supervisor: &Supervisor,
    progress: &Progress,
) -> Result<Running> {
    Start {
        flags,
        state,
        supervisor,
        progress,
    }
    .run()
    .await
}

impl Start<'_> {
    async fn run(&self) -> Result<Running> {
        let servers = Servers::build(self.progress).await?;
        let product = Product::build(self.progress).await?;
        let (mut block, mut remembered) = self.ports().await?;
        let plan = StoragePlan::new(self.state.path(), &mut block, None)?;
        let mut gateway_plan = GatewayPlan::new(self.state.path(), "", &mut block, TENANT_PORTS)?;
        let front_plan = FrontPlan::new(self.state.path(), &gateway_plan.token_file(), &mut block)?;
        let storage = self.storage(&servers, plan).await?;
        gateway_plan.pd = vec![storage.pd.clone()];
        gateway_plan.tenant0_present = self.flags.tenant0_present();
        let gateway = self.gateway(&product, gateway_plan).await?;
        let infos = self.tenants(&gateway).await?;
        self.assign_tidb_ports(&mut block, &mut remembered)?;
        let tenants = self.tidbs(&servers, infos, &remembered).await?;
        let front = self.front(&product, front_plan, &tenants).await?;
        Ok(Running {
            storage,
            gateway,
            front,
            tenants,
            _ports: block,
        })
    }

    /// The block of earlier runs, or a new one.
    async fn ports(&self) -> Result<(PortBlock, RememberedPorts)> {
        if let Some(remembered) = self.state.ports()? {
            let block = eventually("the ports of the last run", PORTS_LIMIT, || async {
                PortBlock::take_at(Purpose::Playground, remembered.block)
            })
            .await
            .context("stop what uses these ports, or start with --fresh")?;
            return Ok((block, remembered));
        }
        let block = PortBlock::take(Purpose::Playground)?;
        let remembered = RememberedPorts {
            block: block.first(),
            tidb: BTreeMap::new(),
        };
        self.state.remember(&remembered)?;
        Ok((block, remembered))
    }

    async fn storage(&self, servers: &Servers, plan: StoragePlan) -> Result<StorageEndpoints> {
        if let Some(pd) = &self.flags.external_pd {
            let phase = self.progress.phase("find the stores");
            let tikv = stores_of(pd).await?;
            phase.done(&format!("{} behind {pd}", tikv.len()));
            return Ok(StorageEndpoints {
                pd: pd.clone(),
                tikv,
            });
        }
        let phase = self.progress.phase("start PD");
        let pd = Storage::start_pd(servers, &plan).await?;
        self.supervisor.adopt(Layer::Pd, &pd);
        phase.done("up");
        let phase = self.progress.phase("start the storage engine");
        let storage = Storage::start_engine(servers, plan, pd).await?;
        self.supervisor.adopt(Layer::Engine, &storage.engine);
        phase.done("up");
        Ok(StorageEndpoints {
            pd: storage.pd_address(),
            tikv: vec![storage.tikv_address()],
        })
    }

    async fn gateway(&self, product: &Product, plan: GatewayPlan) -> Result<Arc<Gateway>> {
        let phase = self.progress.phase("start the gateway");
        let gateway = Gateway::start(product, plan).await?;
        self.supervisor.adopt(Layer::Gateway, &gateway.process);
        phase.done(&format!("admin API at {}", gateway.admin_address()));
        Ok(Arc::new(gateway))
    }

    async fn tenants(&self, gateway: &Gateway) -> Result<Vec<TenantInfo>> {
        if self.flags.mode == Mode::Auto {
            self.progress
                .line("  mode auto: this storage has no keyspaces of its own, so: table");
        }
        let admin = gateway.admin()?;
        let mut infos = Vec::new();
        for name in &self.flags.tenants {
            let phase = self.progress.phase(&format!("tenant {name}"));
            let info = admin.create_tenant(name, "table").await?;
            phase.done(&format!("id {}, PD address {}", info.id, info.pd));
            infos.push(info);
        }
        Ok(infos)
    }

    /// Gives ports to servers that have none yet, behind those of all earlier servers.
    fn assign_tidb_ports(&self, block: &mut PortBlock, ports: &mut RememberedPorts) -> Result<()> {
        let taken: usize = ports.tidb.values().map(Vec::len).sum();
        for _ in 0..taken {
            TidbPorts::take(block)?;
        }
        for name in &self.flags.tenants {
            let of_tenant = ports.tidb.entry(name.clone()).or_default();
            while of_tenant.len() < self.flags.tidb_count() {
                of_tenant.push(TidbPorts::take(block)?);
            }
        }
        self.state.remember(ports)
    }

    async fn tidbs(
        &self,
        servers: &Servers,
        infos: Vec<TenantInfo>,
        ports: &RememberedPorts,
    ) -> Result<BTreeMap<String, RunningTenant>> {
        let starts = infos.into_iter().map(|info| {
            let of_tenant = ports.tidb.get(&info.name).cloned().unwrap_or_default();
            self.tidbs_of(servers, info, of_tenant)
        });
        let tenants = try_join_all(starts).await?;
        if self.flags.tidb_count() > 0 && is_nearly_full(self.state.path())? {
            self.progress.line(
                "  tidb_ddl_enable_fast_reorg is OFF: TiDB needs a tenth of the disk free for it",
            );
        }
        Ok(tenants
            .into_iter()
            .map(|tenant| (tenant.info.name.clone(), tenant))
            .collect())
    }

    /// Without a TiDB there is nothing that it could reach.
    async fn front(
        &self,
        product: &Product,
        plan: FrontPlan,
        tenants: &BTreeMap<String, RunningTenant>,
    ) -> Result<Option<Arc<Front>>> {
        if self.flags.tidb_count() == 0 {
            return Ok(None);
        }
        let phase = self.progress.phase("start the MySQL front");
        let addresses = tenants.iter().map(|(name, tenant)| {
            let servers = tenant.tidb.iter().map(|tidb| tidb.mysql());
            (name.clone(), servers.collect())
        });
        let mut config = plan.config(addresses.collect());
        for tenant in &mut config.tenants {
            let files = SigningFiles::of_tenant(self.state.path(), &tenant.name)?;
            tenant.signing_key = Some(files.key);
        }
        let front = Front::start(product, plan, &config).await?;
        self.supervisor.adopt(Layer::Front, &front.process);
        phase.done(&format!("MySQL for every tenant at {}", front.plan().mysql));
        Ok(Some(Arc::new(front)))
    }

    async fn tidbs_of(
        &self,
        servers: &Servers,
        info: TenantInfo,
        ports: Vec<TidbPorts>,
    ) -> Result<RunningTenant> {
        let mut tidb = Vec::new();
        let signing = SigningFiles::of_tenant(self.state.path(), &info.name)?;
        for (index, ports) in ports.into_iter().take(self.flags.tidb_count()).enumerate() {
            let plan = TidbPlan {
                tls: None,
                signing: Some(signing.clone()),
                dir: self.state.path().to_path_buf(),
                name: format!("tidb-{}-{index}", info.name),
                pd: info.pd.clone(),
                ports,
                settings: toml::Table::new(),
            };
            let phase = self
                .progress
                .phase(&format!("start TiDB {index} of {}", info.name));
            let server = Arc::new(Tidb::start(servers, plan).await?);
            self.supervisor.adopt(Layer::Tidb, &server.process);
            phase.done(&format!("MySQL at {}", server.mysql()));
            tidb.push(server);
        }
        Ok(RunningTenant { info, tidb })
    }
}

impl Running {
    /// A description that can be taken anew after every restart.
    pub(super) fn describe(&self) -> Describe {
        let (storage, gateway, front, tenants) = (
            self.storage.clone(),
            Arc::clone(&self.gateway),
            self.front.clone(),
            self.tenants.clone(),
        );
        Box::new(move || Endpoints {
            storage: storage.clone(),
            gateway: GatewayEndpoints {
                admin: gateway.admin_address().to_string(),
                pid: gateway.process.pid(),
            },
            mysql_proxy: front.as_ref().map(|front| front.endpoints()),
            tenants: tenants
                .iter()
                .map(|(name, tenant)| (name.clone(), tenant.describe()))
                .collect(),
        })
    }
}

impl RunningTenant {
    fn describe(&self) -> TenantEndpoints {
        TenantEndpoints {
            mode: self.info.mode.clone(),
            id: self.info.id,
            pd: self.info.pd.clone(),
            tidb: self.tidb.iter().map(|tidb| tidb.endpoints()).collect(),
        }
    }
}

/// The addresses of an existing cluster's stores.
async fn stores_of(pd: &str) -> Result<Vec<String>> {
    let answer = http::get_json(&format!("http://{pd}/pd/api/v1/stores")).await?;
    let stores = answer.get("stores").and_then(|stores| stores.as_array());
    let addresses = stores.into_iter().flatten().filter_map(|store| {
        store
            .pointer("/store/address")
            .and_then(|address| address.as_str())
            .map(str::to_owned)
    });
    Ok(addresses.collect())
}
