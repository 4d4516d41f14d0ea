//! Metrics of the proxy. Sessions count on their own; sums are made when somebody asks.

use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::fault::Fault;
use crate::obstacle::Obstacle;
use crate::proxy::Proxy;

/// A tenant's name.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TenantLabels {
    /// From the configuration.
    pub tenant: String,
}

/// A server of a tenant.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ServerLabels {
    /// Tenant's name.
    pub tenant: String,
    /// Address from the configuration.
    pub server: String,
}

/// Why a login failed.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct FaultLabels {
    /// [`Fault::label`].
    pub fault: &'static str,
}

/// What kept a session of a tenant on its server.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ObstacleLabels {
    /// From the configuration.
    pub tenant: String,
    /// [`Obstacle::label`].
    pub obstacle: &'static str,
}

/// Counters that aren't of a session.
#[derive(Debug)]
pub struct Metrics {
    refused: Family<FaultLabels, Counter>,
    moved: Family<TenantLabels, Counter>,
    stayed: Family<ObstacleLabels, Counter>,
    restored: Family<TenantLabels, Counter>,
    move_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            refused: Family::default(),
            moved: Family::default(),
            stayed: Family::default(),
            restored: Family::default(),
            move_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 12)),
        }
    }
}

impl Metrics {
    /// Counts a login that failed.
    pub fn refused(&self, fault: &Fault) {
        let labels = FaultLabels {
            fault: fault.label(),
        };
        self.refused.get_or_create(&labels).inc();
    }

    /// Counts a session that went to another server, and how long its client could notice it.
    pub fn moved(&self, tenant: &str, took: Duration) {
        let tenant = tenant.to_owned();
        self.moved.get_or_create(&TenantLabels { tenant }).inc();
        self.move_seconds.observe(took.as_secs_f64());
    }

    /// Counts a try to move a session that stayed.
    pub fn stayed(&self, tenant: &str, obstacle: &Obstacle) {
        let labels = ObstacleLabels {
            tenant: tenant.to_owned(),
            obstacle: obstacle.label(),
        };
        self.stayed.get_or_create(&labels).inc();
    }

    /// Counts a session that outlived its server.
    pub fn restored(&self, tenant: &str) {
        let tenant = tenant.to_owned();
        self.restored.get_or_create(&TenantLabels { tenant }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        let refused = self.refused.clone();
        registry.register("refused_logins", "Logins that failed, by why", refused);
        let moved = self.moved.clone();
        registry.register("moves", "Sessions that went to another server", moved);
        let stayed = self.stayed.clone();
        let help = "Tries to move a session that stayed, by why";
        registry.register("moves_failed", help, stayed);
        let restored = self.restored.clone();
        registry.register("restored", "Sessions that outlived their server", restored);
        let help = "Time that a client waited for the move of its session";
        registry.register("move_seconds", help, self.move_seconds.clone());
    }
}

/// Everything in the OpenMetrics text format.
#[must_use]
pub fn render(proxy: &Proxy) -> String {
    let mut registry = Registry::with_prefix("tidb_mesh_proxy");
    proxy.metrics.register(&mut registry);
    register_totals(&mut registry, proxy);
    register_servers(&mut registry, proxy);
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        text.clear();
        let _ = writeln!(text, "# EOF");
    }
    text
}

fn register_totals(registry: &mut Registry, proxy: &Proxy) {
    let families: [(&str, &str, Family<TenantLabels, Counter>); 4] = [
        ("sessions", "Sessions that logged in", Family::default()),
        ("commands", "Commands sent to servers", Family::default()),
        ("received_bytes", "Bytes from clients", Family::default()),
        ("sent_bytes", "Bytes to clients", Family::default()),
    ];
    for (tenant, totals) in proxy.sessions.totals() {
        let labels = TenantLabels {
            tenant: tenant.to_string(),
        };
        let values = [
            totals.sessions,
            totals.commands,
            totals.received,
            totals.sent,
        ];
        for ((_, _, family), value) in families.iter().zip(values) {
            family.get_or_create(&labels).inc_by(value);
        }
    }
    for (name, help, family) in families {
        registry.register(name, help, family);
    }
    let open = Gauge::<i64>::default();
    open.set(i64::try_from(proxy.open()).unwrap_or(i64::MAX));
    registry.register(
        "connections",
        "Connections open, those logging in included",
        open,
    );
}

fn register_servers(registry: &mut Registry, proxy: &Proxy) {
    let sessions = Family::<ServerLabels, Gauge>::default();
    let in_flight = Family::<ServerLabels, Gauge>::default();
    let trusted = Family::<ServerLabels, Gauge>::default();
    let leaving = Family::<ServerLabels, Gauge>::default();
    for tenant in proxy.table().tenants() {
        for backend in tenant.fleet.backends().iter() {
            let labels = ServerLabels {
                tenant: tenant.name.to_string(),
                server: backend.address.clone(),
            };
            let load = &backend.load;
            sessions.get_or_create(&labels).set(load.sessions().into());
            in_flight
                .get_or_create(&labels)
                .set(load.in_flight().into());
            let up = i64::from(!backend.paused() && !backend.draining());
            trusted.get_or_create(&labels).set(up);
            let left = if backend.is_left() {
                load.sessions()
            } else {
                0
            };
            leaving.get_or_create(&labels).set(left.into());
        }
    }
    registry.register("server_sessions", "Sessions on a server", sessions);
    registry.register("server_in_flight", "Commands on a server", in_flight);
    registry.register("server_trusted", "Whether a server gets sessions", trusted);
    let help = "Sessions that are yet to leave a server that is left";
    registry.register("server_leaving", help, leaving);
}
