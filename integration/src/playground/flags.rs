//! The playground's command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Starts a storage cluster, the gateway and TiDB servers of several tenants on this machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo playground", version)]
pub struct Flags {
    /// Names of the tenants.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "alpha,beta",
        value_name = "NAME,..."
    )]
    pub tenants: Vec<String>,
    /// How tenants are kept apart in the storage.
    #[arg(long, value_enum, default_value_t = Mode::Table)]
    pub mode: Mode,
    /// TiDB servers in each tenant.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub tidb_per_tenant: usize,
    /// Starts no TiDB: the gateway alone, for other clients.
    #[arg(long)]
    pub no_tidb: bool,
    /// Where all state is kept between runs.
    #[arg(long, default_value = ".playground", value_name = "DIR")]
    pub state_dir: PathBuf,
    /// Wipes the state directory first.
    #[arg(long)]
    pub fresh: bool,
    /// Uses an existing storage cluster instead of the embedded one.
    #[arg(long, value_name = "HOST:PORT")]
    pub external_pd: Option<String>,
    /// Whether a TiDB lives directly on the storage beside the tenants
    /// (default: absent on the embedded storage, present on an existing one).
    #[arg(long, value_enum)]
    pub tenant0: Option<Tenant0>,
}

/// A keyspace mode as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The tenant's id inside every table id; works on any storage.
    Table,
    /// The storage's own keyspaces.
    Keyspace,
    /// A plain prefix, for clients without a coprocessor.
    Prefix,
    /// The best that the storage can do.
    Auto,
}

/// Whether a TiDB lives directly on the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tenant0 {
    /// It does, and it moves the storage's garbage collection.
    Present,
    /// It doesn't; the gateway moves the storage's garbage collection.
    Absent,
}

impl Flags {
    /// What is missing for the mode that was asked for.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        match self.mode {
            Mode::Table | Mode::Auto => None,
            Mode::Keyspace => Some(
                "mode keyspace isn't in the playground yet: the embedded storage engine has no \
                 keyspaces, and the gateway has no registry of them. Use --mode table.",
            ),
            Mode::Prefix => Some(
                "mode prefix isn't in the playground yet: the gateway has no raw and transactional \
                 routes for clients without TiDB in this mode. Use --mode table.",
            ),
        }
    }

    /// TiDB servers to start in each tenant.
    #[must_use]
    pub fn tidb_count(&self) -> usize {
        if self.no_tidb {
            0
        } else {
            self.tidb_per_tenant
        }
    }

    /// Whether the gateway has to reckon with a TiDB directly on the storage.
    #[must_use]
    pub fn tenant0_present(&self) -> bool {
        match self.tenant0 {
            Some(tenant0) => tenant0 == Tenant0::Present,
            None => self.external_pd.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_contract() {
        let flags = Flags::parse_from(["playground"]);
        assert_eq!(flags.tenants, ["alpha", "beta"]);
        assert_eq!(flags.mode, Mode::Table);
        assert_eq!(flags.tidb_count(), 1);
        assert_eq!(flags.state_dir, PathBuf::from(".playground"));
        assert!(!flags.tenant0_present());
    }

    #[test]
    fn modes_to_come_are_named() {
        let flags = Flags::parse_from(["playground", "--mode", "prefix"]);
        assert!(flags.missing().is_some_and(|text| text.contains("prefix")));
    }
}
