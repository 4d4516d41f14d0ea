//! `tidb-mesh-proxy`: configuration, wiring, serve, drain.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use mesh_mysql_proxy::config::Config;
use tracing_subscriber::EnvFilter;

/// MySQL front of TiDB Mesh: one address, every tenant.
#[derive(Debug, Parser)]
#[command(name = "tidb-mesh-proxy", version)]
struct Arguments {
    /// Configuration file (TOML); changes are taken up while running.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and exit: 0 when it can be used, 2 when not.
    #[arg(long)]
    check: bool,
    /// Log as JSON lines.
    #[arg(long)]
    log_json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(fault) => {
            eprintln!("tidb-mesh-proxy: {fault}");
            return ExitCode::from(2);
        }
    };
    if arguments.check {
        println!("{}: ok", arguments.config.display());
        return ExitCode::SUCCESS;
    }
    log_to_stderr(arguments.log_json);
    match run(config, &arguments.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            tracing::error!(error = %fault, "proxy stopped");
            eprintln!("tidb-mesh-proxy: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr(json: bool) {
    let filter =
        EnvFilter::try_from_env("TIDB_MESH_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if json {
        builder.json().init()
    } else {
        builder.with_ansi(false).init()
    }
}

/// The main runtime does control work; sessions are carried by the workers.
fn run(config: Config, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()?;
    runtime.block_on(mesh_mysql_proxy::serve::run(config, path))?;
    Ok(())
}
