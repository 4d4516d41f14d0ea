//! The process: what every phase may reach, wired in one place.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::etcd::EtcdService;
use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::pd::{PdService, RegionOwnership};
use crate::pd_http::HttpService;
use crate::tls::{ListenTls, StorageTls, TlsFault};
use crate::upstream::{Dialer, Pd, Stores};
use crate::workers::Workers;

/// One gateway process.
pub struct Gateway {
    /// Configuration, fixed for the process's life.
    pub config: Arc<Config>,
    /// Metric families.
    pub metrics: Metrics,
    /// TLS towards tenants' clients.
    pub listen_tls: Option<Arc<ListenTls>>,
    /// TLS towards the storage cluster.
    pub storage_tls: Option<Arc<StorageTls>>,
    /// The storage cluster's PD.
    pub pd: Arc<Pd>,
    /// The storage cluster's stores.
    pub stores: Arc<Stores>,
    /// Tenants as registered in PD's etcd.
    pub registry: Arc<mesh_tenants::Registry>,
    /// PD's gRPC side as tenants see it.
    pub pd_service: PdService,
    /// PD's etcd as tenants see it.
    pub etcd: EtcdService,
    /// PD's HTTP API as tenants see it.
    pub pd_http: HttpService,
    /// Which regions lie inside a tenant.
    pub regions: Arc<RegionOwnership>,
    /// Threads that own connections.
    pub workers: Workers,
    /// Open connections.
    pub connections: TaskTracker,
    /// Fires when the process stops being ready.
    pub draining: CancellationToken,
    /// Fires when listeners close and connections must finish.
    pub closing: CancellationToken,
    /// Fires when connections that did not finish are cut.
    pub kill: CancellationToken,
    /// Fires when background work ends.
    pub background: CancellationToken,
}

impl Gateway {
    /// Connects to the storage cluster and wires the parts.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when the storage cluster or the system denies what is needed.
    pub async fn connect(config: Config) -> Result<Arc<Gateway>, Fault> {
        let config = Arc::new(config);
        let listen_tls = config.listen.tls.as_ref().map(ListenTls::load);
        let listen_tls = listen_tls.transpose().map_err(unusable)?.map(Arc::new);
        let storage_tls = config.storage.tls.as_ref().map(StorageTls::load);
        let storage_tls = storage_tls.transpose().map_err(unusable)?.map(Arc::new);
        let dialer = Dialer::new(storage_tls.clone());
        let pd = Arc::new(Pd::new(config.storage.pd.clone(), dialer.clone()));
        let leader = pd.leader().await?;
        let stores = Arc::new(Stores::new(pd.clone()));
        stores.refresh().await?;
        let registry = crate::tenancy::registry(&config, &dialer, &leader).await?;
        let regions = Arc::new(RegionOwnership::new(pd.clone()));
        let workers = Workers::start(config.listen.workers)
            .map_err(|fault| Fault::Unavailable(format!("worker threads: {fault}")))?;
        Ok(Arc::new(Gateway {
            pd_service: PdService::new(
                pd.clone(),
                stores.clone(),
                registry.clone(),
                config.clone(),
            ),
            etcd: EtcdService::new(pd.clone()),
            pd_http: HttpService::new(pd.clone(), stores.clone()),
            listen_tls,
            storage_tls,
            metrics: Metrics::default(),
            config,
            pd,
            stores,
            registry,
            regions,
            workers,
            connections: TaskTracker::new(),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
            kill: CancellationToken::new(),
            background: CancellationToken::new(),
        }))
    }
}

fn unusable(fault: TlsFault) -> Fault {
    Fault::Unavailable(fault.to_string())
}
