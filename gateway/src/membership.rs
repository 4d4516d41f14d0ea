//! This process among its replicas: it serves tenants only while the others count it, and tells them
//! what it has applied. See [`mesh_tenants::Replica`] for why.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use mesh_tenants::{EtcdClient, EtcdError, Replica};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::fault::Fault;
use crate::term::Term;

/// Longer than a PD leader's election and than a restart of PD; a replica that was killed holds up
/// a fence for so long.
const LEAST_TTL: Duration = Duration::from_secs(30);
/// Clocks of two machines run alike, and a connection takes a moment to be cut.
const MARGIN: Duration = Duration::from_secs(2);
const JOIN_PAUSE: Duration = Duration::from_secs(1);
const ACKNOWLEDGE_PAUSE: Duration = Duration::from_millis(200);
/// Changes of the registry that wait for connections to go.
const PENDING: usize = 256;

/// A revision of the registry that is applied once these terms are over.
pub type Applied = (Vec<Arc<Term>>, i64);

/// Who this process is to the others, when they count it.
#[derive(Default)]
pub struct Membership {
    present: ArcSwapOption<Replica>,
}

impl Membership {
    /// The present replica.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] while the process is counted by nobody.
    pub fn present(&self) -> Result<Arc<Replica>, Fault> {
        let present = self.present.load_full().filter(|replica| replica.is_live());
        present.ok_or_else(|| {
            Fault::Unavailable("this gateway holds no lease of PD's etcd".to_owned())
        })
    }

    /// Joins, however long it takes.
    pub async fn join(&self, etcd: &EtcdClient, config: &Config) -> Arc<Replica> {
        // Connections get the drain's grace after the process has seen its lease at risk.
        let early = config.drain.grace + MARGIN;
        let ttl = LEAST_TTL.max(early * 4);
        loop {
            match Replica::join(etcd.clone(), ttl, early).await {
                Ok(replica) => {
                    let replica = Arc::new(replica);
                    self.present.store(Some(replica.clone()));
                    return replica;
                }
                Err(fault) => tracing::warn!(error = %fault, "not among the replicas yet"),
            }
            tokio::time::sleep(JOIN_PAUSE).await;
        }
    }

    /// Leaves, if joined.
    pub async fn leave(&self) {
        if let Some(replica) = self.present.swap(None)
            && let Err(fault) = replica.leave().await
        {
            tracing::warn!(error = %fault, "lease not revoked, it ends by itself");
        }
    }
}

/// Where applied revisions are handed in, in their order.
pub fn acknowledgements() -> (mpsc::Sender<Applied>, mpsc::Receiver<Applied>) {
    mpsc::channel(PENDING)
}

/// Acknowledges what is handed in, one after the other: a revision is applied only when what all
/// earlier ones ended is over too. Ends when the replica is counted no longer.
pub async fn acknowledge(replica: &Replica, mut applied: mpsc::Receiver<Applied>) {
    while let Some((ended, revision)) = applied.recv().await {
        for term in ended {
            term.over().await;
        }
        loop {
            match replica.acknowledge(revision).await {
                Ok(()) => break,
                Err(EtcdError::LeaseExpired) => return,
                Err(fault) => tracing::warn!(error = %fault, "registry's revision not told"),
            }
            tokio::time::sleep(ACKNOWLEDGE_PAUSE).await;
        }
    }
}
