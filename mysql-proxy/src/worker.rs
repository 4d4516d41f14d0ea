//! Threads that own sessions. Each accepts for itself (`SO_REUSEPORT`), so a session's two sockets,
//! its buffers and its task stay on one thread from accept to end.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::config::Listener;
use crate::proxy::Proxy;
use crate::session::{self, Accepted};

/// Connections that the kernel keeps for each listener until they are accepted.
const BACKLOG: i32 = 4096;
/// After accepting failed: file descriptors may be free again.
const PAUSE: Duration = Duration::from_millis(50);

/// Listeners that there shall be; none when the proxy shuts down.
pub type Listeners = Arc<Vec<Arc<Listener>>>;

/// Opens a listening socket that other workers, and other processes of this user, may share.
///
/// # Errors
/// The socket's.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Starts one worker; it ends with the process.
///
/// # Errors
/// When the thread can't be started.
pub fn start(
    proxy: Arc<Proxy>,
    index: usize,
    listeners: watch::Receiver<Listeners>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new().name(format!("worker-{index}"));
    thread.spawn(move || LocalSet::new().block_on(&runtime, follow(proxy, listeners)))?;
    Ok(())
}

/// Opens and closes listeners as the configuration changes. Sessions go on without theirs.
async fn follow(proxy: Arc<Proxy>, mut wanted: watch::Receiver<Listeners>) {
    let mut open: HashMap<Arc<Listener>, JoinHandle<()>> = HashMap::new();
    loop {
        let now = Arc::clone(&wanted.borrow_and_update());
        open.retain(|listener, task| {
            let keep = now.contains(listener);
            if !keep {
                task.abort();
            }
            keep
        });
        for listener in now.iter() {
            open.entry(Arc::clone(listener))
                .or_insert_with(|| spawn_local(accept(Arc::clone(&proxy), Arc::clone(listener))));
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

async fn accept(proxy: Arc<Proxy>, listener: Arc<Listener>) {
    let socket = loop {
        match bind(listener.bind).and_then(TcpListener::from_std) {
            Ok(socket) => break socket,
            Err(error) => {
                tracing::error!(address = %listener.bind, %error, "cannot listen");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    };
    loop {
        match socket.accept().await {
            Ok((stream, from)) => {
                let listener = Arc::clone(&listener);
                let accepted = Accepted {
                    stream,
                    from,
                    listener,
                };
                spawn_local(session::serve(Arc::clone(&proxy), accepted));
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
