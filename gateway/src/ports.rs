//! Keeps the listening ports equal to the registry: a tenant that appears is served within one
//! notification, one that goes away closes its ports, one whose record changes keeps its ports and
//! connections and is seen by the next call under its new record. One that is suspended keeps its
//! ports, so that clients learn why they are refused, and loses its connections.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mesh_tenants::{Limits, State};

use crate::gateway::Gateway;
use crate::limits::Gate;
use crate::listener::{self, Access, Role};
use crate::tenant::{Identity, Tenant, TenantCell};
use crate::term::Term;

/// Rates are over this time.
const SAMPLED_EVERY: Duration = Duration::from_secs(5);

struct Open {
    cell: TenantCell,
    access: Access,
    /// Port and role of each listener that is bound.
    bound: BTreeMap<u16, Role>,
}

/// The ports of all tenants.
#[derive(Default)]
pub struct Ports {
    open: tokio::sync::Mutex<HashMap<Identity, Open>>,
}

impl Ports {
    /// Makes the ports equal to `tenants`; answers the terms that this ends. A port that can't be
    /// bound is logged and tried again at the next call; the others are served meanwhile.
    pub async fn apply(
        &self,
        gateway: &Arc<Gateway>,
        tenants: Vec<(Tenant, Limits)>,
    ) -> Vec<Arc<Term>> {
        let mut open = self.open.lock().await;
        let mut ended = Vec::new();
        let staying: HashSet<Identity> = tenants.iter().map(|(new, _)| new.identity()).collect();
        open.retain(|identity, old| {
            let stays = staying.contains(identity);
            if !stays {
                // Whoever is accepted in this very moment is refused.
                let gone = Tenant::clone(&old.cell.load());
                old.cell.store(Arc::new(Tenant {
                    state: State::Destroying,
                    ..gone
                }));
                old.access.closing.cancel();
                ended.push(old.end_term(gateway));
            }
            stays
        });
        for (tenant, limits) in tenants {
            let entry = open
                .entry(tenant.identity())
                .or_insert_with(|| Open::new(gateway, &tenant));
            ended.extend(entry.update(gateway, &tenant, &limits));
            if !tenant.shares_a_port() {
                bind_missing(gateway, entry, &tenant);
            }
        }
        gateway
            .metrics
            .tenants
            .set(i64::try_from(open.len()).unwrap_or(i64::MAX));
        ended
    }

    /// Whether every port of every tenant is bound.
    pub async fn all_open(&self) -> bool {
        let open = self.open.lock().await;
        open.values()
            .all(|entry| is_bound(entry, &entry.cell.load()))
    }

    /// Closes every port: this process may no longer serve anybody.
    pub async fn close_all(&self, gateway: &Arc<Gateway>) -> Vec<Arc<Term>> {
        self.apply(gateway, Vec::new()).await
    }

    /// A tenant that is served, for a connection that belongs to it.
    pub async fn find(&self, tenant: &str) -> Option<(TenantCell, Access)> {
        let open = self.open.lock().await;
        // A name that is registered again belongs to the younger tenant.
        let named = open
            .values()
            .filter(|entry| entry.cell.load().name == tenant);
        let entry = named.max_by_key(|entry| entry.cell.load().created_at)?;
        Some((entry.cell.clone(), entry.access.clone()))
    }

    /// Whether every port of a tenant is bound.
    pub async fn is_open(&self, tenant: &Tenant) -> bool {
        let open = self.open.lock().await;
        open.get(&tenant.identity())
            .is_some_and(|entry| is_bound(entry, tenant))
    }

    /// Takes samples of what all tenants take, for ever.
    pub async fn sample(&self) {
        loop {
            tokio::time::sleep(SAMPLED_EVERY).await;
            for entry in self.open.lock().await.values() {
                entry.access.gate.sample();
            }
        }
    }

    /// What a tenant is taking here and now.
    pub async fn gate(&self, identity: &Identity) -> Option<Arc<Gate>> {
        let open = self.open.lock().await;
        open.get(identity).map(|entry| entry.access.gate.clone())
    }
}

impl Open {
    fn new(gateway: &Gateway, tenant: &Tenant) -> Open {
        let closing = gateway.closing.child_token();
        Open {
            cell: Arc::new(ArcSwap::from_pointee(tenant.clone())),
            access: Access {
                gate: Arc::new(Gate::new(gateway.config.limits.max_connections_per_tenant)),
                term: Arc::new(ArcSwap::from_pointee(Term::under(&closing))),
                closing,
            },
            bound: BTreeMap::new(),
        }
    }

    /// The next call is under the new record; a term that this ends is answered.
    fn update(&mut self, gateway: &Gateway, tenant: &Tenant, limits: &Limits) -> Option<Arc<Term>> {
        let was = self.cell.swap(Arc::new(tenant.clone()));
        self.access.gate.set(limits);
        let ends = was.state == State::Active && tenant.state != State::Active;
        ends.then(|| self.end_term(gateway))
    }

    fn end_term(&self, gateway: &Gateway) -> Arc<Term> {
        let next = Term::under(&gateway.closing);
        let old = self.access.term.swap(Arc::new(next));
        old.end();
        old
    }
}

fn is_bound(entry: &Open, tenant: &Tenant) -> bool {
    tenant.shares_a_port() || roles(tenant).all(|(port, _)| entry.bound.contains_key(&port))
}

fn roles(tenant: &Tenant) -> impl Iterator<Item = (u16, Role)> + '_ {
    let stores = tenant
        .store_ports
        .iter()
        .map(|(id, port)| (*port, Role::Store(*id)));
    std::iter::once((tenant.pd_port, Role::Pd)).chain(stores)
}

fn bind_missing(gateway: &Arc<Gateway>, entry: &mut Open, tenant: &Tenant) {
    for (port, role) in roles(tenant) {
        if entry.bound.contains_key(&port) {
            continue;
        }
        match listener::bind(gateway.config.listen.bind, port) {
            Ok(listener) => {
                entry.bound.insert(port, role);
                let (cell, access) = (entry.cell.clone(), entry.access.clone());
                let accepting = listener::accept(gateway.clone(), cell, role, listener, access);
                tokio::spawn(accepting);
            }
            Err(fault) => {
                tracing::error!(tenant = tenant.name, port, error = %fault, "port not bound");
            }
        }
    }
}
