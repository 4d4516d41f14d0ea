//! Keeps the listening ports equal to the registry: a tenant that appears is served within one
//! notification, one that goes away closes its ports, one whose record changes keeps its ports and
//! connections and is seen by the next call under its new record.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::gateway::Gateway;
use crate::listener::{self, Limits, Role};
use crate::tenant::{Tenant, TenantCell};

struct Open {
    cell: TenantCell,
    limits: Limits,
    /// Port and role of each listener that is bound.
    bound: BTreeMap<u16, Role>,
}

/// The ports of all tenants.
#[derive(Default)]
pub struct Ports {
    open: tokio::sync::Mutex<BTreeMap<String, Open>>,
}

impl Ports {
    /// Makes the ports equal to `tenants`. A port that can't be bound is logged and tried again at
    /// the next call; the others are served meanwhile.
    pub async fn apply(&self, gateway: &Arc<Gateway>, tenants: Vec<Tenant>) {
        let mut open = self.open.lock().await;
        let gone: Vec<String> = open
            .iter()
            .filter(|(name, old)| !tenants.iter().any(|new| same_tenant(name, old, new)))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(old) = open.remove(&name) {
                old.limits.closing.cancel();
            }
        }
        for tenant in tenants {
            let entry = open.entry(tenant.name.clone()).or_insert_with(|| Open {
                cell: Arc::new(ArcSwap::from_pointee(tenant.clone())),
                limits: limits(gateway),
                bound: BTreeMap::new(),
            });
            entry.cell.store(Arc::new(tenant.clone()));
            bind_missing(gateway, entry, &tenant);
        }
        gateway
            .metrics
            .tenants
            .set(i64::try_from(open.len()).unwrap_or(i64::MAX));
    }

    /// Closes a tenant's ports and returns when its last connection is gone.
    pub async fn fence(&self, tenant: &str) {
        let removed = self.open.lock().await.remove(tenant);
        let Some(removed) = removed else { return };
        removed.limits.closing.cancel();
        let all = u32::try_from(removed.limits.connections).unwrap_or(u32::MAX);
        // An error would mean that the semaphore was closed, which nobody does.
        let _ = removed.limits.permits.acquire_many(all).await;
    }

    /// Whether every port of a tenant is bound.
    pub async fn is_open(&self, tenant: &Tenant) -> bool {
        let open = self.open.lock().await;
        open.get(&tenant.name)
            .is_some_and(|entry| roles(tenant).all(|(port, _)| entry.bound.contains_key(&port)))
    }
}

/// A name that was destroyed and registered again is another tenant.
fn same_tenant(name: &str, old: &Open, new: &Tenant) -> bool {
    let was = old.cell.load();
    name == new.name && was.mode() == new.mode() && was.id() == new.id()
}

fn roles(tenant: &Tenant) -> impl Iterator<Item = (u16, Role)> + '_ {
    let stores = tenant
        .store_ports
        .iter()
        .map(|(id, port)| (*port, Role::Store(*id)));
    std::iter::once((tenant.pd_port, Role::Pd)).chain(stores)
}

fn limits(gateway: &Gateway) -> Limits {
    let connections = gateway.config.limits.max_connections_per_tenant;
    Limits {
        connections,
        permits: Arc::new(Semaphore::new(connections)),
        closing: gateway.closing.child_token(),
    }
}

fn bind_missing(gateway: &Arc<Gateway>, entry: &mut Open, tenant: &Tenant) {
    for (port, role) in roles(tenant) {
        if entry.bound.contains_key(&port) {
            continue;
        }
        match listener::bind(gateway.config.listen.bind, port) {
            Ok(listener) => {
                entry.bound.insert(port, role);
                let (cell, limits) = (entry.cell.clone(), entry.limits.clone());
                let accepting = listener::accept(gateway.clone(), cell, role, listener, limits);
                tokio::spawn(accepting);
            }
            Err(fault) => {
                tracing::error!(tenant = tenant.name, port, error = %fault, "port not bound");
            }
        }
    }
}
