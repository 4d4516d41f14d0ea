//! Metrics of the gateway: rate, errors and duration per tenant and RPC, bytes, refusals,
//! connections. Labels are closed sets: tenants come from the registry, RPCs from the closed table,
//! faults from [`crate::fault::Fault::label`].

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use mesh_proto::Message;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::fault::Fault;

/// Tenant and RPC of a call.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CallLabels {
    /// Tenant's name.
    pub tenant: String,
    /// Path of the RPC, from the closed table.
    pub rpc: &'static str,
}

/// Why something was not answered by the storage cluster.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct FaultLabels {
    /// Tenant's name.
    pub tenant: String,
    /// [`Fault::label`].
    pub fault: &'static str,
}

/// A tenant's name alone.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TenantLabels {
    /// Tenant's name.
    pub tenant: String,
}

/// Why a connection was not served.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RefusalLabels {
    /// [`crate::tls::Refusal::label`].
    pub reason: &'static str,
}

/// Which side's certificates.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct SideLabels {
    /// `listen` or `storage`.
    pub side: &'static str,
}

/// What came of changed certificates.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReloadLabels {
    /// `listen` or `storage`.
    pub side: &'static str,
    /// `ok` or `failed`.
    pub outcome: &'static str,
}

/// Message bytes of a tenant, looked up once and counted often.
#[derive(Clone)]
pub struct Traffic {
    /// From the tenant.
    pub received: Counter,
    /// To the tenant.
    pub sent: Counter,
}

/// A field that no table knows, met in a message.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct UnknownFieldLabels {
    /// Full name of the message.
    pub message: &'static str,
    /// `request` or `response`.
    pub direction: &'static str,
}

/// Point reads on loopback take 100 µs, DDL waits seconds: four steps per decade between.
const DURATION_BUCKETS: [f64; 18] = [
    0.000_1, 0.000_2, 0.000_4, 0.000_7, 0.001, 0.002, 0.004, 0.007, 0.01, 0.02, 0.04, 0.07, 0.1,
    0.3, 1.0, 3.0, 10.0, 30.0,
];

/// All metric families of one gateway.
pub struct Metrics {
    registry: Registry,
    /// Calls begun.
    pub calls: Family<CallLabels, Counter>,
    /// Commands inside BatchCommands streams.
    pub batched: Family<CallLabels, Counter>,
    /// Time from a unary call's first byte to its answer.
    pub durations: Family<CallLabels, Histogram, fn() -> Histogram>,
    /// Calls and commands answered with a fault of the gateway.
    pub faults: Family<FaultLabels, Counter>,
    /// Fields that no table knows.
    pub unknown_fields: Family<UnknownFieldLabels, Counter>,
    /// Message bytes from tenants.
    pub bytes_in: Family<TenantLabels, Counter>,
    /// Message bytes to tenants.
    pub bytes_out: Family<TenantLabels, Counter>,
    /// Open connections.
    pub connections: Family<TenantLabels, Gauge>,
    /// Connections that ended before they spoke a protocol.
    pub bad_connections: Family<TenantLabels, Counter>,
    /// Connections whose client is not who it should be.
    pub refused_connections: Family<RefusalLabels, Counter>,
    /// When certificates end, in seconds since 1970.
    pub certificate_expiry: Family<SideLabels, Gauge>,
    /// Changed certificates taken over or not.
    pub certificate_reloads: Family<ReloadLabels, Counter>,
    /// Registered tenants.
    pub tenants: Gauge,
    /// Stores known.
    pub stores: Gauge<u64, AtomicU64>,
}

fn duration_histogram() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("tidb_mesh_gateway"),
            calls: Family::default(),
            batched: Family::default(),
            durations: Family::new_with_constructor(duration_histogram),
            faults: Family::default(),
            unknown_fields: Family::default(),
            bytes_in: Family::default(),
            bytes_out: Family::default(),
            connections: Family::default(),
            bad_connections: Family::default(),
            refused_connections: Family::default(),
            certificate_expiry: Family::default(),
            certificate_reloads: Family::default(),
            tenants: Gauge::default(),
            stores: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("calls", "Calls begun", self.calls.clone());
        registry.register(
            "batched_commands",
            "Commands in BatchCommands",
            self.batched.clone(),
        );
        registry.register_with_unit(
            "call_duration",
            "Time to answer a unary call",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "faults",
            "Calls and commands not served",
            self.faults.clone(),
        );
        registry.register(
            "unknown_fields",
            "Fields that no table knows",
            self.unknown_fields.clone(),
        );
        registry.register("received_bytes", "Message bytes in", self.bytes_in.clone());
        registry.register("sent_bytes", "Message bytes out", self.bytes_out.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "bad_connections",
            "Connections that spoke no protocol of ours",
            self.bad_connections.clone(),
        );
        registry.register(
            "refused_connections",
            "Connections whose client is not who it should be",
            self.refused_connections.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the first certificate in use ends",
            self.certificate_expiry.clone(),
        );
        registry.register(
            "certificate_reloads",
            "Changed certificates taken over or not",
            self.certificate_reloads.clone(),
        );
        registry.register("tenants", "Registered tenants", self.tenants.clone());
        registry.register("stores", "Stores known", self.stores.clone());
    }

    /// Counts a fault of a tenant's call.
    pub fn fault(&self, tenant: &str, fault: &Fault) {
        let labels = FaultLabels {
            tenant: tenant.to_owned(),
            fault: fault.label(),
        };
        self.faults.get_or_create(&labels).inc();
    }

    /// Counters of a tenant's message bytes.
    pub fn traffic(&self, tenant: &str) -> Traffic {
        let labels = TenantLabels {
            tenant: tenant.to_owned(),
        };
        Traffic {
            received: self.bytes_in.get_or_create_owned(&labels),
            sent: self.bytes_out.get_or_create_owned(&labels),
        }
    }

    /// Counter of a command inside BatchCommands, by its name in the schema.
    pub fn command(&self, tenant: &str, rpc: &'static str) -> Counter {
        self.batched.get_or_create_owned(&CallLabels {
            tenant: tenant.to_owned(),
            rpc,
        })
    }

    /// Counts a field that no table knows.
    pub fn unknown_field(&self, message: &'static Message, direction: &'static str) {
        let labels = UnknownFieldLabels {
            message: message.name,
            direction,
        };
        self.unknown_fields.get_or_create(&labels).inc();
    }

    /// All metrics in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
            let _ = writeln!(text, "# EOF");
        }
        text
    }
}
