//! Active probes, only where live traffic tells nothing: a server is greeted by, and left.

use std::sync::Arc;
use std::time::Duration;

use super::Backend;
use crate::handshake::server;

/// A server that took a login within this time needs no probe.
const QUIET: Duration = Duration::from_secs(3);

/// Asks those of `backends` that need it, side by side.
pub async fn probe(backends: impl IntoIterator<Item = Arc<Backend>>, timeout: Duration) {
    let mut probes = tokio::task::JoinSet::new();
    for backend in backends {
        if backend.needs_probe(QUIET) {
            probes.spawn(async move {
                if let Err(error) = server::greet(&backend, timeout).await {
                    tracing::debug!(server = backend.address, %error, "probe failed");
                }
            });
        }
    }
    probes.join_all().await;
}
