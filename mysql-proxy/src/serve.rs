//! Runs a proxy: wiring, following the configuration file, probes, shutdown in steps.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admin::{self, Admin, Token};
use crate::config::Config;
use crate::fleet::probe::probe;
use crate::proxy::Proxy;
use crate::tls::{self, TlsError};
use crate::worker::{self, Listeners};

/// Between looks at the configuration file and at servers that were quiet.
const ROUND: Duration = Duration::from_millis(500);
/// Between reporting not-ready and closing the listeners.
const UNREADY: Duration = Duration::from_millis(200);
/// Time that running commands and transactions get to end.
const GRACE: Duration = Duration::from_secs(5);
/// Between looks at what still runs.
const LOOK: Duration = Duration::from_millis(20);

/// Why the proxy can't run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener's address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Cause.
        source: io::Error,
    },
    /// The admin token.
    #[error("cannot read the admin token {path}: {source}")]
    Token {
        /// File.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A certificate or an authority.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Threads or signals.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Serves until a signal asks to stop.
///
/// # Errors
/// [`ServeError`] when it can't start.
pub async fn run(config: Config, path: &Path) -> Result<(), ServeError> {
    let listen = |address: String| move |source| ServeError::Listen { address, source };
    for listener in &config.listeners {
        // A first look from here: a worker that can't bind only says so in the log.
        worker::bind(listener.bind).map_err(listen(listener.bind.to_string()))?;
    }
    let token = Token::load(&config.admin.token_file).map_err(|source| ServeError::Token {
        path: config.admin.token_file.clone(),
        source,
    })?;
    let admin_address = config.admin.listen;
    let socket = TcpListener::bind(admin_address).await;
    let socket = socket.map_err(listen(admin_address.to_string()))?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let workers = config.workers.get();
    let proxy = Proxy::new(config)?;
    probe_all(&proxy).await;
    let (wanted, listeners) = watch::channel(listeners_of(&proxy));
    for index in 0..workers {
        worker::start(Arc::clone(&proxy), index, listeners.clone())?;
    }
    let ready = Arc::new(AtomicBool::new(true));
    let admin = Admin {
        proxy: Arc::clone(&proxy),
        ready: Arc::clone(&ready),
    };
    tokio::spawn(async move { axum::serve(socket, admin::router(admin, token)).await });
    tracing::info!(workers, admin = %admin_address, "serving");
    tokio::select! {
        () = follow(&proxy, path, &wanted) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop(&proxy, &ready, &wanted).await;
    Ok(())
}

fn listeners_of(proxy: &Proxy) -> Listeners {
    Arc::new(
        proxy
            .config()
            .listeners
            .iter()
            .cloned()
            .map(Arc::new)
            .collect(),
    )
}

/// Takes up changes of the file, and asks servers of which nothing is known lately.
async fn follow(proxy: &Arc<Proxy>, path: &Path, wanted: &watch::Sender<Listeners>) {
    let mut refused = String::new();
    let mut files = written(&proxy.config());
    loop {
        tokio::time::sleep(ROUND).await;
        let loaded = Config::load(path).map_err(|fault| fault.to_string());
        let taken = loaded.and_then(|config| {
            take_up(proxy, config, &mut files).map_err(|fault| fault.to_string())
        });
        match taken {
            Ok(true) => {
                wanted.send_replace(listeners_of(proxy));
                refused.clear();
                tracing::info!("configuration taken up");
            }
            Ok(false) => refused.clear(),
            Err(fault) if fault != refused => {
                tracing::error!(fault, "the changed configuration isn't used");
                refused = fault;
            }
            Err(_) => {}
        }
        probe_all(proxy).await;
    }
}

async fn probe_all(proxy: &Proxy) {
    let table = proxy.table();
    let fleets = table.tenants().map(|tenant| Arc::clone(&tenant.fleet));
    probe(fleets, proxy.config().limits.dial_timeout).await;
}

/// When the files that the configuration names were last written.
fn written(config: &Config) -> Vec<Option<SystemTime>> {
    let written = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|file| file.modified())
            .ok()
    };
    tls::files(config).map(written).collect()
}

/// Takes up a configuration that differs, or whose files do.
fn take_up(
    proxy: &Proxy,
    config: Config,
    files: &mut Vec<Option<SystemTime>>,
) -> Result<bool, TlsError> {
    let now = written(&config);
    if config == *proxy.config() && now == *files {
        return Ok(false);
    }
    proxy.apply(config)?;
    *files = now;
    Ok(true)
}

/// 1 not ready, 2 no new connections, 3 idle sessions end and busy ones get their time, 4 the end.
async fn stop(proxy: &Arc<Proxy>, ready: &AtomicBool, wanted: &watch::Sender<Listeners>) {
    ready.store(false, Relaxed);
    tracing::info!(phase = "not ready", sessions = proxy.open(), "stopping");
    tokio::time::sleep(UNREADY).await;
    wanted.send_replace(Arc::default());
    tracing::info!(
        phase = "listeners closed",
        sessions = proxy.open(),
        "stopping"
    );
    let until = Instant::now() + GRACE;
    while proxy.open() > 0 && Instant::now() < until {
        for entry in proxy.sessions.all() {
            let figures = &entry.figures;
            if !figures.busy.load(Relaxed) && !figures.in_transaction.load(Relaxed) {
                entry.closing.notify_one();
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    tracing::info!(phase = "end", sessions = proxy.open(), "stopping");
}
