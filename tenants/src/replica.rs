//! A gateway among its replicas: what it has applied of the registry, and what it alone may do.
//!
//! A tenant's data may be destroyed only when no gateway serves the tenant any more. Each gateway
//! keeps a key under a lease and writes there the registry's revision that its ports and
//! connections are in keeping with. A change is fenced when every key that exists shows its
//! revision or a later one. What must stay true, and is the gateway's part:
//! - it opens a tenant's port only while it [is live](Replica::is_live), and closes all when it no
//!   longer is: its lease may have ended, and then nobody waits for it;
//! - it acknowledges a revision only when every connection that the revision forbids is gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::etcd::{Compare, EtcdClient, EtcdError, Op, Range, Txn, decode, encode};
use crate::{Registry, RegistryError, Scope, paths};

/// Value of `gateways/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Presence {
    /// Revision of the registry that the gateway has applied.
    applied: i64,
}

/// This process's place among the gateways.
pub struct Replica {
    etcd: EtcdClient,
    id: String,
    lease: i64,
    ttl: Duration,
    early: Duration,
    joined_at: i64,
    /// Until when etcd certainly keeps the lease, by this process's clock, less `early`.
    certain_until: watch::Sender<Instant>,
}

/// The right to destroy a tenant's data and to release its id, held by one gateway at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    scope: Scope,
    key: String,
    claimed_at: i64,
}

impl Claim {
    /// Whose data.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Lets a transaction succeed only while the claim is held.
    pub(crate) fn fence(&self, txn: Txn) -> Txn {
        txn.when(Compare::created_at(self.key.clone(), self.claimed_at))
    }
}

impl Replica {
    /// Joins the replicas; to be done before any tenant is served. Nothing counts as applied yet.
    /// The replica counts as lost `early` before its lease can end: what it takes to stop serving.
    ///
    /// # Errors
    /// etcd's.
    pub async fn join(
        etcd: EtcdClient,
        ttl: Duration,
        early: Duration,
    ) -> Result<Replica, EtcdError> {
        let asked = Instant::now();
        let lease = etcd.lease_grant(ttl).await?;
        let id = format!("{:016x}", rand::random::<u64>());
        let nothing = encode(&Presence { applied: 0 })?;
        let joined_at = etcd.put(paths::gateway(&id), nothing, lease.id).await?;
        Ok(Replica {
            etcd,
            id,
            lease: lease.id,
            ttl: lease.ttl,
            early,
            joined_at,
            certain_until: watch::Sender::new(asked + lease.ttl.saturating_sub(early)),
        })
    }

    /// Name among the replicas, made up anew at each joining.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether others certainly still count this process.
    pub fn is_live(&self) -> bool {
        Instant::now() < *self.certain_until.borrow()
    }

    /// Renews the lease until it is lost: etcd says so, or does not answer for as long as the lease
    /// lives.
    pub async fn keep(&self) {
        let mut pause = self.ttl / 6;
        while self.is_live() {
            tokio::time::sleep(pause).await;
            let asked = Instant::now();
            match self.etcd.lease_keep_alive(self.lease).await {
                Ok(ttl) => {
                    self.certain_until
                        .send_replace(asked + ttl.saturating_sub(self.early));
                    pause = self.ttl / 6;
                }
                Err(EtcdError::LeaseExpired) => break,
                Err(error) => {
                    tracing::warn!(%error, "this gateway's lease is not renewed");
                    pause = self.ttl / 30;
                }
            }
        }
        self.certain_until.send_replace(Instant::now());
    }

    /// Ends when the process is no longer certainly counted.
    pub async fn lost(&self) {
        let mut certain_until = self.certain_until.subscribe();
        loop {
            let until = *certain_until.borrow_and_update();
            if Instant::now() >= until {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                changed = certain_until.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Tells the others that everything up to `revision` is applied here.
    ///
    /// # Errors
    /// [`EtcdError::LeaseExpired`] when this replica is counted no longer; etcd's.
    pub async fn acknowledge(&self, revision: i64) -> Result<(), EtcdError> {
        let key = paths::gateway(&self.id);
        let presence = encode(&Presence { applied: revision })?;
        let txn = Txn::new()
            .when(Compare::created_at(key.clone(), self.joined_at))
            .then(Op::put_leased(key, presence, self.lease));
        if self.etcd.txn(txn).await?.succeeded {
            Ok(())
        } else {
            Err(EtcdError::LeaseExpired)
        }
    }

    /// Claims the destruction of a tenant. `None`: another gateway is at it, or this one is.
    ///
    /// # Errors
    /// etcd's.
    pub async fn claim(&self, scope: Scope) -> Result<Option<Claim>, EtcdError> {
        let key = paths::destroyer(scope);
        let txn = Txn::new()
            .when(Compare::absent(key.clone()))
            .when(Compare::created_at(
                paths::gateway(&self.id),
                self.joined_at,
            ))
            .then(Op::put_leased(key.clone(), self.id.as_str(), self.lease));
        let outcome = self.etcd.txn(txn).await?;
        Ok(outcome.succeeded.then_some(Claim {
            scope,
            key,
            claimed_at: outcome.revision,
        }))
    }

    /// Gives a claim back.
    ///
    /// # Errors
    /// etcd's; the claim then ends with the lease.
    pub async fn resign(&self, claim: &Claim) -> Result<(), EtcdError> {
        let key = Range::key(claim.key.clone());
        let txn = claim.fence(Txn::new()).then(Op::delete(key));
        self.etcd.txn(txn).await.map(drop)
    }

    /// Leaves: nobody waits for this process any longer.
    ///
    /// # Errors
    /// etcd's; the lease then ends by itself.
    pub async fn leave(&self) -> Result<(), EtcdError> {
        self.certain_until.send_replace(Instant::now());
        self.etcd.lease_revoke(self.lease).await
    }
}

impl Registry {
    /// The live gateways that have not applied `revision` yet; none: the change is fenced.
    ///
    /// # Errors
    /// etcd's.
    pub async fn behind(&self, revision: i64) -> Result<Vec<String>, RegistryError> {
        let all = self.etcd().range(Range::prefix(paths::GATEWAYS)).await?;
        let mut behind = Vec::new();
        for kv in &all.kvs {
            if decode::<Presence>(kv)?.value.applied < revision {
                behind.push(String::from_utf8_lossy(&kv.key).into_owned());
            }
        }
        Ok(behind)
    }
}
