//! Shutdown in numbered steps, so that a load balancer, a TiDB and a person can each see where the
//! process is:
//!
//! 1. not ready: `/ready` answers 503, everything else goes on;
//! 2. listeners close, connections are told to finish (HTTP/2 GOAWAY), calls in flight go on;
//! 3. what is left after the grace is cut;
//! 4. background work ends.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::gateway::Gateway;

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// When the handlers can't be installed.
pub async fn signalled() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Runs the steps. A second signal skips what is left of the waiting.
pub async fn run(gateway: Arc<Gateway>) {
    let waiting = steps(&gateway);
    tokio::select! {
        () = waiting => {}
        _ = signalled() => tracing::warn!("second signal: connections are cut now"),
    }
    gateway.kill.cancel();
    gateway.connections.wait().await;
    tracing::info!(step = 4, "background work ends");
    gateway.background.cancel();
}

async fn steps(gateway: &Gateway) {
    tracing::info!(step = 1, "draining: not ready");
    gateway.draining.cancel();
    tokio::time::sleep(gateway.config.drain.unready).await;
    tracing::info!(step = 2, "listeners close, connections finish");
    gateway.closing.cancel();
    gateway.connections.close();
    let grace = tokio::time::timeout(gateway.config.drain.grace, gateway.connections.wait()).await;
    if grace.is_err() {
        let left = gateway.connections.len();
        tracing::info!(
            step = 3,
            connections = left,
            "grace is over, connections are cut"
        );
    }
}
