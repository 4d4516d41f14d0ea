//! The process's life: connect, serve, drain.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::admin::{self, AdminState, AuditLog, Probes, Tokens};
use crate::config::Config;
use crate::drain;
use crate::gateway::Gateway;
use crate::ports::Ports;
use crate::tenancy::Tenancy;
use crate::{shared_port, tls};

/// Between attempts to reach a storage cluster that is not up yet.
const CONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Why the process ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The admin token can't be used.
    #[error("admin.token_file: {0}")]
    Token(#[from] admin::TokenFault),
    /// A certificate, key or authority can't be used.
    #[error("{0}")]
    Tls(#[from] tls::TlsFault),
    /// A socket or signal handler.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// [`ServeError`] when the process can't begin to serve.
pub async fn run(config: Config) -> Result<(), ServeError> {
    tls::check(&config)?;
    let callers = Arc::new(Tokens::load(&config.admin)?);
    let audit = Arc::new(AuditLog::open(config.admin.audit_file.as_deref())?);
    let admin_listener = tokio::net::TcpListener::bind(config.admin.listen).await?;
    let gateway = tokio::select! {
        gateway = connected(config) => gateway,
        signalled = drain::signalled() => return Ok(signalled?),
    };
    let ports = Arc::new(Ports::default());
    let tenancy = Arc::new(Tenancy::new(gateway.clone(), ports.clone(), audit.clone()));
    let following = spawn_background(&gateway, &tenancy);
    spawn_tls(&gateway, ports)?;
    let state = AdminState {
        tenants: tenancy,
        probes: Arc::new(Live(gateway.clone())),
        callers,
        audit,
    };
    let ended = gateway.background.clone();
    let admin = axum::serve(admin_listener, admin::router(state))
        .with_graceful_shutdown(async move { ended.cancelled().await });
    let admin = tokio::spawn(admin.into_future());
    tracing::info!(admin = %gateway.config.admin.listen, "serving");
    drain::signalled().await?;
    drain::run(gateway).await;
    let _ = admin.await;
    let _ = following.await;
    tracing::info!("stopped");
    Ok(())
}

async fn connected(config: Config) -> Arc<Gateway> {
    loop {
        match Gateway::connect(config.clone()).await {
            Ok(gateway) => return gateway,
            Err(fault) => tracing::warn!(error = %fault, "storage cluster not reached, waiting"),
        }
        tokio::time::sleep(CONNECT_PAUSE).await;
    }
}

/// Answers the task that leaves the replicas at the end.
fn spawn_background(gateway: &Arc<Gateway>, tenancy: &Arc<Tenancy>) -> JoinHandle<()> {
    let (stores, background) = (gateway.stores.clone(), gateway.background.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = stores.follow() => {}
            () = background.cancelled() => {}
        }
    });
    let following = tenancy.clone();
    let following = tokio::spawn(async move { Box::pin(following.follow()).await });
    let collecting = gateway.clone();
    tokio::spawn(async move {
        collecting
            .pd_service
            .run_gc(collecting.background.clone())
            .await;
    });
    following
}

/// The shared port, and the certificates that change.
fn spawn_tls(gateway: &Arc<Gateway>, ports: Arc<Ports>) -> std::io::Result<()> {
    if let Some(listener) = shared_port::bind(gateway)? {
        tokio::spawn(shared_port::accept(gateway.clone(), ports, listener));
    }
    let listen = gateway.config.listen.tls.as_ref();
    let storage = gateway.config.storage.tls.as_ref();
    let every = listen.map(|tls| tls.reload_interval);
    let every = every
        .into_iter()
        .chain(storage.map(|tls| tls.reload_interval));
    let Some(every) = every.min() else {
        return Ok(());
    };
    let gateway = gateway.clone();
    tokio::spawn(async move {
        let sides = (gateway.listen_tls.clone(), gateway.storage_tls.clone());
        let ended = gateway.background.clone();
        tls::follow(sides.0, sides.1, every, &gateway.metrics, ended).await;
    });
    Ok(())
}

struct Live(Arc<Gateway>);

impl Probes for Live {
    fn ready(&self) -> Result<(), String> {
        if self.0.draining.is_cancelled() {
            return Err("draining".to_owned());
        }
        if self.0.stores.all().is_empty() {
            return Err("no store is known".to_owned());
        }
        Ok(())
    }

    fn metrics(&self) -> String {
        let stores = self.0.stores.all().len();
        self.0.metrics.stores.set(stores as u64);
        self.0.metrics.render()
    }
}
