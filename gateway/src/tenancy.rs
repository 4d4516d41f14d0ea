//! Tenants' lives: what the admin API asks for, done on the registry, the ports and the storage.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mesh_admin_client::{KeyRange, ModeChoice, Store, Tenant as TenantBody};
use mesh_keyspace::{IdOutOfRange, Keyspace, Mode};
use mesh_tenants::{EtcdClient, Record, Registry, State, TenantTable};

use crate::admin::{AdminError, Created, TenantName, TenantService};
use crate::config::{Config, TenantZero};
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::ports::Ports;
use crate::tenant::Tenant;
use crate::upstream::Leader;
use crate::{cut, destroy};

/// How long a creation waits for its own ports.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// For another replica to hear of a change.
const FENCE_MARGIN: Duration = Duration::from_secs(1);
const FOLLOW_PAUSE: Duration = Duration::from_secs(1);
const OPEN_PAUSE: Duration = Duration::from_millis(20);

/// The registry in the etcd of the PD that `leader` leads.
///
/// # Errors
/// [`Fault::Unavailable`] when etcd does not answer, or when the storage is registered with another
/// statement about tenant 0 than the configuration makes.
pub async fn registry(config: &Config, leader: &Leader) -> Result<Arc<Registry>, Fault> {
    let unavailable = |fault: &dyn std::fmt::Display| Fault::Unavailable(fault.to_string());
    let etcd = EtcdClient::connect(&leader.member_urls)
        .await
        .map_err(|f| unavailable(&f))?;
    let registry = Registry::new(etcd, config.listen.port_range.0.clone());
    let configured = match config.tenancy.tenant0 {
        TenantZero::Present => mesh_tenants::TenantZero::Present,
        TenantZero::Absent => mesh_tenants::TenantZero::Absent,
    };
    let stated = registry
        .agree_tenant_zero(configured)
        .await
        .map_err(|f| unavailable(&f))?;
    if stated != configured {
        return Err(Fault::Unavailable(
            "tenancy.tenant0 differs from what this storage cluster is registered with".to_owned(),
        ));
    }
    Ok(Arc::new(registry))
}

/// Acts on tenants.
pub struct Tenancy {
    gateway: Arc<Gateway>,
    ports: Arc<Ports>,
}

impl Tenancy {
    /// The tenants of a gateway.
    pub fn new(gateway: Arc<Gateway>, ports: Arc<Ports>) -> Tenancy {
        Tenancy { gateway, ports }
    }

    /// Follows the registry and the stores for the life of the process: ports are opened and closed
    /// as records change, and every tenant gets a port for every store.
    pub async fn follow(&self) {
        let mut table = loop {
            match self.gateway.registry.watch().await {
                Ok(table) => break table,
                Err(fault) => tracing::warn!(error = %fault, "registry not followed yet"),
            }
            tokio::time::sleep(FOLLOW_PAUSE).await;
        };
        loop {
            let current = table.borrow_and_update().clone();
            self.apply(&current).await;
            tokio::select! {
                changed = table.changed() => if changed.is_err() { return },
                () = self.gateway.stores.changed() => {}
                () = self.gateway.background.cancelled() => return,
            }
        }
    }

    async fn apply(&self, table: &TenantTable) {
        let stores = self.store_ids();
        let mut tenants = Vec::new();
        for record in table.iter().filter(|record| is_open(record)) {
            let missing = stores
                .iter()
                .any(|store| !record.store_ports.contains_key(store));
            if missing {
                // The record that results comes back through the watch.
                if let Err(fault) = self
                    .gateway
                    .registry
                    .ensure_ports(&record.name, &stores)
                    .await
                {
                    tracing::warn!(tenant = %record.name, error = %fault, "no port for a store");
                }
            }
            tenants.extend(tenant_of(&self.gateway.config, record));
        }
        self.ports.apply(&self.gateway, tenants).await;
    }

    fn store_ids(&self) -> BTreeSet<u64> {
        self.gateway.stores.all().keys().copied().collect()
    }

    async fn opened(&self, tenant: &Tenant) -> Result<(), AdminError> {
        let opening = async {
            while !self.ports.is_open(tenant).await {
                tokio::time::sleep(OPEN_PAUSE).await;
            }
        };
        tokio::time::timeout(OPEN_WITHIN, opening)
            .await
            .map_err(|_| {
                AdminError::Unavailable(
                    "the tenant's ports could not be opened; see the log".to_owned(),
                )
            })
    }

    fn body(&self, record: &Record) -> Result<TenantBody, AdminError> {
        let tenant = tenant_of(&self.gateway.config, record)?;
        let store = |id: &u64| {
            tenant
                .store_address(*id)
                .map(|address| Store { id: *id, address })
        };
        let range = |range: &mesh_keyspace::PhysicalRange| KeyRange {
            start: hex::encode(range.start.as_slice()),
            end: hex::encode(range.end.as_slice()),
        };
        Ok(TenantBody {
            name: record.name.to_string(),
            id: record.id().get(),
            mode: record.mode(),
            state: state_body(record.state),
            pd: tenant.pd_address(),
            stores: tenant.store_ports.keys().filter_map(store).collect(),
            ranges: tenant.keyspace.ranges().iter().map(range).collect(),
        })
    }

    async fn record(&self, name: &TenantName) -> Result<Record, AdminError> {
        let record = self.gateway.registry.get(name).await?;
        record.ok_or_else(|| AdminError::NotFound(format!("there is no tenant {name}")))
    }
}

/// A tenant that is being created has no ports yet, one that is suspended or destroyed none any
/// longer.
fn is_open(record: &Record) -> bool {
    record.state == State::Active
}

/// Fails only for an id that its own mode can't have, which the registry's parser refuses before.
fn tenant_of(config: &Config, record: &Record) -> Result<Tenant, IdOutOfRange> {
    Ok(Tenant {
        name: record.name.to_string(),
        keyspace: Keyspace::new(record.mode(), record.id())?,
        advertise_host: config.advertise_host.clone(),
        pd_port: record.pd_port,
        store_ports: record.store_ports.clone(),
    })
}

fn state_body(state: State) -> mesh_admin_client::TenantState {
    match state {
        State::Creating => mesh_admin_client::TenantState::Creating,
        State::Active => mesh_admin_client::TenantState::Active,
        State::Suspended => mesh_admin_client::TenantState::Suspended,
        State::Destroying => mesh_admin_client::TenantState::Destroying,
    }
}

/// The mode of a new tenant. `table` works on every store; the other two need a request path that
/// this version does not have, so they are refused rather than half served.
fn mode_of(choice: ModeChoice) -> Result<Mode, AdminError> {
    match choice {
        ModeChoice::Auto | ModeChoice::Fixed(Mode::Table) => Ok(Mode::Table),
        ModeChoice::Fixed(other) => Err(AdminError::Unsupported(format!(
            "tenants of mode {other} are not served by this version of the gateway; use table"
        ))),
    }
}

impl From<IdOutOfRange> for AdminError {
    fn from(fault: IdOutOfRange) -> AdminError {
        AdminError::Internal(fault.to_string())
    }
}

impl From<Fault> for AdminError {
    fn from(fault: Fault) -> AdminError {
        AdminError::Unavailable(fault.to_string())
    }
}

#[async_trait]
impl TenantService for Tenancy {
    async fn create(
        &self,
        name: TenantName,
        choice: ModeChoice,
    ) -> Result<(TenantBody, Created), AdminError> {
        let existing = self.gateway.registry.get(&name).await?;
        let mode = match &existing {
            Some(record) if choice.accepts(record.mode()) => record.mode(),
            _ => mode_of(choice)?,
        };
        self.gateway.stores.refresh().await?;
        let (record, created) = self
            .gateway
            .registry
            .create(&name, mode, &self.store_ids())
            .await?;
        let tenant = tenant_of(&self.gateway.config, &record)?;
        // Regions first, ports last: nothing of the tenant may be written into a region that others
        // share.
        cut::cut(&self.gateway.pd, &self.gateway.stores, &tenant.keyspace).await?;
        self.gateway.pd_service.register(&tenant).await?;
        let record = match record.state {
            State::Creating => {
                self.gateway
                    .registry
                    .set_state(&name, State::Active)
                    .await?
            }
            _ => record,
        };
        self.opened(&tenant).await?;
        tracing::info!(tenant = %name, mode = %mode, id = record.id().get(), "tenant is served");
        Ok((self.body(&record)?, created))
    }

    async fn get(&self, name: &TenantName) -> Result<TenantBody, AdminError> {
        self.body(&self.record(name).await?)
    }

    async fn list(&self) -> Result<Vec<TenantBody>, AdminError> {
        let table = self.gateway.registry.list().await?;
        table.iter().map(|record| self.body(record)).collect()
    }

    /// Fences first: no port, no new request; then destroys. The id stays claimed, and so unused,
    /// until the data is proven destroyed. The tenant's leases end by themselves: nobody renews them.
    async fn delete(&self, name: &TenantName) -> Result<TenantBody, AdminError> {
        let record = self.gateway.registry.begin_destroy(name).await?;
        let tenant = tenant_of(&self.gateway.config, &record)?;
        self.ports.fence(&tenant.name).await;
        // Other replicas cut the tenant's connections when they see the record change.
        tokio::time::sleep(self.gateway.config.drain.grace + FENCE_MARGIN).await;
        destroy::destroy(&self.gateway.stores, &tenant.keyspace).await?;
        self.gateway.pd_http.forget(&tenant).await?;
        self.gateway.pd_service.unregister(record.scope).await?;
        let scope = self.gateway.registry.forget(name).await?;
        tracing::info!(tenant = %name, scope = %scope, "tenant destroyed, its id stays claimed");
        self.body(&record)
    }
}
