//! Destroying a tenant, in three steps that each survive a crash after it.
//!
//! | step | record | id and ports | tenant's data |
//! |---|---|---|---|
//! | [`Registry::begin_destroy`] | `destroying` | claimed | no longer reachable |
//! | [`Registry::forget`] | gone, name free | claimed, id marked reserved | being destroyed |
//! | [`Registry::release`] | | free | proven destroyed by the caller |

use std::collections::BTreeMap;

use mesh_keyspace::Mode;

use super::claims::{malformed, number_after};
use super::retry::Retry;
use super::{PORTS_PER_TXN, Registry, settled, wrong_state};
use crate::etcd::{Compare, Op, Range, Txn, Versioned, decode, encode};
use crate::{IdClaim, Record, RegistryError, Scope, State, TenantName, paths};

impl Registry {
    /// First step of destroying a tenant: from here on no gateway serves it.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or etcd's.
    pub async fn begin_destroy(&self, name: &TenantName) -> Result<Record, RegistryError> {
        self.set_state(name, State::Destroying).await
    }

    /// Second step: the name becomes free. The id and the ports stay claimed until
    /// [`Registry::release`].
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::WrongState`] unless the tenant is being
    /// destroyed, or etcd's.
    pub async fn forget(&self, name: &TenantName) -> Result<Scope, RegistryError> {
        let _turn = self.turn.lock().await;
        let mut retry = Retry::new();
        let mut begun = None;
        loop {
            let Some(found) = self.find(name).await? else {
                return begun.ok_or_else(|| RegistryError::NotFound(name.clone()));
            };
            if found.value.state != State::Destroying {
                return Err(wrong_state(found.value));
            }
            begun = Some(found.value.scope);
            if settled(self.reserve(&found).await)? {
                return Ok(found.value.scope);
            }
            retry.pause().await?;
        }
    }

    /// Ids whose tenant is gone and whose data is not proven destroyed.
    ///
    /// # Errors
    /// etcd's.
    pub async fn reserved(&self) -> Result<BTreeMap<Scope, IdClaim>, RegistryError> {
        let mut reserved = BTreeMap::new();
        for mode in Mode::ALL {
            for kv in self.etcd.range(Range::prefix(paths::ids(mode))).await?.kvs {
                let claim: Versioned<IdClaim> = decode(&kv)?;
                if claim.value.reserved {
                    let id = number_after(&kv.key, &paths::ids(mode))?;
                    let scope = Scope::new(mode, id).map_err(|error| malformed(&kv.key, &error))?;
                    reserved.insert(scope, claim.value);
                }
            }
        }
        Ok(reserved)
    }

    /// Last step, once the tenant's data in the stores is proven destroyed: drops what the tenant
    /// kept in etcd, its ports and its garbage collection state, and makes the id free.
    ///
    /// # Errors
    /// [`RegistryError::NotReserved`], or etcd's.
    pub async fn release(&self, scope: Scope) -> Result<(), RegistryError> {
        let _turn = self.turn.lock().await;
        let key = paths::id(scope);
        let claim = self.etcd.get_json::<IdClaim>(&key).await?;
        let claim = claim.filter(|claim| claim.value.reserved);
        let claim = claim.ok_or(RegistryError::NotReserved(scope))?;
        self.etcd
            .delete(Range::prefix(paths::data_prefix(scope.mode, scope.id)))
            .await?;
        for ports in claim.value.ports.chunks(PORTS_PER_TXN) {
            let unchanged = Txn::new().when(Compare::unchanged_since(key.clone(), claim.revision));
            let drop = |txn: Txn, port: &u16| txn.then(Op::delete(Range::key(paths::port(*port))));
            self.commit(ports.iter().fold(unchanged, drop)).await?;
        }
        let last = Txn::new()
            .when(Compare::unchanged_since(key.clone(), claim.revision))
            .then(Op::delete(Range::key(paths::gc(scope))))
            .then(Op::delete(Range::key(key)));
        self.commit(last).await
    }

    async fn reserve(&self, found: &Versioned<Record>) -> Result<bool, RegistryError> {
        let record = &found.value;
        let key = paths::tenant(&record.name);
        let claim = IdClaim {
            name: record.name.clone(),
            reserved: true,
            ports: record.ports().collect(),
        };
        let txn = Txn::new()
            .when(Compare::unchanged_since(key.clone(), found.revision))
            .then(Op::delete(Range::key(key)))
            .then(Op::put(paths::id(record.scope), encode(&claim)?));
        Ok(self.etcd.txn(txn).await?.succeeded)
    }

    /// A transaction whose condition can fail only if another gateway does the same.
    async fn commit(&self, txn: Txn) -> Result<(), RegistryError> {
        if self.etcd.txn(txn).await?.succeeded {
            Ok(())
        } else {
            Err(RegistryError::Contended)
        }
    }
}
