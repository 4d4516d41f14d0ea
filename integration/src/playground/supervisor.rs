//! Keeps the children running: one that dies is started again with the same command, and
//! `endpoints.json` then tells its new process id.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;

use crate::endpoints::Endpoints;
use crate::process::Process;
use crate::progress::Progress;

/// A child that lived for less than this is started again only after [`PAUSE`].
const SHORT_LIFE: Duration = Duration::from_secs(5);
/// Stays below the two seconds within which a child must be back.
const PAUSE: Duration = Duration::from_secs(1);
/// How long each step of stopping may take before it is forced.
const GRACE: Duration = Duration::from_secs(6);

/// Tells the endpoints as they are now.
pub(super) type Describe = Box<dyn Fn() -> Endpoints + Send + Sync>;

/// Children in the order in which they are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    Front,
    Tidb,
    Gateway,
    Engine,
    Pd,
}

/// Watches over children until told to stop them.
#[derive(Clone)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
}

struct Shared {
    state_dir: PathBuf,
    progress: Progress,
    stopping: AtomicBool,
    children: Mutex<Vec<(Layer, Arc<Process>)>>,
    describe: Mutex<Option<Describe>>,
}

impl Supervisor {
    pub(super) fn new(state_dir: &Path, progress: Progress) -> Self {
        Self {
            shared: Arc::new(Shared {
                state_dir: state_dir.to_path_buf(),
                progress,
                stopping: AtomicBool::new(false),
                children: Mutex::new(Vec::new()),
                describe: Mutex::new(None),
            }),
        }
    }

    /// Watches over a child from now on.
    pub(super) fn adopt(&self, layer: Layer, process: &Arc<Process>) {
        lock(&self.shared.children).push((layer, Arc::clone(process)));
        let (shared, process) = (Arc::clone(&self.shared), Arc::clone(process));
        tokio::spawn(async move { shared.watch(&process).await });
    }

    /// Writes `endpoints.json` now and after every restart of a child.
    pub(super) fn publish_as(&self, describe: Describe) -> Result<()> {
        *lock(&self.shared.describe) = Some(describe);
        self.shared.publish()
    }

    /// Stops all children, layer by layer; when `hurry` ends first, kills the rest at once.
    pub(super) async fn stop_all(&self, hurry: impl Future<Output = ()>) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        *lock(&self.shared.describe) = None;
        let children = lock(&self.shared.children).clone();
        let politely = async {
            for layer in [
                Layer::Front,
                Layer::Tidb,
                Layer::Gateway,
                Layer::Engine,
                Layer::Pd,
            ] {
                let of_layer = children.iter().filter(|(of, _)| *of == layer);
                join_all(of_layer.map(|(_, process)| process.stop(GRACE))).await;
            }
        };
        tokio::select! {
            () = politely => {}
            () = hurry => { join_all(children.iter().map(|(_, process)| process.kill())).await; }
        }
    }
}

impl Shared {
    async fn watch(&self, process: &Process) {
        let name = &process.spec().name;
        let mut started = Instant::now();
        loop {
            process.exited().await;
            if started.elapsed() < SHORT_LIFE {
                tokio::time::sleep(PAUSE).await;
            }
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            started = Instant::now();
            match process.start_again() {
                Ok(()) => {
                    let pid = process.pid();
                    self.progress
                        .line(&format!("{name} had ended; started again as {pid}"));
                    if let Err(error) = self.publish() {
                        self.progress
                            .line(&format!("cannot write endpoints.json: {error:#}"));
                    }
                }
                Err(error) => self
                    .progress
                    .line(&format!("cannot start {name}: {error:#}")),
            }
        }
    }

    /// The lock is held while writing, so that an older description never replaces a newer one.
    fn publish(&self) -> Result<()> {
        match lock(&self.describe).as_ref() {
            Some(describe) => describe().write(&self.state_dir),
            None => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
