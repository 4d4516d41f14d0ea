//! `cargo test-long`: the end-to-end tests again and again, because what goes wrong between
//! processes goes wrong rarely. Stops at the first round that fails and says which it was.

use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Parser;

/// Repeats the end-to-end tests.
#[derive(Debug, Parser)]
#[command(name = "cargo test-long", version)]
struct Flags {
    /// How often everything is run.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Only tests whose names contain one of these.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    for round in 1..=flags.rounds {
        let started = Instant::now();
        println!("round {round} of {}", flags.rounds);
        match run_once(&flags.filters) {
            Ok(true) => println!("round {round} passed in {} s", started.elapsed().as_secs()),
            Ok(false) => {
                eprintln!("round {round} failed; its data and logs are in target/runs");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("cannot run cargo: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn run_once(filters: &[String]) -> std::io::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "test",
        "--release",
        "--package",
        "mesh-integration",
        "--test",
        "end_to_end",
    ]);
    Ok(command.arg("--").args(filters).status()?.success())
}
