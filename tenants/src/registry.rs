//! The registry's operations.
//!
//! Each is one etcd transaction, so several gateways may do the same at once. What must stay true:
//! - a mode and id belong to one name at a time, and an id is not given away again while its claim
//!   exists; the claim outlives the tenant until its data is proven destroyed,
//! - a port stands for one tenant and one server, and stays claimed as long as the id does,
//! - an operation that is repeated after an uncertain end finds its own work and succeeds.

mod change;
mod claims;
mod destroy;
mod retry;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use mesh_keyspace::Mode;
use tokio::sync::{Mutex, watch};

use crate::allocate::{free_ports, smallest_free_id};
use crate::etcd::{Compare, EtcdClient, EtcdError, Op, Range, Txn, Versioned, encode};
use crate::record::now;
use crate::{
    IdClaim, Limits, Record, RegistryError, Scope, State, TenantName, TenantTable, TenantZero,
    paths,
};
use claims::{claim_port, claim_store_ports, malformed, numbers};
use retry::Retry;

/// Ports claimed by one transaction: with the record, the id and their conditions this stays below
/// [`Txn::MAX_OPS`].
const PORTS_PER_TXN: usize = 100;

/// Whether a creation made the tenant or found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// Made.
    New,
    /// Found, as asked for.
    Existing,
}

/// The tenant registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    etcd: EtcdClient,
    ports: RangeInclusive<u16>,
    /// Writers of this process take turns, so that only other gateways are raced.
    turn: Arc<Mutex<()>>,
}

impl Registry {
    /// The registry behind an etcd client; new ports come from `ports`.
    pub fn new(etcd: EtcdClient, ports: RangeInclusive<u16>) -> Registry {
        Registry {
            etcd,
            ports,
            turn: Arc::default(),
        }
    }

    /// The etcd client, for state that is kept beside the registry.
    pub fn etcd(&self) -> &EtcdClient {
        &self.etcd
    }

    /// Registers a tenant in state [`State::Creating`], with ports for PD and `stores`. The same
    /// name and mode again is not an error.
    ///
    /// # Errors
    /// [`RegistryError::OtherMode`], [`RegistryError::WrongState`] for a tenant that is being
    /// destroyed, exhaustion, or etcd's.
    pub async fn create(
        &self,
        name: &TenantName,
        mode: Mode,
        stores: &BTreeSet<u64>,
    ) -> Result<(Record, Creation), RegistryError> {
        let (record, creation) = self.register(name, mode, stores).await?;
        if stores
            .iter()
            .all(|store| record.store_ports.contains_key(store))
        {
            return Ok((record, creation));
        }
        Ok((self.ensure_ports(name, stores).await?, creation))
    }

    /// One transaction's worth of [`Registry::create`].
    async fn register(
        &self,
        name: &TenantName,
        mode: Mode,
        stores: &BTreeSet<u64>,
    ) -> Result<(Record, Creation), RegistryError> {
        let _turn = self.turn.lock().await;
        let at_once = stores.iter().copied().take(PORTS_PER_TXN).collect();
        let mut retry = Retry::new();
        // Two gateways may draft the same; only after an uncertain end may a match be our own work.
        let mut perhaps_claimed = None;
        loop {
            if let Some(found) = self.find(name).await? {
                let ours = perhaps_claimed.as_ref() == Some(&found.value);
                let creation = if ours {
                    Creation::New
                } else {
                    Creation::Existing
                };
                return Ok((existing(found.value, mode)?, creation));
            }
            let draft = self.draft(name, mode, &at_once).await?;
            match self.claim(&draft).await {
                Ok(true) => return Ok((draft, Creation::New)),
                Ok(false) => {}
                Err(RegistryError::Etcd(EtcdError::Uncertain { .. })) => {
                    perhaps_claimed = Some(draft);
                }
                Err(error) => return Err(error),
            }
            retry.pause().await?;
        }
    }

    /// A tenant's record.
    ///
    /// # Errors
    /// etcd's.
    pub async fn get(&self, name: &TenantName) -> Result<Option<Record>, RegistryError> {
        Ok(self.find(name).await?.map(|found| found.value))
    }

    /// A tenant's record with the revision of its last change.
    ///
    /// # Errors
    /// etcd's.
    pub async fn versioned(
        &self,
        name: &TenantName,
    ) -> Result<Option<Versioned<Record>>, RegistryError> {
        Ok(self.find(name).await?)
    }

    /// All tenants as of now.
    ///
    /// # Errors
    /// etcd's.
    pub async fn list(&self) -> Result<TenantTable, RegistryError> {
        let listing = self.etcd.range(Range::prefix(paths::TENANTS)).await?;
        Ok(TenantTable::from_listing(listing))
    }

    /// All tenants, kept up to date until every receiver is dropped.
    ///
    /// # Errors
    /// etcd's, if not even the first listing succeeds. Later interruptions only make the table
    /// [not current](TenantTable::is_current).
    pub async fn watch(&self) -> Result<watch::Receiver<Arc<TenantTable>>, RegistryError> {
        Ok(crate::follow::follow(self.etcd.clone()).await?)
    }

    /// Gives a tenant a port for each of `stores` that it has none for. Ports of stores that are
    /// gone stay: clients may still know them.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::WrongState`] for a tenant that is being
    /// destroyed, [`RegistryError::PortsExhausted`], or etcd's.
    pub async fn ensure_ports(
        &self,
        name: &TenantName,
        stores: &BTreeSet<u64>,
    ) -> Result<Record, RegistryError> {
        let _turn = self.turn.lock().await;
        let mut retry = Retry::new();
        loop {
            let found = self.find(name).await?;
            let found = found.ok_or_else(|| RegistryError::NotFound(name.clone()))?;
            if found.value.state == State::Destroying {
                return Err(wrong_state(found.value));
            }
            let known = &found.value.store_ports;
            let missing: Vec<u64> = stores
                .iter()
                .copied()
                .filter(|store| !known.contains_key(store))
                .collect();
            let chunk = match missing.as_slice() {
                [] => return Ok(found.value),
                some => some
                    .iter()
                    .copied()
                    .take(PORTS_PER_TXN)
                    .collect::<Vec<u64>>(),
            };
            if !settled(self.add_ports(&found, &chunk).await)? {
                retry.pause().await?;
            }
        }
    }

    /// States whether a TiDB lives on the storage directly, or finds what was stated before: the
    /// first statement stands, and all gateways must agree on it.
    ///
    /// # Errors
    /// etcd's.
    pub async fn agree_tenant_zero(&self, stated: TenantZero) -> Result<TenantZero, RegistryError> {
        let txn = Txn::new()
            .when(Compare::absent(paths::TENANT_ZERO))
            .then(Op::put(paths::TENANT_ZERO, stated.as_str()))
            .or_else(Op::range(Range::key(paths::TENANT_ZERO)));
        let outcome = self.etcd.txn(txn).await?;
        match outcome.reads.into_iter().flatten().next() {
            None => Ok(stated),
            Some(kv) => TenantZero::from_stored(&kv.value)
                .ok_or_else(|| malformed(&kv.key, &"neither present nor absent").into()),
        }
    }

    /// Changes the statement of [`Registry::agree_tenant_zero`]: an operator's decision.
    ///
    /// # Errors
    /// etcd's.
    pub async fn set_tenant_zero(&self, stated: TenantZero) -> Result<(), RegistryError> {
        self.etcd
            .put(paths::TENANT_ZERO, stated.as_str(), 0)
            .await?;
        Ok(())
    }

    async fn find(&self, name: &TenantName) -> Result<Option<Versioned<Record>>, EtcdError> {
        self.etcd.get_json(&paths::tenant(name)).await
    }

    /// A record with an id and ports that are free as far as one look tells.
    async fn draft(
        &self,
        name: &TenantName,
        mode: Mode,
        stores: &BTreeSet<u64>,
    ) -> Result<Record, RegistryError> {
        let taken = numbers(&self.etcd, &paths::ids(mode)).await?;
        let id = smallest_free_id(mode, &taken).ok_or(RegistryError::IdsExhausted(mode))?;
        let mut ports = self.propose_ports(stores.len() + 1).await?.into_iter();
        let exhausted = || self.ports_exhausted(stores.len() + 1);
        let pd_port = ports.next().ok_or_else(exhausted)?;
        Ok(Record {
            name: name.clone(),
            scope: Scope { mode, id },
            state: State::Creating,
            pd_port,
            store_ports: stores.iter().copied().zip(ports).collect(),
            created_at: now(),
            limits: Limits::default(),
        })
    }

    async fn propose_ports(&self, count: usize) -> Result<Vec<u16>, RegistryError> {
        let taken = numbers(&self.etcd, paths::PORTS).await?;
        free_ports(self.ports.clone(), &taken, count).ok_or_else(|| self.ports_exhausted(count))
    }

    fn ports_exhausted(&self, needed: usize) -> RegistryError {
        RegistryError::PortsExhausted {
            range: self.ports.clone(),
            needed,
        }
    }

    /// Writes a drafted tenant if its name, id and ports are still free.
    async fn claim(&self, draft: &Record) -> Result<bool, RegistryError> {
        let (record, id) = (paths::tenant(&draft.name), paths::id(draft.scope));
        let claim = IdClaim {
            name: draft.name.clone(),
            reserved: false,
            ports: Vec::new(),
            destroyed_at: 0,
        };
        let txn = Txn::new()
            .when(Compare::absent(record.clone()))
            .when(Compare::absent(id.clone()))
            .then(Op::put(record, encode(draft)?))
            .then(Op::put(id, encode(&claim)?));
        let txn = claim_port(txn, &draft.name, None, draft.pd_port)?;
        let txn = claim_store_ports(txn, &draft.name, &draft.store_ports)?;
        Ok(self.etcd.txn(txn).await?.succeeded)
    }

    async fn add_ports(
        &self,
        found: &Versioned<Record>,
        stores: &[u64],
    ) -> Result<bool, RegistryError> {
        let ports = self.propose_ports(stores.len()).await?;
        let added: BTreeMap<u64, u16> = stores.iter().copied().zip(ports).collect();
        let mut changed = found.value.clone();
        changed.store_ports.extend(&added);
        let key = paths::tenant(&changed.name);
        let txn = Txn::new()
            .when(Compare::unchanged_since(key.clone(), found.revision))
            .then(Op::put(key, encode(&changed)?));
        let txn = claim_store_ports(txn, &changed.name, &added)?;
        // Not done yet even if it succeeds: the caller reads the record again.
        Ok(self.etcd.txn(txn).await?.succeeded)
    }
}

fn existing(record: Record, asked: Mode) -> Result<Record, RegistryError> {
    if record.state == State::Destroying {
        return Err(wrong_state(record));
    }
    if record.mode() != asked {
        let existing = record.mode();
        return Err(RegistryError::OtherMode {
            name: record.name,
            existing,
            asked,
        });
    }
    Ok(record)
}

fn wrong_state(record: Record) -> RegistryError {
    RegistryError::WrongState {
        name: record.name,
        state: record.state,
    }
}

/// Whether an attempt took effect as far as known; an uncertain one is looked at again.
fn settled(attempt: Result<bool, RegistryError>) -> Result<bool, RegistryError> {
    match attempt {
        Err(RegistryError::Etcd(EtcdError::Uncertain { .. })) => Ok(false),
        known => known,
    }
}
