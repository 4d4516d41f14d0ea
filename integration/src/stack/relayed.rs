//! Two gateways behind relays, as behind a load balancer, and a relay before the store, so that a
//! test can let the network fail on either side of the gateway.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};

use super::{Gateway, GatewayPlan};
use crate::admin::TenantInfo;
use crate::product::Product;
use crate::relay::{Faults, Relay};

/// Where the gateways listen, with the ports that tenants know; the relays are where tenants call.
const REPLICAS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];

/// The relays of a stack, and the second gateway.
#[derive(Debug)]
pub struct Relayed {
    /// Between each tenant's TiDB servers and the gateways.
    pub tenants: BTreeMap<String, Faults>,
    /// Between the gateways and the store.
    pub store: Faults,
    /// Beside the stack's own gateway.
    pub replica: Gateway,
    relays: Vec<Relay>,
}

impl Relayed {
    /// Starts the store's relay, the gateway as planned, and one more.
    pub(super) async fn start(
        product: &Product,
        mut first: GatewayPlan,
        admin_port: u16,
        (store_relay, store): (u16, u16),
    ) -> Result<(Gateway, Self)> {
        let store_faults = Faults::default();
        let listen = at(store_relay);
        let relay = Relay::start(listen, vec![at(store)], store_faults.clone()).await?;
        let second;
        [first.bind, second] = REPLICAS;
        let gateway = Gateway::start(product, first.clone()).await?;
        let mut plan = first.clone();
        plan.dir = first.dir.join("replica");
        std::fs::create_dir_all(&plan.dir)?;
        std::fs::copy(first.token_file(), plan.token_file())?;
        plan.bind = second;
        plan.admin_port = admin_port;
        let relayed = Self {
            tenants: BTreeMap::new(),
            store: store_faults,
            replica: Gateway::start(product, plan).await?,
            relays: vec![relay],
        };
        Ok((gateway, relayed))
    }

    /// Starts relays at a tenant's addresses.
    pub(super) async fn open(&mut self, tenant: &TenantInfo) -> Result<()> {
        let faults = self.tenants.entry(tenant.name.clone()).or_default();
        let stores = tenant.stores.iter().map(|store| &store.address);
        for address in stores.chain([&tenant.pd]) {
            let listen: SocketAddr = address.parse().context("a tenant's address")?;
            let targets = REPLICAS.map(|host| SocketAddr::new(IpAddr::V4(host), listen.port()));
            let relay = Relay::start(listen, targets.to_vec(), faults.clone()).await?;
            self.relays.push(relay);
        }
        Ok(())
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
