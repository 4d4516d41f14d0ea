//! `cargo playground`: see `mesh_integration::playground`.

use std::process::ExitCode;

use clap::Parser as _;
use mesh_integration::playground::{Ending, Flags, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(Ending::Stopped) => ExitCode::SUCCESS,
        Ok(Ending::Unsupported) => ExitCode::from(2),
        Err(error) => {
            eprintln!("playground: {error:#}");
            ExitCode::FAILURE
        }
    }
}
