//! Distribution packages that a benchmark measures with or against. They are installed when we may
//! and when apt is there; otherwise the one command that does it is printed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::progress::Progress;

/// A program and the Debian package that brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) program: &'static str,
    package: &'static str,
}

/// Drives the load.
pub(super) const SYSBENCH: Tool = Tool {
    program: "sysbench",
    package: "sysbench",
};
/// A peer.
pub(super) const NGINX: Tool = Tool {
    program: "nginx",
    package: "nginx-light",
};
/// A peer.
pub(super) const HAPROXY: Tool = Tool {
    program: "haproxy",
    package: "haproxy",
};

/// Where programs of the distribution lie; the directories for administrators aren't in every
/// user's `PATH`.
const DIRECTORIES: [&str; 4] = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

impl Tool {
    /// The program's file.
    pub(super) fn find(self) -> Result<PathBuf> {
        let found = DIRECTORIES
            .iter()
            .map(|dir| Path::new(dir).join(self.program));
        let found = found.into_iter().find(|file| file.is_file());
        found.with_context(|| format!("{} isn't installed", self.program))
    }
}

/// Makes sure that all of `tools` are installed; `false` when a person has to do it.
pub(super) async fn ensure(tools: &[Tool], progress: &Progress) -> Result<bool> {
    let missing: Vec<&str> = tools
        .iter()
        .filter(|tool| tool.find().is_err())
        .map(|tool| tool.package)
        .collect();
    if missing.is_empty() {
        return Ok(true);
    }
    let command = format!(
        "apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    );
    if !nix::unistd::geteuid().is_root() || !Path::new("/usr/bin/apt-get").is_file() {
        eprintln!("Missing programs. Install them with:\n\n    sudo {command}\n");
        return Ok(false);
    }
    let phase = progress.phase(&format!("install {}", missing.join(", ")));
    let output = Command::new("sh")
        .args(["-c", &format!("apt-get update -q && {command}")])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .await?;
    if !output.status.success() {
        bail!(
            "{command} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    phase.done("installed");
    Ok(true)
}
