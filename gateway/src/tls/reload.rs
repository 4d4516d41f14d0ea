//! Certificates that change on disk. The files are read every few seconds and compared by content:
//! that sees every way of replacing them, Kubernetes' swapped links among them, and misses none.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::files::Seen;
use super::{ListenTls, StorageTls, TlsFault};
use crate::metrics::{Metrics, ReloadLabels, SideLabels};

/// One side's certificates.
pub(super) trait Side: Send + Sync {
    /// `listen` or `storage`.
    fn name(&self) -> &'static str;
    /// What is in the files now.
    fn look(&self) -> Seen;
    /// Whether the files in use held this.
    fn is_current(&self, seen: &Seen) -> bool;
    /// Takes changed files over, or fails and keeps the old ones.
    fn reload(&self) -> Result<(), TlsFault>;
    /// When the first of the certificates in use ends.
    fn expires(&self) -> SystemTime;
}

/// Follows the files of both sides until `ended`.
pub async fn follow(
    listen: Option<Arc<ListenTls>>,
    storage: Option<Arc<StorageTls>>,
    every: Duration,
    metrics: &Metrics,
    ended: CancellationToken,
) {
    let listen = listen.map(|side| side as Arc<dyn Side>);
    let storage = storage.map(|side| side as Arc<dyn Side>);
    let sides = listen.into_iter().chain(storage);
    let mut sides: Vec<_> = sides.map(Following::new).collect();
    loop {
        for side in &mut sides {
            side.look(metrics);
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = ended.cancelled() => return,
        }
    }
}

struct Following {
    side: Arc<dyn Side>,
    /// Content that could not be used: tried again only when it changes.
    bad: Option<Seen>,
}

impl Following {
    fn new(side: Arc<dyn Side>) -> Following {
        Following { side, bad: None }
    }

    fn look(&mut self, metrics: &Metrics) {
        let seen = self.side.look();
        if self.side.is_current(&seen) {
            self.bad = None;
        } else if self.bad.as_ref() != Some(&seen) {
            self.take_over(seen, metrics);
        }
        let expires = self.side.expires().duration_since(UNIX_EPOCH);
        let expires = expires.map_or(0, |since| since.as_secs());
        let labels = SideLabels {
            side: self.side.name(),
        };
        let gauge = metrics.certificate_expiry.get_or_create_owned(&labels);
        gauge.set(i64::try_from(expires).unwrap_or(i64::MAX));
    }

    fn take_over(&mut self, seen: Seen, metrics: &Metrics) {
        let side = self.side.name();
        let outcome = match self.side.reload() {
            Ok(()) => {
                tracing::info!(side, "changed certificates are in use");
                self.bad = None;
                "ok"
            }
            Err(fault) => {
                tracing::error!(side, error = %fault, "changed certificates can't be used, the old ones stay");
                self.bad = Some(seen);
                "failed"
            }
        };
        let labels = ReloadLabels { side, outcome };
        metrics.certificate_reloads.get_or_create(&labels).inc();
    }
}
