//! What happens without a request: tenants' holds are renewed, those of silent tenants run out,
//! and without a tenant zero the storage's own safe point moves.

use std::time::Duration;

use futures::{StreamExt, stream};
use mesh_tenants::{Scope, State};
use tokio_util::sync::CancellationToken;

use super::mover::Mover;
use super::service::Gc;
use super::state::Timestamp;
use crate::config::TenantZero;
use crate::fault::Fault;

/// Pause between two rounds. TiDB collects every ten minutes; a round reads two small ranges of
/// etcd per tenant.
const ROUND: Duration = Duration::from_secs(60);
/// Tenants looked after at a time.
const AT_A_TIME: usize = 8;
/// Rounds that an election of the mover survives.
const TERM: Duration = Duration::from_secs(3 * 60);

impl Gc {
    /// Runs until `shutdown`.
    pub(in crate::pd) async fn run(&self, shutdown: CancellationToken) {
        let rounds = async {
            let etcd = self.registry.etcd().clone();
            let mut mover = Mover::new(etcd, self.storage.clone(), TERM);
            loop {
                if let Err(fault) = self.round(&mut mover).await {
                    tracing::warn!(error = %fault, "GC round not finished");
                }
                tokio::time::sleep(ROUND).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = rounds => {}
        }
    }

    async fn round(&self, mover: &mut Mover) -> Result<(), Fault> {
        let tenants = self.registry.list().await;
        let tenants = tenants.map_err(|fault| Fault::Unavailable(fault.to_string()))?;
        // What is being destroyed needs nothing, and would be begun anew by a look at it.
        let kept: Vec<(Scope, State)> = tenants
            .iter()
            .filter(|record| record.state != State::Destroying)
            .map(|record| (record.scope, record.state))
            .collect();
        let look_after = |(scope, state)| async move {
            match state {
                State::Suspended => self.holds.pause(scope).await.map(|()| None),
                _ => self.holds.look_after(scope).await,
            }
        };
        let held: Vec<Result<Option<Timestamp>, Fault>> = stream::iter(kept)
            .map(look_after)
            .buffer_unordered(AT_A_TIME)
            .collect()
            .await;
        // Who could not be looked after may need anything: the safe point stays. So does it while
        // there is a record that cannot be read.
        let held: Vec<Option<Timestamp>> = held.into_iter().collect::<Result<_, _>>()?;
        let least = held.into_iter().flatten().min();
        match (self.config.tenancy.tenant0, least) {
            (TenantZero::Absent, Some(least)) if tenants.unreadable().is_empty() => {
                mover.move_to(least).await
            }
            (TenantZero::Absent | TenantZero::Present, _) => Ok(()),
        }
    }
}
