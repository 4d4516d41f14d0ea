//! Changes of a tenant that exists: its state, its limits, its name.

use super::claims::port_claim;
use super::retry::Retry;
use super::{PORTS_PER_TXN, Registry, settled, wrong_state};
use crate::etcd::{Compare, EtcdError, Expect, Op, Range, Swap, Txn, Versioned, encode};
use crate::{IdClaim, Limits, Record, RegistryError, State, TenantName, paths};

impl Registry {
    /// Moves a tenant to another state.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::Transition`], or etcd's.
    pub async fn set_state(
        &self,
        name: &TenantName,
        state: State,
    ) -> Result<Record, RegistryError> {
        let moved = self.change(name, |record| {
            let from = record.state;
            if !from.may_become(state) {
                return Err(RegistryError::Transition {
                    name: name.clone(),
                    from,
                    to: state,
                });
            }
            Ok(Record { state, ..record })
        });
        Ok(moved.await?.value)
    }

    /// Sets what a tenant may take, all bounds at once.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::WrongState`] for a tenant that is being
    /// destroyed, or etcd's.
    pub async fn set_limits(
        &self,
        name: &TenantName,
        limits: Limits,
    ) -> Result<Versioned<Record>, RegistryError> {
        self.change(name, |record| match record.state {
            State::Destroying => Err(wrong_state(record)),
            State::Creating | State::Active | State::Suspended => Ok(Record { limits, ..record }),
        })
        .await
    }

    /// Gives a tenant another name. Its id, ports and data stay, so its clients notice nothing.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::NameTaken`], [`RegistryError::WrongState`] for
    /// a tenant that is being created or destroyed, or etcd's.
    pub async fn rename(
        &self,
        from: &TenantName,
        to: &TenantName,
    ) -> Result<Record, RegistryError> {
        let _turn = self.turn.lock().await;
        let mut retry = Retry::new();
        let mut begun: Option<Record> = None;
        loop {
            let Some(found) = self.find(from).await? else {
                return self.renamed_before(begun, from, to).await;
            };
            match found.value.state {
                State::Active | State::Suspended => {}
                State::Creating | State::Destroying => return Err(wrong_state(found.value)),
            }
            if from == to {
                return Ok(found.value);
            }
            if self.find(to).await?.is_some() {
                return Err(RegistryError::NameTaken(to.clone()));
            }
            let renamed = Record {
                name: to.clone(),
                ..found.value.clone()
            };
            begun = Some(renamed.clone());
            if settled(self.move_record(&found, &renamed).await)? {
                return Ok(renamed);
            }
            retry.pause().await?;
        }
    }

    /// An attempt whose answer was lost may have taken effect.
    async fn renamed_before(
        &self,
        begun: Option<Record>,
        from: &TenantName,
        to: &TenantName,
    ) -> Result<Record, RegistryError> {
        let found = self.find(to).await?.map(|found| found.value);
        match (begun, found) {
            (Some(begun), Some(found)) if begun.scope == found.scope => Ok(found),
            _ => Err(RegistryError::NotFound(from.clone())),
        }
    }

    /// Names in port claims are for people, so those beyond one transaction's room may follow late
    /// or, after a crash, never.
    async fn move_record(
        &self,
        found: &Versioned<Record>,
        renamed: &Record,
    ) -> Result<bool, RegistryError> {
        let (old, new) = (
            paths::tenant(&found.value.name),
            paths::tenant(&renamed.name),
        );
        let claim = IdClaim {
            name: renamed.name.clone(),
            reserved: false,
            ports: Vec::new(),
            destroyed_at: 0,
        };
        let txn = Txn::new()
            .when(Compare::unchanged_since(old.clone(), found.revision))
            .when(Compare::absent(new.clone()))
            .then(Op::delete(Range::key(old)))
            .then(Op::put(new, encode(renamed)?))
            .then(Op::put(paths::id(renamed.scope), encode(&claim)?));
        if !self.etcd.txn(txn).await?.succeeded {
            return Ok(false);
        }
        let stores = renamed.store_ports.iter();
        let stores = stores.map(|(store, port)| (Some(*store), *port));
        let ports: Vec<_> = std::iter::once((None, renamed.pd_port))
            .chain(stores)
            .collect();
        for ports in ports.chunks(PORTS_PER_TXN) {
            let mut txn = Txn::new();
            for (store, port) in ports {
                let claim = port_claim(&renamed.name, *store);
                txn = txn.then(Op::put(paths::port(*port), encode(&claim)?));
            }
            if let Err(error) = self.etcd.txn(txn).await {
                tracing::warn!(%error, "port claims keep a tenant's old name");
            }
        }
        Ok(true)
    }

    /// Changes a record by compare-and-swap; `change` runs on the latest one, perhaps more than once.
    async fn change(
        &self,
        name: &TenantName,
        change: impl Fn(Record) -> Result<Record, RegistryError>,
    ) -> Result<Versioned<Record>, RegistryError> {
        let _turn = self.turn.lock().await;
        let mut retry = Retry::new();
        loop {
            let found = self.find(name).await?;
            let found = found.ok_or_else(|| RegistryError::NotFound(name.clone()))?;
            let changed = change(found.value.clone())?;
            if changed == found.value {
                return Ok(found);
            }
            let expect = Expect::Revision(found.revision);
            let key = paths::tenant(name);
            match self.etcd.swap_json(&key, expect, &changed).await {
                Ok(Swap::Done { revision }) => {
                    return Ok(Versioned {
                        value: changed,
                        revision,
                    });
                }
                Ok(Swap::Lost(_)) | Err(EtcdError::Uncertain { .. }) => retry.pause().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
