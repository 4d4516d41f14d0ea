//! The real servers, built from their Go modules at first use.
//!
//! A binary is rebuilt when what it is made of has changed: the module files, the sources kept
//! here, or the Go toolchain. Several harness processes may ask at once; one builds, the others
//! wait.

use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::layout;
use crate::progress::{Phase, Progress};

/// The real servers' binaries.
#[derive(Clone, Debug)]
pub struct Servers {
    /// PD, unmodified.
    pub pd: PathBuf,
    /// TiDB, unmodified.
    pub tidb: PathBuf,
    /// The TiKV-protocol storage engine of TiDB's own source, with our small main.
    pub engine: PathBuf,
}

/// How one binary comes about.
struct Recipe {
    name: &'static str,
    /// The Go module's directory below the server modules' directory.
    module: &'static str,
    package: &'static str,
    flags: &'static [&'static str],
}

/// TiDB tells this version to its clients; without it it tells a placeholder.
const TIDB_VERSION: &str =
    "-ldflags=-X github.com/pingcap/tidb/pkg/parser/mysql.TiDBReleaseVersion=v9.0.0";

const PD: Recipe = Recipe {
    name: "pd-server",
    module: "pd",
    package: "github.com/tikv/pd/cmd/pd-server",
    flags: &["-tags=without_dashboard"],
};
const TIDB: Recipe = Recipe {
    name: "tidb-server",
    module: "tidb",
    package: "github.com/pingcap/tidb/cmd/tidb-server",
    flags: &[TIDB_VERSION],
};
const ENGINE: Recipe = Recipe {
    name: "mesh-engine",
    module: "tidb",
    package: "./engine",
    flags: &[],
};

/// A tenant that means harm (see `integration/hostile`).
const HOSTILE: Recipe = Recipe {
    name: "hostile",
    module: "../hostile",
    package: ".",
    flags: &[],
};

impl Servers {
    /// Builds the hostile client. Always, because it is also made of the module beside it; what
    /// has not changed comes out of Go's own cache.
    ///
    /// # Errors
    /// As [`Servers::build`].
    pub async fn hostile(progress: &Progress) -> Result<PathBuf> {
        let module = layout::server_modules_dir()?.join(HOSTILE.module);
        let bin_dir = layout::servers_dir()?.join("bin");
        std::fs::create_dir_all(&bin_dir)?;
        let binary = bin_dir.join(HOSTILE.name);
        let phase = progress.phase("build the hostile client");
        let _lock = build_lock(&bin_dir).await?;
        compile(&HOSTILE, &module, &binary, &phase).await?;
        phase.done("built");
        Ok(binary)
    }

    /// Builds what is missing or out of date, and tells where the binaries are.
    ///
    /// # Errors
    /// When Go isn't installed or a build fails; the message carries the build's output.
    pub async fn build(progress: &Progress) -> Result<Self> {
        let pd = build(&PD, progress).await?;
        let engine = build(&ENGINE, progress).await?;
        let tidb = build(&TIDB, progress).await?;
        Ok(Self { pd, tidb, engine })
    }
}

async fn build(recipe: &Recipe, progress: &Progress) -> Result<PathBuf> {
    let module = layout::server_modules_dir()?.join(recipe.module);
    let bin_dir = layout::servers_dir()?.join("bin");
    std::fs::create_dir_all(&bin_dir)?;
    let binary = bin_dir.join(recipe.name);
    let stamp = bin_dir.join(format!("{}.stamp", recipe.name));
    let key = key_of(recipe, &module).await?;
    if is_current(&binary, &stamp, &key) {
        return Ok(binary);
    }
    let phase = progress.phase(&format!("build {}", recipe.name));
    phase.detail("waiting for another build");
    let _lock = build_lock(&bin_dir).await?;
    if !is_current(&binary, &stamp, &key) {
        compile(recipe, &module, &binary, &phase).await?;
        std::fs::write(&stamp, &key)?;
    }
    phase.done("built");
    Ok(binary)
}

fn is_current(binary: &Path, stamp: &Path, key: &str) -> bool {
    binary.is_file() && std::fs::read_to_string(stamp).is_ok_and(|stamped| stamped == key)
}

/// A binary's identity: toolchain, recipe, and every source file of the module.
async fn key_of(recipe: &Recipe, module: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    go_version().await?.hash(&mut hasher);
    (recipe.package, recipe.flags).hash(&mut hasher);
    let mut files = Vec::new();
    // The engine is the only one with sources here; the others are wholly named by go.mod.
    let only_module_files = recipe.package.starts_with("github.com/");
    source_files(module, only_module_files, &mut files)?;
    files.sort();
    for file in files {
        file.strip_prefix(module)?.hash(&mut hasher);
        std::fs::read(&file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn source_files(dir: &Path, only_module_files: bool, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("no {}", dir.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && !only_module_files {
            source_files(&path, only_module_files, into)?;
        } else if name == "go.mod" || name == "go.sum" || (!only_module_files && is_source(name)) {
            into.push(path);
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    name.ends_with(".go") && !name.ends_with("_test.go")
}

async fn go_version() -> Result<String> {
    let output = Command::new("go").arg("version").output().await.context(
        "the Go toolchain is needed to build TiDB, PD and the storage engine, and `go` isn't found",
    )?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Waits for the lock on another thread, because the wait may take minutes.
async fn build_lock(bin_dir: &Path) -> Result<Flock<std::fs::File>> {
    let path = bin_dir.join("build.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let lock = tokio::task::spawn_blocking(|| Flock::lock(file, FlockArg::LockExclusive)).await?;
    lock.map_err(|(_, errno)| anyhow::anyhow!("cannot lock the server builds: {errno}"))
}

/// Builds into a file beside the binary and renames, so that a half-written one is never run.
async fn compile(recipe: &Recipe, module: &Path, binary: &Path, phase: &Phase) -> Result<()> {
    let unfinished = binary.with_extension("unfinished");
    let mut child = Command::new("go")
        .args(["build", "-v", "-buildvcs=false"])
        .args(recipe.flags)
        .arg("-o")
        .arg(&unfinished)
        .arg(recipe.package)
        .current_dir(module)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start `go build`")?;
    let output = follow(child.stderr.take().context("no output")?, phase).await?;
    if !child.wait().await?.success() {
        bail!("building {} failed:\n{output}", recipe.name);
    }
    std::fs::rename(&unfinished, binary)?;
    Ok(())
}

/// Shows each compiled package and keeps what isn't a package name for the error message.
async fn follow(stderr: tokio::process::ChildStderr, phase: &Phase) -> Result<String> {
    let mut lines = BufReader::new(stderr).lines();
    let (mut packages, mut kept) = (0_u32, Vec::new());
    while let Some(line) = lines.next_line().await? {
        if line.starts_with("go: downloading") || line.contains(' ') || line.starts_with('#') {
            phase.detail(&line);
            kept.push(line);
        } else {
            packages = packages.saturating_add(1);
            phase.detail(&format!("{packages} packages, {line}"));
        }
    }
    let tail = kept.len().saturating_sub(40);
    Ok(kept.get(tail..).unwrap_or_default().join("\n"))
}
