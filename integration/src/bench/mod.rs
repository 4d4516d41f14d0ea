//! `cargo bench-mesh`: the product against what one would otherwise put in its place, measured side
//! by side in one run on one machine.
//!
//! What must stay true: a figure is only ever compared with a figure of the same run; paths take
//! turns, so that whatever else the machine does falls on all of them; every round is written down,
//! not only the medians.

mod flags;
mod gateway;
mod packages;
mod records;
mod statistics;
mod walker;

use anyhow::Result;

pub use flags::{Flags, GatewayFlags, PathName, WalkerFlags, What, Workload};

/// How a benchmark ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With figures.
    Measured,
    /// What was to be measured, or measured with, isn't there.
    Missing,
}

/// Runs one benchmark.
///
/// # Errors
/// When something doesn't build, start or answer.
pub async fn run(flags: Flags) -> Result<Ending> {
    match flags.what {
        What::Walker(flags) => walker::run(&flags).map(|()| Ending::Measured),
        What::Gateway(flags) => gateway::run(&flags).await,
        What::Mysql => {
            eprintln!("There is no mysql-proxy yet, so there is nothing to measure.");
            Ok(Ending::Missing)
        }
    }
}
