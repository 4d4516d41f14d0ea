//! The product's own binaries, built by the Cargo that runs the harness, in the harness's profile.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::layout;
use crate::progress::Progress;

/// The product's binaries.
#[derive(Clone, Debug)]
pub struct Product {
    /// `tidb-mesh-gateway`.
    pub gateway: PathBuf,
    /// `tidb-mesh-proxy`.
    pub proxy: PathBuf,
    /// `tidb-mesh`, the command line.
    pub cli: PathBuf,
}

impl Product {
    /// Builds them all.
    ///
    /// # Errors
    /// When the build fails; the message carries the compiler's output.
    pub async fn build(progress: &Progress) -> Result<Self> {
        let phase = progress.phase("build gateway, MySQL front and command line");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet"]);
        // The harness's own package is among them although none of its binaries is built: Cargo
        // chooses the features of shared dependencies by the packages that are asked for, and
        // without it they would all be compiled a second time after `cargo playground` itself.
        for package in [
            "mesh-integration",
            "mesh-gateway",
            "mesh-mysql-proxy",
            "mesh-cli",
        ] {
            cargo.args(["--package", package]);
        }
        for binary in ["tidb-mesh-gateway", "tidb-mesh-proxy", "tidb-mesh"] {
            cargo.args(["--bin", binary]);
        }
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        // What `cargo run` and `cargo test` tell their program about its own package is taken by
        // build scripts for theirs: ring, and all that is on top of it, would be built anew each time.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_a_package(name)) {
            cargo.env_remove(name);
        }
        let output = cargo
            .current_dir(layout::workspace_root()?)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!(
                "building the product failed:\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        phase.done("built");
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        let dir = layout::target_dir()?.join(profile);
        Ok(Self {
            gateway: dir.join("tidb-mesh-gateway"),
            proxy: dir.join("tidb-mesh-proxy"),
            cli: dir.join("tidb-mesh"),
        })
    }
}

/// Whether Cargo set a variable for the one package whose program runs.
fn is_of_a_package(name: &OsStr) -> bool {
    const OF_A_PACKAGE: [&str; 5] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ];
    let name = name.to_string_lossy();
    OF_A_PACKAGE.iter().any(|start| name.starts_with(start))
}
