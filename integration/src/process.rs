//! One supervised child: started from a written-down command, logged to a file, stopped politely
//! and then firmly, and started again from the same command.
//!
//! A signal is only ever sent to a process that this module started and hasn't reaped, so a reused
//! process id is never hit.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::sync::watch;

/// How long a server may take to stop by itself.
pub const GRACE: Duration = Duration::from_secs(10);

/// Settings of the environment that would send loopback traffic elsewhere.
const PROXY_SETTINGS: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

/// What to run.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Its name in messages.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Where standard output and standard error are appended.
    pub log: PathBuf,
}

/// A child and the command it came from.
#[derive(Debug)]
pub struct Process {
    spec: ProcessSpec,
    current: Mutex<Arc<Incarnation>>,
}

/// One start of the command.
#[derive(Debug)]
struct Incarnation {
    pid: i32,
    /// True until reaped; held while signalling so that the id can't be reused meanwhile.
    alive: Mutex<bool>,
    exited: watch::Receiver<bool>,
}

impl Process {
    /// Starts the command.
    ///
    /// # Errors
    /// When the program or its log file can't be opened.
    pub fn start(spec: ProcessSpec) -> Result<Self> {
        let first = Incarnation::start(&spec)?;
        Ok(Self {
            spec,
            current: Mutex::new(first),
        })
    }

    /// The command.
    #[must_use]
    pub fn spec(&self) -> &ProcessSpec {
        &self.spec
    }

    /// The process id of the latest start.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.current().pid
    }

    /// Whether the latest start is still running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        *lock(&self.current().alive)
    }

    /// Waits until the latest start has ended.
    pub async fn exited(&self) {
        let mut exited = self.current().exited.clone();
        // An error means that the reaper is gone, which it only is after the exit.
        let _ = exited.wait_for(|gone| *gone).await;
    }

    /// Asks to stop, waits for `grace`, then kills.
    pub async fn stop(&self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        if tokio::time::timeout(grace, self.exited()).await.is_err() {
            self.kill().await;
        }
    }

    /// Kills at once, as a power cut would.
    pub async fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.exited().await;
    }

    /// Starts the same command again; the previous start must have ended.
    ///
    /// # Errors
    /// When it is still running or can't be started.
    pub fn start_again(&self) -> Result<()> {
        anyhow::ensure!(!self.is_running(), "{} is still running", self.spec.name);
        let next = Incarnation::start(&self.spec)?;
        *lock(&self.current) = next;
        Ok(())
    }

    /// Sends a signal to the child's process group, if it still runs.
    pub fn signal(&self, signal: Signal) {
        self.current().signal(signal);
    }

    /// Resident memory in bytes, as the kernel counts it.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("no VmRSS")?;
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .context("no figure")?
            .parse()?;
        Ok(kib.saturating_mul(1024))
    }

    /// The last lines of the log, for error messages.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.spec.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(15)..)
            .unwrap_or_default()
            .join("\n")
    }

    fn current(&self) -> Arc<Incarnation> {
        Arc::clone(&lock(&self.current))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

impl Incarnation {
    fn start(spec: &ProcessSpec) -> Result<Arc<Self>> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&spec.log)
            .with_context(|| format!("cannot open {}", spec.log.display()))?;
        let mut command = Command::new(&spec.program);
        command
            .args(&spec.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        // Servers leave files of their own in their working directory.
        if let Some(dir) = spec.log.parent() {
            command.current_dir(dir);
        }
        for name in PROXY_SETTINGS {
            command.env_remove(name);
        }
        let child = crate::nursery::spawn(command)
            .with_context(|| format!("cannot start {}", spec.program.display()))?;
        let pid = i32::try_from(child.id()).context("process id out of range")?;
        let (gone, exited) = watch::channel(false);
        let incarnation = Arc::new(Self {
            pid,
            alive: Mutex::new(true),
            exited,
        });
        let reaped = Arc::clone(&incarnation);
        std::thread::Builder::new()
            .name(format!("reap-{pid}"))
            .spawn(move || reaped.reap(child, &gone))?;
        Ok(incarnation)
    }

    /// Waits without reaping first, so that `alive` turns false before the id is free for reuse.
    fn reap(&self, mut child: std::process::Child, gone: &watch::Sender<bool>) {
        let _ = waitid(
            Id::Pid(Pid::from_raw(self.pid)),
            WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
        );
        let mut alive = lock(&self.alive);
        *alive = false;
        let _ = child.wait();
        drop(alive);
        let _ = gone.send(true);
    }

    fn signal(&self, signal: Signal) {
        let alive = lock(&self.alive);
        if *alive {
            // The group exists from before exec; the child is its leader.
            let _ = killpg(Pid::from_raw(self.pid), signal);
        }
    }
}

/// The data behind these locks stays sound when a holder panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &std::path::Path, script: &str) -> ProcessSpec {
        ProcessSpec {
            name: "sleeper".to_owned(),
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            log: dir.join("log"),
        }
    }

    #[tokio::test]
    async fn a_child_that_ignores_the_polite_signal_is_killed() {
        let dir = tempfile::tempdir().expect("directory");
        let spec = sleeper(
            dir.path(),
            "trap '' TERM; echo up; while :; do sleep 0.05; done",
        );
        let process = Process::start(spec).expect("starts");
        while process.log_tail().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.stop(Duration::from_millis(200)).await;
        assert!(!process.is_running());
    }

    #[tokio::test]
    async fn the_same_command_starts_again() {
        let dir = tempfile::tempdir().expect("directory");
        let process = Process::start(sleeper(dir.path(), "sleep 60")).expect("starts");
        let first = process.pid();
        assert!(process.start_again().is_err());
        process.kill().await;
        process.start_again().expect("starts again");
        assert_ne!(first, process.pid());
        assert!(process.is_running());
    }
}
