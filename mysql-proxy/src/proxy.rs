//! What all sessions share: the routing table, the limits, the registers. Replaced whole when the
//! configuration changes; a session that has begun keeps its tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;

use crate::config::{Config, Listener};
use crate::fleet::{Backend, Dialling, Fleet};
use crate::handshake::client::Offer;
use crate::metrics::Metrics;
use crate::migration::token::Signer;
use crate::packet::capability::Capabilities;
use crate::route::Table;
use crate::sessions::Sessions;
use crate::tls::{self, TlsError, Verified};

/// Told to clients before any server was heard of.
const VERSION: &[u8] = b"8.0.11-TiDB";

/// One running proxy.
#[derive(Debug)]
pub struct Proxy {
    config: ArcSwap<Config>,
    table: ArcSwap<Table>,
    tls: ArcSwapOption<ServerConfig>,
    /// Sessions.
    pub sessions: Arc<Sessions>,
    /// Metrics.
    pub metrics: Metrics,
    open: AtomicUsize,
}

/// A connection's place among those that the process may have.
#[derive(Debug)]
pub struct Place(Arc<Proxy>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Proxy {
    /// With a configuration that has been validated.
    ///
    /// # Errors
    /// [`TlsError`] of a certificate or an authority.
    pub fn new(config: Config) -> Result<Arc<Proxy>, TlsError> {
        let proxy = Proxy {
            config: ArcSwap::from_pointee(config.clone()),
            table: ArcSwap::default(),
            tls: ArcSwapOption::empty(),
            sessions: Arc::default(),
            metrics: Metrics::default(),
            open: AtomicUsize::new(0),
        };
        proxy.apply(config)?;
        Ok(Arc::new(proxy))
    }

    /// Has this configuration from now on, or, when it can't be used, goes on as it was. Servers
    /// that stay keep their figures.
    ///
    /// # Errors
    /// [`TlsError`] of a certificate or an authority.
    pub fn apply(&self, config: Config) -> Result<(), TlsError> {
        let tls = tls::for_clients(&config)?;
        let keys = config.tenants.iter().map(|tenant| {
            let signer = tenant.signing_key.as_deref().map(Signer::load);
            Ok((Verified::new(&tenant.server_tls)?, signer.transpose()?))
        });
        let keys: Result<Vec<_>, TlsError> = keys.collect();
        let mut keys = config.tenants.iter().zip(keys?);
        let old = self.table.load();
        let table = Table::new(&config, |name| {
            let known = old.tenant(name).map(|tenant| Arc::clone(&tenant.fleet));
            let fleet: Arc<Fleet> = known.unwrap_or_default();
            // The table asks for tenants in the order of the configuration.
            if let Some((tenant, (tls, signer))) = keys.next() {
                fleet.sign_by(signer);
                fleet.set(&tenant.backends, tenant.max_sessions);
                fleet.dial_by(Dialling {
                    tls,
                    proxy_protocol: tenant.proxy_protocol,
                });
            }
            fleet
        });
        self.table.store(Arc::new(table));
        self.tls.store(tls);
        self.config.store(Arc::new(config));
        self.sessions.urge();
        Ok(())
    }

    /// The configuration now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// The routing table now.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// All servers of all tenants.
    #[must_use]
    pub fn backends(&self) -> Vec<Arc<Backend>> {
        let table = self.table.load();
        table
            .tenants()
            .flat_map(|tenant| tenant.fleet.backends().to_vec())
            .collect()
    }

    /// Takes a place, if there is one.
    #[must_use]
    pub fn place(self: &Arc<Self>) -> Option<Place> {
        let before = self.open.fetch_add(1, Relaxed);
        let place = Place(Arc::clone(self));
        (before < self.config.load().limits.max_sessions).then_some(place)
    }

    /// Connections that have a place.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// What a client of this listener is told. It is a promise, so it holds only what every server
    /// that it may reach has told of itself.
    #[must_use]
    pub fn offer(&self, listener: &Listener) -> Offer {
        let table = self.table.load();
        let only = listener.tenant.as_deref();
        let tenants = table
            .tenants()
            .filter(|tenant| only.is_none_or(|name| *tenant.name == *name));
        let mut offer = Offer {
            version: VERSION.to_vec(),
            session: self.sessions.new_id(),
            capabilities: Capabilities::RELAYED,
            tls: self.tls.load_full(),
            require_tls: self.config.load().require_tls,
        };
        for backend in tenants.flat_map(|tenant| tenant.fleet.backends().to_vec()) {
            if let Some(capabilities) = backend.capabilities() {
                offer.capabilities = offer.capabilities & (capabilities | Capabilities::REQUIRED);
                offer.version = backend.version();
            }
        }
        if offer.tls.is_some() {
            offer.capabilities = offer.capabilities | Capabilities::SSL;
        }
        offer
    }
}
