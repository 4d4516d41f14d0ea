//! `tidb-mesh-gateway`: configuration, wiring, serve, drain.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mesh_gateway::config::Config;
use tracing_subscriber::EnvFilter;

/// Transparent gRPC proxy between TiDB and TiKV/PD that gives every tenant its own keyspace.
#[derive(Debug, Parser)]
#[command(name = "tidb-mesh-gateway", version)]
struct Arguments {
    /// Configuration file (TOML).
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
            eprintln!("tidb-mesh-gateway: {fault}");
            return ExitCode::from(2);
        }
    };
    if arguments.check {
        if let Err(fault) = mesh_gateway::tls::check(&config) {
            eprintln!("tidb-mesh-gateway: {fault}");
            return ExitCode::from(2);
        }
        println!("{}: ok", arguments.config.display());
        return ExitCode::SUCCESS;
    }
    log_to_stderr(arguments.log_json);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            tracing::error!(error = %fault, "gateway stopped");
            eprintln!("tidb-mesh-gateway: {fault}");
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

/// The main runtime accepts connections and does control work; data is moved by the workers.
fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()?;
    runtime.block_on(mesh_gateway::serve::run(config))?;
    Ok(())
}
