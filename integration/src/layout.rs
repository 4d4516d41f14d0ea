//! Where things lie in a checkout. Every other module asks here, so that no path is written twice
//! and none is absolute.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The workspace's root: the parent of this crate's directory.
///
/// Cargo tells the directory when it runs a binary; a binary started by hand falls back to the
/// directory it was compiled in.
///
/// # Errors
/// When the crate's directory has no parent.
pub fn workspace_root() -> Result<PathBuf> {
    let crate_dir = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let crate_dir = if crate_dir.ends_with("integration") {
        crate_dir
    } else {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    };
    let root = crate_dir
        .parent()
        .context("the crate's directory has no parent")?;
    Ok(root.to_path_buf())
}

/// Cargo's target directory.
///
/// # Errors
/// When the workspace's root isn't found.
pub fn target_dir() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => Ok(std::path::absolute(PathBuf::from(dir))?),
        None => Ok(workspace_root()?.join("target")),
    }
}

/// Where the real servers' binaries and their stamps are kept.
///
/// # Errors
/// When the target directory isn't found.
pub fn servers_dir() -> Result<PathBuf> {
    Ok(target_dir()?.join("servers"))
}

/// The Go modules of the real servers.
///
/// # Errors
/// When the workspace's root isn't found.
pub fn server_modules_dir() -> Result<PathBuf> {
    Ok(workspace_root()?.join("integration").join("servers"))
}

/// A fresh directory for one run of a test or benchmark: data, configuration and logs.
/// It is kept afterwards, so that a failure can be read; only the newest runs are kept.
///
/// # Errors
/// When the directory can't be made.
pub fn new_run_dir(name: &str) -> Result<PathBuf> {
    let runs = target_dir()?.join("runs");
    std::fs::create_dir_all(&runs)?;
    drop_old_runs(&runs);
    let dir = runs.join(format!("{}-{}-{name}", unix_seconds(), std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Runs older than this are removed when a new one starts; a running one is never that old.
const KEEP_RUNS: std::time::Duration = std::time::Duration::from_secs(6 * 60 * 60);

fn drop_old_runs(runs: &Path) {
    let Ok(entries) = std::fs::read_dir(runs) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > KEEP_RUNS) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
