//! Destroying a tenant, in three steps that each survive a crash after it.
//!
//! | step | record | id and ports | tenant's data |
//! |---|---|---|---|
//! | [`Registry::begin_destroy`] | `destroying` | claimed | no longer reachable, being destroyed |
//! | [`Registry::forget`] | gone, name free | claimed, id marked reserved | proven destroyed once |
//! | [`Registry::release`] | | free | proven destroyed again, after a quarantine |
//!
//! The last two are done under a [`Claim`], which one gateway at a time can have: a gateway that
//! lost its claim meanwhile could otherwise release an id that a new tenant has by then.

use std::collections::BTreeMap;

use mesh_keyspace::Mode;

use super::claims::{malformed, number_after};
use super::retry::Retry;
use super::{PORTS_PER_TXN, Registry, settled, wrong_state};
use crate::etcd::{Compare, Op, Range, Txn, Versioned, decode, encode};
use crate::record::{now, seconds};
use crate::{Claim, IdClaim, Record, RegistryError, Scope, State, TenantName, paths};

impl Registry {
    /// First step of destroying a tenant: from here on no gateway serves it.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or etcd's.
    pub async fn begin_destroy(&self, name: &TenantName) -> Result<Record, RegistryError> {
        self.set_state(name, State::Destroying).await
    }

    /// Second step, once the data is proven destroyed: the name becomes free. The id and the ports
    /// stay claimed until [`Registry::release`].
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::WrongState`] unless the tenant is being
    /// destroyed, [`RegistryError::Contended`] when the claim is lost or another tenant's, or
    /// etcd's.
    pub async fn forget(&self, name: &TenantName, claim: &Claim) -> Result<Scope, RegistryError> {
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
            if found.value.scope != claim.scope() {
                return Err(RegistryError::Contended);
            }
            begun = Some(found.value.scope);
            if settled(self.reserve(&found, claim).await)? {
                return Ok(found.value.scope);
            }
            retry.pause().await?;
        }
    }

    /// Ids whose tenant is gone and that can't be given away yet.
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
    /// [`RegistryError::NotReserved`], [`RegistryError::Contended`] when the claim is lost, or
    /// etcd's.
    pub async fn release(&self, claim: &Claim) -> Result<(), RegistryError> {
        let _turn = self.turn.lock().await;
        let scope = claim.scope();
        let key = paths::id(scope);
        let reserved = self.etcd.get_json::<IdClaim>(&key).await?;
        let reserved = reserved.filter(|found| found.value.reserved);
        let reserved = reserved.ok_or(RegistryError::NotReserved(scope))?;
        self.etcd
            .delete(Range::prefix(paths::data_prefix(scope.mode, scope.id)))
            .await?;
        let fenced = || {
            let unchanged = Compare::unchanged_since(key.clone(), reserved.revision);
            claim.fence(Txn::new()).when(unchanged)
        };
        for ports in reserved.value.ports.chunks(PORTS_PER_TXN) {
            let mut txn = fenced();
            for port in ports {
                txn = self.drop_port(txn, *port, reserved.revision).await?;
            }
            self.commit(txn).await?;
        }
        let last = fenced()
            .then(Op::delete(Range::key(paths::gc(scope))))
            .then(Op::delete(Range::key(key.clone())));
        self.commit(last).await
    }

    /// After a crash in the midst of a release a port may belong to a new tenant already; that claim
    /// is younger than the reservation.
    async fn drop_port(&self, txn: Txn, port: u16, reserved_at: i64) -> Result<Txn, RegistryError> {
        let key = paths::port(port);
        let held = self.etcd.get(key.clone()).await?;
        Ok(
            match held.filter(|held| held.create_revision < reserved_at) {
                None => txn,
                Some(held) => txn
                    .when(Compare::created_at(key.clone(), held.create_revision))
                    .then(Op::delete(Range::key(key))),
            },
        )
    }

    async fn reserve(
        &self,
        found: &Versioned<Record>,
        claim: &Claim,
    ) -> Result<bool, RegistryError> {
        let record = &found.value;
        let key = paths::tenant(&record.name);
        let reserved = IdClaim {
            name: record.name.clone(),
            reserved: true,
            ports: record.ports().collect(),
            destroyed_at: seconds(now()),
        };
        let txn = claim
            .fence(Txn::new())
            .when(Compare::unchanged_since(key.clone(), found.revision))
            .then(Op::delete(Range::key(key)))
            .then(Op::put(paths::id(record.scope), encode(&reserved)?));
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
