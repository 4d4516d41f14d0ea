//! Tenants' lives: what the admin API asks for, done on the registry, the ports and the storage.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mesh_admin_client::{
    KeyRange, Limits as LimitsBody, ModeChoice, Store, Tenant as TenantBody, Usage,
};
use mesh_keyspace::{IdOutOfRange, Keyspace, Mode};
use mesh_tenants::{EtcdClient, Limits, Record, Registry, RegistryError, State, TenantTable};
use tokio::sync::mpsc;

use crate::admin::{AdminError, AuditLog, Created, TenantName, TenantService};
use crate::config::{Config, TenantZero};
use crate::cut;
use crate::destroy::{Destroyer, Stuck};
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::membership::{self, Applied, Membership};
use crate::ports::Ports;
use crate::tenant::Tenant;
use crate::term::Term;
use crate::upstream::{Dialer, Leader};

/// How long a creation waits for its own ports.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// A deletion that goes on in the background is looked at so often, and for so long.
const DELETE_PAUSE: Duration = Duration::from_millis(100);
const DELETE_WITHIN: Duration = Duration::from_secs(110);
/// How long a creation waits for ids and ports that are in quarantine.
const REUSE_WITHIN: Duration = Duration::from_secs(90);
const REUSE_PAUSE: Duration = Duration::from_millis(500);
const FOLLOW_PAUSE: Duration = Duration::from_secs(1);
const OPEN_PAUSE: Duration = Duration::from_millis(20);

/// The registry in the etcd of the PD that `leader` leads.
///
/// # Errors
/// [`Fault::Unavailable`] when etcd does not answer, or when the storage is registered with another
/// statement about tenant 0 than the configuration makes.
pub async fn registry(
    config: &Config,
    dialer: &Dialer,
    leader: &Leader,
) -> Result<Arc<Registry>, Fault> {
    let unavailable = |fault: &dyn std::fmt::Display| Fault::Unavailable(fault.to_string());
    let etcd = EtcdClient::connect_by(Arc::new(dialer.clone()), &leader.member_urls)
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
    membership: Arc<Membership>,
    destroyer: Arc<Destroyer>,
}

impl Tenancy {
    /// The tenants of a gateway.
    pub fn new(gateway: Arc<Gateway>, ports: Arc<Ports>, audit: Arc<AuditLog>) -> Tenancy {
        let membership = Arc::new(Membership::default());
        let destroyer = Arc::new(Destroyer::new(gateway.clone(), membership.clone(), audit));
        Tenancy {
            gateway,
            ports,
            membership,
            destroyer,
        }
    }

    /// Serves tenants as long as the other replicas count this one, for the life of the process.
    pub async fn follow(&self) {
        let ended = self.gateway.background.clone();
        tokio::select! {
            () = self.follow_always() => {}
            () = ended.cancelled() => self.membership.leave().await,
        }
    }

    async fn follow_always(&self) {
        loop {
            let gateway = &self.gateway;
            let etcd = gateway.registry.etcd();
            let replica = self.membership.join(etcd, &gateway.config).await;
            let (applied, queue) = membership::acknowledgements();
            tokio::select! {
                () = self.follow_registry(applied) => {}
                () = self.destroyer.resume() => {}
                () = self.ports.sample() => {}
                () = membership::acknowledge(&replica, queue) => {}
                () = replica.keep() => {}
                () = replica.lost() => {}
            }
            tracing::error!("not counted among the replicas any longer: ports close until it is");
            self.ports.close_all(gateway).await;
        }
    }

    /// Ports are opened and closed as records change, and every tenant gets a port for every store.
    async fn follow_registry(&self, applied: mpsc::Sender<Applied>) {
        let mut table = loop {
            match self.gateway.registry.watch().await {
                Ok(table) => break table,
                Err(fault) => tracing::warn!(error = %fault, "registry not followed yet"),
            }
            tokio::time::sleep(FOLLOW_PAUSE).await;
        };
        loop {
            let current = table.borrow_and_update().clone();
            let ended = self.apply(&current).await;
            if applied.send((ended, current.revision())).await.is_err() {
                return;
            }
            let all_open = self.ports.all_open().await;
            tokio::select! {
                changed = table.changed() => if changed.is_err() { return },
                () = self.gateway.stores.changed() => {}
                // A port that could not be bound is perhaps free by then.
                () = tokio::time::sleep(FOLLOW_PAUSE), if !all_open => {}
            }
        }
    }

    async fn apply(&self, table: &TenantTable) -> Vec<Arc<Term>> {
        let stores = self.store_ids();
        let mut tenants = Vec::new();
        for record in table.iter().filter(|record| has_ports(record)) {
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
            let tenant = tenant_of(&self.gateway.config, record).ok();
            tenants.extend(tenant.map(|tenant| (tenant, record.limits)));
        }
        self.ports.apply(&self.gateway, tenants).await
    }

    /// Ids and ports of destroyed tenants come back after their quarantine.
    async fn registered(
        &self,
        name: &TenantName,
        mode: Mode,
    ) -> Result<(Record, Created), AdminError> {
        let registry = &self.gateway.registry;
        let deadline = tokio::time::Instant::now() + REUSE_WITHIN;
        loop {
            match registry.create(name, mode, &self.store_ids()).await {
                Err(
                    exhausted @ (RegistryError::PortsExhausted { .. }
                    | RegistryError::IdsExhausted(_)),
                ) => {
                    let waiting = !registry.reserved().await?.is_empty();
                    if !waiting || tokio::time::Instant::now() > deadline {
                        return Err(exhausted.into());
                    }
                }
                settled => return Ok(settled?),
            }
            tokio::time::sleep(REUSE_PAUSE).await;
        }
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
        record.ok_or_else(|| no_tenant(name))
    }
}

/// A tenant that is being created has no ports yet, one that is destroyed none any longer. One that
/// is suspended is told so.
fn has_ports(record: &Record) -> bool {
    match record.state {
        State::Active | State::Suspended => true,
        State::Creating | State::Destroying => false,
    }
}

/// Fails only for an id that its own mode can't have, which the registry's parser refuses before.
fn tenant_of(config: &Config, record: &Record) -> Result<Tenant, IdOutOfRange> {
    Ok(Tenant {
        name: record.name.to_string(),
        keyspace: Keyspace::new(record.mode(), record.id())?,
        addresses: config.addresses(),
        pd_port: record.pd_port,
        store_ports: record.store_ports.clone(),
        state: record.state,
        created_at: record.created_at,
    })
}

fn no_tenant(name: &TenantName) -> AdminError {
    AdminError::NotFound(format!("there is no tenant {name}"))
}

fn limits_body(limits: &Limits) -> LimitsBody {
    LimitsBody {
        requests_per_second: limits.requests_per_second,
        bytes_per_second: limits.bytes_per_second,
        in_flight_requests: limits.in_flight_requests,
        in_flight_bytes: limits.in_flight_bytes,
        connections: limits.connections,
        weight: limits.weight,
    }
}

fn limits_of(body: &LimitsBody) -> Limits {
    Limits {
        requests_per_second: body.requests_per_second,
        bytes_per_second: body.bytes_per_second,
        in_flight_requests: body.in_flight_requests,
        in_flight_bytes: body.in_flight_bytes,
        connections: body.connections,
        weight: body.weight,
    }
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

impl From<Stuck> for AdminError {
    fn from(stuck: Stuck) -> AdminError {
        match stuck {
            Stuck::Registry(fault) => fault.into(),
            stuck => AdminError::Unavailable(format!("{stuck}; it goes on in the background")),
        }
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
        let (record, created) = self.registered(&name, mode).await?;
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
        tracing::info!(tenant = %name, scope = %record.scope, "tenant is served");
        Ok((self.body(&record)?, created))
    }

    async fn get(&self, name: &TenantName) -> Result<TenantBody, AdminError> {
        self.body(&self.record(name).await?)
    }

    async fn list(&self) -> Result<Vec<TenantBody>, AdminError> {
        let table = self.gateway.registry.list().await?;
        table.iter().map(|record| self.body(record)).collect()
    }

    async fn suspend(&self, name: &TenantName) -> Result<TenantBody, AdminError> {
        let registry = &self.gateway.registry;
        registry.set_state(name, State::Suspended).await?;
        let found = registry.versioned(name).await?;
        let found = found.ok_or_else(|| no_tenant(name))?;
        // Another command may have come in between; the last one counts.
        if found.value.state == State::Suspended {
            self.destroyer.fenced(found.revision).await?;
            self.gateway.pd_service.pause(found.value.scope).await?;
        }
        self.body(&found.value)
    }

    /// Before anything is answered the tenant catches up with what was collected meanwhile.
    async fn resume(&self, name: &TenantName) -> Result<TenantBody, AdminError> {
        let record = self.record(name).await?;
        if record.state == State::Suspended {
            self.gateway.pd_service.resume(record.scope).await?;
        }
        if record.state == State::Creating {
            return Err(AdminError::Conflict(format!(
                "tenant {name} is being created"
            )));
        }
        let registry = &self.gateway.registry;
        let record = registry.set_state(name, State::Active).await?;
        let found = registry.versioned(name).await?;
        let found = found.ok_or_else(|| no_tenant(name))?;
        self.destroyer.fenced(found.revision).await?;
        // Once more: a look of the background's in between has perhaps seen it suspended still.
        self.gateway.pd_service.resume(record.scope).await?;
        self.opened(&tenant_of(&self.gateway.config, &record)?)
            .await?;
        self.body(&record)
    }

    async fn rename(&self, name: &TenantName, to: &TenantName) -> Result<TenantBody, AdminError> {
        let record = self.gateway.registry.rename(name, to).await?;
        self.body(&record)
    }

    async fn limits(&self, name: &TenantName) -> Result<LimitsBody, AdminError> {
        Ok(limits_body(&self.record(name).await?.limits))
    }

    /// Returns when every gateway applies them.
    async fn set_limits(
        &self,
        name: &TenantName,
        limits: LimitsBody,
    ) -> Result<LimitsBody, AdminError> {
        let limits = limits_of(&limits);
        let set = self.gateway.registry.set_limits(name, limits).await?;
        self.destroyer.fenced(set.revision).await?;
        Ok(limits_body(&set.value.limits))
    }

    async fn usage(&self, name: &TenantName) -> Result<Usage, AdminError> {
        let record = self.record(name).await?;
        let tenant = tenant_of(&self.gateway.config, &record)?;
        let disk = self.gateway.pd_http.disk_use(&tenant.keyspace).await?;
        let gate = self.ports.gate(&tenant.identity()).await;
        let gateway = gate.map(|gate| gate.rates()).unwrap_or_default();
        Ok(Usage {
            tenant: record.name.to_string(),
            disk,
            gateway,
        })
    }

    /// Returns when the data is proven destroyed and the name free. The id and the ports follow
    /// after the quarantine. The tenant's leases end by themselves: nobody renews them.
    async fn delete(&self, name: &TenantName) -> Result<TenantBody, AdminError> {
        let record = self.gateway.registry.begin_destroy(name).await?;
        let deadline = tokio::time::Instant::now() + DELETE_WITHIN;
        loop {
            match self.destroyer.destroy(name).await {
                Ok(()) => return self.body(&record),
                // It goes on in the background, perhaps elsewhere.
                Err(Stuck::Claimed) if tokio::time::Instant::now() < deadline => {}
                Err(stuck) => return Err(stuck.into()),
            }
            tokio::time::sleep(DELETE_PAUSE).await;
        }
    }
}
