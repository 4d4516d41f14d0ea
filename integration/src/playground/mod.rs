//! `cargo playground`: a whole stack that a person can use. It starts storage, gateway, tenants and
//! TiDB servers in this order, tells how to connect, keeps everything running, and stops it all.

mod flags;
mod startup;
mod state_dir;
mod supervisor;
mod table;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

pub use flags::Flags;

use crate::endpoints;
use crate::progress::Progress;
use startup::Running;
use state_dir::StateDir;
use supervisor::Supervisor;

/// How the playground ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to stop and did.
    Stopped,
    /// What was asked for doesn't exist yet.
    Unsupported,
}

/// Runs until a signal asks to stop.
///
/// # Errors
/// When the state directory can't be used, or something doesn't build or start.
pub async fn run(flags: Flags) -> Result<Ending> {
    if let Some(missing) = flags.missing() {
        eprintln!("{missing}");
        return Ok(Ending::Unsupported);
    }
    let progress = Progress::new();
    let state = StateDir::open(&flags.state_dir, flags.fresh)?;
    let supervisor = Supervisor::new(state.path(), progress.clone());
    let mut stop = StopSignal::listen()?;
    let started = tokio::select! {
        started = startup::start(&flags, &state, &supervisor, &progress) => Some(started),
        () = stop.received() => None,
    };
    let outcome = match started {
        Some(Ok(running)) => serve(&running, &supervisor, &progress, &mut stop).await,
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    progress.line("Stopping …");
    supervisor.stop_all(stop.received()).await;
    let _ = std::fs::remove_file(endpoints::path_in(state.path()));
    outcome.map(|()| Ending::Stopped)
}

async fn serve(
    running: &Running,
    supervisor: &Supervisor,
    progress: &Progress,
    stop: &mut StopSignal,
) -> Result<()> {
    supervisor.publish_as(running.describe())?;
    progress.line(&table::connect(running));
    stop.received().await;
    Ok(())
}

/// Ctrl-C, or whatever else asks a process on a terminal to end.
struct StopSignal {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
