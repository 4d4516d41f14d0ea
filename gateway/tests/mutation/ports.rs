//! A gateway before a storage that answers anything, with one tenant's PD port and store port.

use std::sync::Arc;
use std::time::SystemTime;

use mesh_gateway::config::Config;
use mesh_gateway::gateway::Gateway;
use mesh_gateway::listener::Role;
use mesh_gateway::ports;
use mesh_gateway::tenant::{Addresses, Tenant};
use mesh_keyspace::{Keyspace, Mode, TenantId};
use mesh_tenants::{Limits, State};
use tonic::transport::Channel;

use crate::storage::{STORE, Storage};

pub struct Ports {
    pub storage: Arc<Storage>,
    pub pd_address: String,
    pd: Channel,
    store: Channel,
}

pub fn keyspace(id: u32) -> Keyspace {
    Keyspace::new(Mode::Table, TenantId::new(Mode::Table, id).unwrap()).unwrap()
}

impl Ports {
    pub async fn open(keyspace: Keyspace) -> Ports {
        let storage = Storage::start().await;
        let gateway = Gateway::connect(config(&storage)).await;
        let gateway = gateway.unwrap_or_else(|fault| panic!("no gateway: {fault}"));
        let tenant = tenant(keyspace);
        let open = ports::Ports::default();
        open.apply(&gateway, vec![(tenant.clone(), Limits::default())])
            .await;
        assert!(open.all_open().await, "the ports were taken meanwhile");
        let store_address = tenant.store_address(STORE).unwrap();
        Ports {
            storage,
            pd: channel(&tenant.pd_address()),
            store: channel(&store_address),
            pd_address: tenant.pd_address(),
        }
    }

    pub fn channel(&self, port: Role) -> Channel {
        match port {
            Role::Pd => self.pd.clone(),
            Role::Store(_) => self.store.clone(),
        }
    }
}

fn channel(address: &str) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect_lazy()
}

fn config(storage: &Storage) -> Config {
    let text = format!(
        "advertise_host = \"127.0.0.1\"\n\
         storage.pd = [\"{}\"]\n\
         admin = {{ listen = \"127.0.0.1:0\", token_file = \"none\" }}\n\
         listen = {{ port_range = \"1-1\", workers = 1 }}\n",
        storage.address
    );
    toml::from_str(&text).unwrap()
}

fn tenant(keyspace: Keyspace) -> Tenant {
    Tenant {
        name: "alpha".to_owned(),
        keyspace,
        addresses: Addresses::in_the_clear("127.0.0.1"),
        pd_port: free_port(),
        store_ports: [(STORE, free_port())].into(),
        state: State::Active,
        created_at: SystemTime::UNIX_EPOCH,
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
