//! The whole stack on loopback: storage, gateway, tenants, TiDB servers. Each part can be stopped,
//! killed and started again on the same ports with the same configuration.

mod front;
mod gateway;
mod relayed;
mod signing;
mod storage;
mod tidb;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub use front::{Front, FrontPlan};
pub use gateway::{Gateway, GatewayPlan, ListenTlsPlan};
pub use relayed::Relayed;
pub use signing::SigningFiles;
pub use storage::{Storage, StoragePlan, StoragePorts, StorageTls};
pub use tidb::{Tidb, TidbPlan, TidbPorts, is_nearly_full};
pub use tls::{DOMAIN, StackTls, TidbTls};

use crate::admin::{Admin, TenantInfo};
use crate::layout;
use crate::ports::{PortBlock, Purpose};
use crate::product::Product;
use crate::progress::Progress;
use crate::servers::Servers;
use crate::sql::Session;

/// How long a server may take to answer after its start, on a busy two-core machine.
pub const START_LIMIT: Duration = Duration::from_secs(120);

/// Ports of a test's block for the tenants' PD and store addresses.
const TENANT_PORTS: u16 = 40;

/// What a stack is to consist of.
#[derive(Clone, Debug)]
pub struct StackPlan {
    name: String,
    region_size: Option<u64>,
    tenants: Vec<String>,
    tidb_per_tenant: usize,
    direct_tidb: usize,
    tenant0_present: bool,
    max_message_bytes: Option<u64>,
    front: bool,
    tls: bool,
    pd_servers: u16,
    tidb_settings: toml::Table,
    relayed: bool,
}

/// A running stack; dropping it kills what it started.
#[derive(Debug)]
pub struct Stack {
    /// Data, configuration and logs.
    pub dir: PathBuf,
    /// PD and the engine.
    pub storage: Storage,
    /// The gateway, when there are tenants.
    pub gateway: Option<Gateway>,
    /// The MySQL front, when asked for.
    pub front: Option<Front>,
    /// Tenants by name.
    pub tenants: BTreeMap<String, Tenant>,
    /// TiDB servers directly on the storage.
    pub direct: Vec<Tidb>,
    /// Authorities and certificates, when it runs with TLS.
    pub tls: Option<StackTls>,
    /// Relays and a second gateway, when asked for.
    pub relayed: Option<Relayed>,
    servers: Servers,
    ports: PortBlock,
}

/// A tenant and its TiDB servers.
#[derive(Debug)]
pub struct Tenant {
    /// As the admin API answered.
    pub info: TenantInfo,
    /// Its TiDB servers.
    pub tidb: Vec<Tidb>,
}

impl StackPlan {
    /// A storage alone.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            region_size: None,
            tenants: Vec::new(),
            tidb_per_tenant: 1,
            direct_tidb: 0,
            tenant0_present: false,
            max_message_bytes: None,
            front: false,
            tls: false,
            pd_servers: 1,
            tidb_settings: toml::Table::new(),
            relayed: false,
        }
    }

    /// With these settings in the configuration of every tenant's TiDB.
    #[must_use]
    pub fn tidb_settings(mut self, settings: toml::Table) -> Self {
        self.tidb_settings = settings;
        self
    }

    /// With the MySQL front before all tenants.
    #[must_use]
    pub fn front(mut self) -> Self {
        self.front = true;
        self
    }

    /// Regions split after so many bytes, instead of the engine's default.
    #[must_use]
    pub fn region_size(mut self, bytes: u64) -> Self {
        self.region_size = Some(bytes);
        self
    }

    /// With a gateway and these tenants.
    #[must_use]
    pub fn tenants(mut self, names: &[&str]) -> Self {
        self.tenants = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// TiDB servers in each tenant (default one, none allowed).
    #[must_use]
    pub fn tidb_per_tenant(mut self, count: usize) -> Self {
        self.tidb_per_tenant = count;
        self
    }

    /// TiDB servers directly on the storage. With tenants beside them they are tenant 0.
    #[must_use]
    pub fn direct_tidb(mut self, count: usize) -> Self {
        self.direct_tidb = count;
        self
    }

    /// A TiDB of tenant 0 lives, or will live, directly on the storage.
    #[must_use]
    pub fn tenant0_present(mut self) -> Self {
        self.tenant0_present = true;
        self
    }

    /// The gateway's limit for one message.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: u64) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// With TLS on both sides of the gateway, one shared port, and a name for every address.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// So many PD servers instead of one.
    #[must_use]
    pub fn pd_servers(mut self, count: u16) -> Self {
        self.pd_servers = count;
        self
    }

    /// With two gateways, and relays before them and before the store.
    #[must_use]
    pub fn relayed(mut self) -> Self {
        self.relayed = true;
        self
    }

    /// Builds what is missing and starts everything, storage first.
    ///
    /// # Errors
    /// When a build or a start fails; the message carries the end of the server's log.
    pub async fn start(self) -> Result<Stack> {
        let progress = Progress::hidden();
        let servers = Servers::build(&progress).await?;
        let mut ports = PortBlock::take(Purpose::Test)?;
        let dir = layout::new_run_dir(&self.name)?;
        let mut plan = StoragePlan::new(&dir, &mut ports, self.region_size)?;
        for _ in 1..self.pd_servers {
            plan.more_pd.push((ports.port()?, ports.port()?));
        }
        let tls = self.tls.then(|| StackTls::new(&dir)).transpose()?;
        if let Some(tls) = &tls {
            plan.tls = Some(tls.of_storage(ports.port()?)?);
        }
        if self.relayed {
            plan.engine_relay = Some(ports.port()?);
        }
        let storage = Storage::start(&servers, plan).await?;
        let mut stack = Stack {
            dir,
            storage,
            gateway: None,
            front: None,
            tenants: BTreeMap::new(),
            direct: Vec::new(),
            tls,
            relayed: None,
            servers,
            ports,
        };
        for _ in 0..self.direct_tidb {
            stack.add_direct_tidb().await?;
        }
        if !self.tenants.is_empty() {
            Box::pin(stack.start_gateway(&self)).await?;
            stack.start_tenants(&self).await?;
        }
        if self.front {
            stack.start_front().await?;
        }
        Ok(stack)
    }
}

impl Stack {
    /// Starts one more TiDB directly on the storage.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn add_direct_tidb(&mut self) -> Result<()> {
        let pd = self.storage.pd_address();
        let name = format!("tidb-direct-{}", self.direct.len());
        let plan = TidbPlan::new(&self.dir, &name, &pd, &mut self.ports)?;
        self.direct.push(Tidb::start(&self.servers, plan).await?);
        Ok(())
    }

    /// Moves the store to another port, with its data.
    ///
    /// # Errors
    /// When it doesn't come up there.
    pub async fn move_store(&mut self) -> Result<()> {
        let port = self.ports.port()?;
        self.storage.move_engine(&self.servers, port).await
    }

    /// Starts one more store, without regions.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn add_store(&mut self) -> Result<()> {
        let (port, status) = (self.ports.port()?, self.ports.port()?);
        self.storage.add_engine(&self.servers, port, status).await
    }

    /// Creates a tenant without starting a TiDB in it.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn create_tenant(&mut self, name: &str) -> Result<()> {
        let info = self.admin()?.create_tenant(name, "table").await?;
        if let Some(relayed) = &mut self.relayed {
            relayed.open(&info).await?;
        }
        self.tenants.insert(
            name.to_owned(),
            Tenant {
                info,
                tidb: Vec::new(),
            },
        );
        Ok(())
    }

    /// Starts one more TiDB in a tenant.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn add_tidb(&mut self, tenant: &str) -> Result<()> {
        let entry = self
            .tenants
            .get_mut(tenant)
            .with_context(|| format!("no tenant {tenant}"))?;
        let name = format!("tidb-{tenant}-{}", entry.tidb.len());
        let mut plan = TidbPlan::new(&self.dir, &name, &entry.info.pd, &mut self.ports)?;
        plan.tls = tidb_tls(self.tls.as_ref(), &entry.info)?;
        plan.signing = Some(SigningFiles::of_tenant(&self.dir, tenant)?);
        entry.tidb.push(Tidb::start(&self.servers, plan).await?);
        Ok(())
    }

    /// The admin API of the gateway.
    ///
    /// # Errors
    /// When the stack has none.
    pub fn admin(&self) -> Result<Admin> {
        self.gateway
            .as_ref()
            .context("this stack has no gateway")?
            .admin()
    }

    /// The first TiDB of a tenant.
    ///
    /// # Errors
    /// When there is none.
    pub fn tidb(&self, tenant: &str) -> Result<&Tidb> {
        let tenant_entry = self
            .tenants
            .get(tenant)
            .with_context(|| format!("no tenant {tenant}"))?;
        tenant_entry
            .tidb
            .first()
            .with_context(|| format!("no TiDB in {tenant}"))
    }

    /// A session in the first TiDB of a tenant.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub async fn session(&self, tenant: &str) -> Result<Session> {
        Session::connect(&self.tidb(tenant)?.mysql()).await
    }

    /// A session in the first TiDB directly on the storage.
    ///
    /// # Errors
    /// When there is none or it doesn't answer.
    pub async fn direct_session(&self) -> Result<Session> {
        let tidb = self
            .direct
            .first()
            .context("this stack has no direct TiDB")?;
        Session::connect(&tidb.mysql()).await
    }

    /// Stops everything politely, the last started first.
    pub async fn stop(self) {
        if let Some(front) = &self.front {
            front.stop().await;
        }
        let tenants = self.tenants.values().flat_map(|tenant| tenant.tidb.iter());
        futures::future::join_all(tenants.chain(&self.direct).map(Tidb::stop)).await;
        if let Some(gateway) = &self.gateway {
            gateway.stop().await;
        }
        if let Some(relayed) = &self.relayed {
            relayed.replica.stop().await;
        }
        self.storage.stop().await;
    }

    async fn start_gateway(&mut self, plan: &StackPlan) -> Result<()> {
        let product = Product::build(&Progress::hidden()).await?;
        let pd = self.storage.pd_for_gateway();
        let mut gateway = GatewayPlan::new(&self.dir, &pd, &mut self.ports, TENANT_PORTS)?;
        gateway.tenant0_present = plan.tenant0_present || plan.direct_tidb > 0;
        gateway.max_message_bytes = plan.max_message_bytes;
        if let Some(tls) = &self.tls {
            gateway.listen_tls = Some(ListenTlsPlan {
                files: tls.gateway(&plan.tenants)?,
                shared_port: Some(self.ports.port()?),
            });
            gateway.storage_tls = Some(tls.storage_member("gateway-to-storage")?);
        }
        if !plan.relayed {
            self.gateway = Some(Gateway::start(&product, gateway).await?);
            return Ok(());
        }
        let store = self
            .storage
            .engine_ports()
            .context("the store has no relay")?;
        let admin = self.ports.port()?;
        let (first, relayed) = Relayed::start(&product, gateway, admin, store).await?;
        (self.gateway, self.relayed) = (Some(first), Some(relayed));
        Ok(())
    }

    async fn start_front(&mut self) -> Result<()> {
        let product = Product::build(&Progress::hidden()).await?;
        let gateway = self.gateway.as_ref().context("this stack has no gateway")?;
        let plan = FrontPlan::new(&self.dir, gateway.token_file(), &mut self.ports)?;
        let config = plan.config(self.mysql_addresses());
        self.front = Some(Front::start(&product, plan, &config).await?);
        Ok(())
    }

    /// Tenants with the MySQL addresses of their servers.
    #[must_use]
    pub fn mysql_addresses(&self) -> Vec<(String, Vec<String>)> {
        let tenants = self.tenants.iter();
        tenants
            .map(|(name, tenant)| (name.clone(), tenant.tidb.iter().map(Tidb::mysql).collect()))
            .collect()
    }

    async fn start_tenants(&mut self, plan: &StackPlan) -> Result<()> {
        for name in &plan.tenants {
            self.create_tenant(name).await?;
        }
        for _ in 0..plan.tidb_per_tenant {
            self.add_tidb_to_each(&plan.tenants, &plan.tidb_settings)
                .await?;
        }
        Ok(())
    }

    /// Side by side, because each spends its start waiting for its own bootstrap.
    async fn add_tidb_to_each(&mut self, names: &[String], settings: &toml::Table) -> Result<()> {
        let mut starts = Vec::new();
        for name in names {
            let entry = self
                .tenants
                .get(name)
                .with_context(|| format!("no tenant {name}"))?;
            let tidb_name = format!("tidb-{name}-{}", entry.tidb.len());
            let mut plan = TidbPlan::new(&self.dir, &tidb_name, &entry.info.pd, &mut self.ports)?;
            plan.tls = tidb_tls(self.tls.as_ref(), &entry.info)?;
            plan.signing = Some(SigningFiles::of_tenant(&self.dir, name)?);
            plan.settings = settings.clone();
            starts.push(Tidb::start(&self.servers, plan));
        }
        let started = futures::future::try_join_all(starts).await?;
        for (name, tidb) in names.iter().zip(started) {
            if let Some(tenant) = self.tenants.get_mut(name) {
                tenant.tidb.push(tidb);
            }
        }
        Ok(())
    }
}

fn tidb_tls(tls: Option<&StackTls>, tenant: &TenantInfo) -> Result<Option<TidbTls>> {
    let stores = tenant.stores.iter().map(|store| store.id);
    tls.map(|tls| tls.tidb(&tenant.name, stores)).transpose()
}
