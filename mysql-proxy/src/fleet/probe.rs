//! Active probes, only where live traffic tells nothing: a server is greeted by, and left.

use std::sync::Arc;
use std::time::Duration;

use super::Fleet;
use crate::handshake::server;

/// A server that took a login within this time needs no probe.
const QUIET: Duration = Duration::from_secs(3);

/// Asks those servers of `fleets` that need it, side by side.
pub async fn probe(fleets: impl IntoIterator<Item = Arc<Fleet>>, timeout: Duration) {
    let mut probes = tokio::task::JoinSet::new();
    for fleet in fleets {
        let dialling = fleet.dialling();
        let backends = fleet.backends();
        for backend in backends.iter().filter(|backend| backend.needs_probe(QUIET)) {
            let (backend, dialling) = (Arc::clone(backend), Arc::clone(&dialling));
            probes.spawn(async move {
                if let Err(error) = server::greet(&backend, &dialling, None, timeout).await {
                    tracing::debug!(server = backend.address, %error, "probe failed");
                }
            });
        }
    }
    probes.join_all().await;
}
