//! Destroying a tenant, to the end: fenced, erased, proven empty, its id and ports given back.
//!
//! | step | seen in the registry | done by |
//! |---|---|---|
//! | 1 fence | record `destroying` | every live gateway acknowledges that it serves the tenant no more |
//! | 2 erase, prove | record `destroying`, claimed | one gateway, under a claim |
//! | 3 forget | name free; id and ports reserved | one transaction |
//! | 4 quarantine | reserved | a request that a store had already taken in may still be carried out |
//! | 5 erase, prove, release | id and ports free | one gateway, under a claim |
//!
//! Every step may be repeated, and where it stands is told by the registry alone: whichever gateway
//! is alive goes on ([`Destroyer::resume`]). What must stay true: nothing is erased without the
//! claim, which ends before the gateway that holds it can be replaced; and no id is released that
//! was not proven empty after the quarantine.

mod call;
mod erase;
mod proof;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh_keyspace::Keyspace;
use mesh_tenants::{Claim, Record, RegistryError, Replica, Scope, State, TenantName};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

pub use proof::{Evidence, Unproven};

use crate::admin::AuditLog;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::membership::Membership;
use crate::tenant::Tenant;

/// Between two looks at what is left to do.
const ROUND: Duration = Duration::from_secs(2);
const FENCE_PAUSE: Duration = Duration::from_millis(50);
/// A killed replica is counted until its lease ends.
const FENCE_WITHIN: Duration = Duration::from_secs(90);
/// Tenants destroyed at a time, by one gateway.
const AT_A_TIME: usize = 4;

/// Why a destruction does not go on.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// Another gateway is at it, or another task of this one.
    #[error("another gateway is destroying the tenant")]
    Claimed,
    /// Not all gateways have stopped serving the tenant.
    #[error("{0} gateway(s) have not confirmed that they serve the tenant no more")]
    NotFenced(usize),
    /// Something is left, or can't be looked at.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The storage cluster.
    #[error(transparent)]
    Storage(#[from] Fault),
}

impl From<mesh_tenants::EtcdError> for Stuck {
    fn from(error: mesh_tenants::EtcdError) -> Stuck {
        Stuck::Registry(error.into())
    }
}

/// Destroys tenants.
pub struct Destroyer {
    gateway: Arc<Gateway>,
    membership: Arc<Membership>,
    audit: Arc<AuditLog>,
    busy: Mutex<HashSet<Scope>>,
    slots: Semaphore,
    nudged: Notify,
}

impl Destroyer {
    /// A destroyer that acts in the name of the present replica.
    pub fn new(
        gateway: Arc<Gateway>,
        membership: Arc<Membership>,
        audit: Arc<AuditLog>,
    ) -> Destroyer {
        Destroyer {
            gateway,
            membership,
            audit,
            busy: Mutex::default(),
            slots: Semaphore::new(AT_A_TIME),
            nudged: Notify::new(),
        }
    }

    /// Waits until every live gateway has applied a change of the registry.
    ///
    /// # Errors
    /// [`Stuck::NotFenced`] when one does not in time.
    pub async fn fenced(&self, revision: i64) -> Result<(), Stuck> {
        let deadline = tokio::time::Instant::now() + FENCE_WITHIN;
        loop {
            let behind = self.gateway.registry.behind(revision).await?;
            if behind.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return Err(Stuck::NotFenced(behind.len()));
            }
            tokio::time::sleep(FENCE_PAUSE).await;
        }
    }

    /// Steps 1 to 3 for a tenant whose record says `destroying`; the name is free afterwards.
    ///
    /// # Errors
    /// [`Stuck`]; to be repeated.
    pub async fn destroy(&self, name: &TenantName) -> Result<(), Stuck> {
        let Some(found) = self.gateway.registry.versioned(name).await? else {
            return Ok(());
        };
        if found.value.state != State::Destroying {
            return Ok(());
        }
        self.fenced(found.revision).await?;
        let record = found.value;
        self.claimed(record.scope, async |claim| {
            // Another gateway may have finished before the claim was ours.
            match self.gateway.registry.get(name).await? {
                Some(now) if now.scope == record.scope && now.state == State::Destroying => {}
                Some(_) | None => return Ok(()),
            }
            let evidence = self.empty(&record.name, record.scope).await?;
            self.gateway.registry.forget(name, claim).await?;
            self.told(&record.name, record.scope, evidence, "destroyed");
            Ok(())
        })
        .await
    }

    /// Step 5, when the quarantine is over.
    async fn release(&self, scope: Scope) -> Result<(), Stuck> {
        self.claimed(scope, async |claim| {
            let reserved = self.gateway.registry.reserved().await?;
            let Some(reserved) = reserved.get(&scope) else {
                return Ok(());
            };
            let evidence = self.empty(&reserved.name, scope).await?;
            self.gateway.registry.release(claim).await?;
            self.told(&reserved.name, scope, evidence, "released");
            Ok(())
        })
        .await
    }

    /// Erases and proves; also takes back what PD keeps for the tenant.
    async fn empty(&self, name: &TenantName, scope: Scope) -> Result<Evidence, Stuck> {
        let gateway = &self.gateway;
        let keyspace = Keyspace::new(scope.mode, scope.id)
            .map_err(|fault| Fault::BadAnswer(fault.to_string()))?;
        erase::erase(&gateway.stores, &keyspace).await?;
        let evidence = proof::prove_empty(&gateway.pd, &gateway.stores, &keyspace).await?;
        let tenant = Tenant {
            name: name.to_string(),
            keyspace,
            addresses: crate::tenant::Addresses::in_the_clear(""),
            pd_port: 0,
            store_ports: Default::default(),
            state: State::Destroying,
            created_at: UNIX_EPOCH,
        };
        gateway.pd_http.forget(&tenant).await?;
        gateway.pd_service.unregister(scope).await?;
        Ok(evidence)
    }

    fn told(&self, name: &TenantName, scope: Scope, evidence: Evidence, what: &'static str) {
        let proof = serde_json::json!({ "scope": scope.to_string(), "proof": evidence.as_str() });
        self.audit.note(what, name.as_str(), proof);
    }

    /// Runs `work` under the claim on a tenant, and stops it when this gateway's lease is at risk.
    async fn claimed(
        &self,
        scope: Scope,
        work: impl AsyncFnOnce(&Claim) -> Result<(), Stuck>,
    ) -> Result<(), Stuck> {
        let replica = self.membership.present()?;
        let Some(claim) = replica.claim(scope).await? else {
            return Err(Stuck::Claimed);
        };
        let outcome = tokio::select! {
            outcome = work(&claim) => outcome,
            () = replica.lost() => Err(lost()),
        };
        resigned(&replica, &claim).await;
        outcome
    }

    /// Looks at once for what is left to do.
    pub fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Goes on, for ever, with what this or another gateway began and did not finish.
    pub async fn resume(self: &Arc<Self>) {
        loop {
            match self.unfinished().await {
                Ok(jobs) => jobs.into_iter().for_each(|job| self.start(job)),
                Err(fault) => tracing::warn!(error = %fault, "destructions not looked for"),
            }
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = self.nudged.notified() => {}
            }
        }
    }

    async fn unfinished(&self) -> Result<Vec<Job>, RegistryError> {
        let tenants = self.gateway.registry.list().await?;
        let dying = tenants
            .iter()
            .filter(|record| record.state == State::Destroying);
        let mut jobs: Vec<Job> = dying
            .map(|record| Job::Destroy((**record).clone()))
            .collect();
        let quarantine = self.gateway.config.tenancy.destroy_quarantine;
        let now = SystemTime::now();
        for (scope, claim) in self.gateway.registry.reserved().await? {
            let free_at = UNIX_EPOCH + Duration::from_secs(claim.destroyed_at) + quarantine;
            if free_at <= now {
                jobs.push(Job::Release(scope));
            }
        }
        Ok(jobs)
    }

    fn start(self: &Arc<Self>, job: Job) {
        if !self.busy.lock().insert(job.scope()) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            // Never closed.
            let _slot = this.slots.acquire().await;
            let outcome = match &job {
                Job::Destroy(record) => this.destroy(&record.name).await,
                Job::Release(scope) => this.release(*scope).await,
            };
            match outcome {
                Ok(()) | Err(Stuck::Claimed) => {}
                Err(stuck) => {
                    tracing::warn!(scope = %job.scope(), error = %stuck, "destruction goes on later");
                }
            }
            this.busy.lock().remove(&job.scope());
        });
    }
}

enum Job {
    Destroy(Record),
    Release(Scope),
}

impl Job {
    fn scope(&self) -> Scope {
        match self {
            Job::Destroy(record) => record.scope,
            Job::Release(scope) => *scope,
        }
    }
}

fn lost() -> Stuck {
    let why = "this gateway's lease is at risk: another one goes on".to_owned();
    Stuck::Storage(Fault::Unavailable(why))
}

async fn resigned(replica: &Replica, claim: &Claim) {
    if let Err(fault) = replica.resign(claim).await {
        tracing::warn!(error = %fault, "claim not given back, it ends with the lease");
    }
}
