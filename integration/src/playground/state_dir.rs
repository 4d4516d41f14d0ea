//! The state directory: whose it is, who uses it now, and which ports it remembers.
//!
//! What must stay true: nothing is wiped that a playground didn't make, and no two playgrounds use
//! one directory.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::endpoints::{self, write_atomically};
use crate::stack::TidbPorts;

const MARKER: &str = ".tidb-mesh-playground";
const LOCK: &str = "playground.lock";
const PORTS: &str = "ports.json";

/// A state directory that is ours until dropped.
#[derive(Debug)]
pub(super) struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Ports that stay the same between runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RememberedPorts {
    /// First port of the block; storage and gateway have fixed places in it.
    pub(super) block: u16,
    /// Ports of each tenant's TiDB servers.
    pub(super) tidb: BTreeMap<String, Vec<TidbPorts>>,
}

impl StateDir {
    /// Opens or makes the directory, and wipes it if asked to.
    pub(super) fn open(path: &Path, fresh: bool) -> Result<Self> {
        let path = std::path::absolute(path)?;
        claim(&path)?;
        let lock = lock(&path)?;
        if fresh {
            wipe(&path)?;
        }
        let _ = std::fs::remove_file(endpoints::path_in(&path));
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The ports of earlier runs.
    pub(super) fn ports(&self) -> Result<Option<RememberedPorts>> {
        let path = self.path.join(PORTS);
        match std::fs::read(&path) {
            Ok(text) => Ok(Some(
                serde_json::from_slice(&text).context("ports.json is damaged")?,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub(super) fn remember(&self, ports: &RememberedPorts) -> Result<()> {
        write_atomically(&self.path.join(PORTS), &serde_json::to_vec_pretty(ports)?)
    }
}

/// Marks a new or empty directory as ours; refuses one with other content.
fn claim(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    let marker = path.join(MARKER);
    if marker.is_file() {
        return Ok(());
    }
    if std::fs::read_dir(path)?.next().is_some() {
        bail!(
            "{} isn't a playground's state directory and isn't empty: give a new or empty one",
            path.display()
        );
    }
    std::fs::write(
        marker,
        "State of a TiDB Mesh playground. `--fresh` wipes this directory.\n",
    )?;
    Ok(())
}

fn lock(path: &Path) -> Result<Flock<File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            lock.set_len(0)?;
            writeln!(lock, "{}", std::process::id())?;
            Ok(lock)
        }
        Err(_) => {
            let holder = std::fs::read_to_string(path.join(LOCK)).unwrap_or_default();
            bail!(
                "another playground (process {}) uses {}",
                holder.trim(),
                path.display()
            )
        }
    }
}

fn wipe(path: &Path) -> Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == MARKER || entry.file_name() == LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_directory_is_refused_and_kept() {
        let dir = tempfile::tempdir().expect("directory");
        let precious = dir.path().join("precious");
        std::fs::write(&precious, "data").expect("written");
        assert!(StateDir::open(dir.path(), true).is_err());
        assert!(precious.exists());
    }

    #[test]
    fn a_second_playground_is_refused() {
        let dir = tempfile::tempdir().expect("directory");
        let first = StateDir::open(dir.path(), false).expect("opens");
        let error = StateDir::open(dir.path(), true).expect_err("locked");
        assert!(
            error.to_string().contains(&std::process::id().to_string()),
            "{error}"
        );
        drop(first);
        StateDir::open(dir.path(), false).expect("free again");
    }

    #[test]
    fn ports_are_remembered_until_wiped() {
        let dir = tempfile::tempdir().expect("directory");
        let ports = RememberedPorts {
            block: 27_000,
            tidb: BTreeMap::new(),
        };
        let state = StateDir::open(dir.path(), false).expect("opens");
        state.remember(&ports).expect("kept");
        assert_eq!(state.ports().expect("read"), Some(ports));
        drop(state);
        let state = StateDir::open(dir.path(), true).expect("opens");
        assert_eq!(state.ports().expect("read"), None);
    }
}
