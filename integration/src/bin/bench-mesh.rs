//! `cargo bench-mesh`: see `mesh_integration::bench`.

use std::process::ExitCode;

use clap::Parser as _;
use mesh_integration::bench::{Ending, Flags, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(Ending::Measured) => ExitCode::SUCCESS,
        Ok(Ending::Missing) => ExitCode::from(2),
        Err(error) => {
            eprintln!("bench-mesh: {error:#}");
            ExitCode::FAILURE
        }
    }
}
