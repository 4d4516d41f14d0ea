//! The command line of `cargo bench-mesh`.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures the product side by side with its peers.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench-mesh", version)]
pub struct Flags {
    /// What to measure.
    #[command(subcommand)]
    pub what: What,
}

/// What to measure.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// SQL through the gateway, against the storage directly and against plain proxies.
    Gateway(GatewayFlags),
    /// Rewriting of wire bytes, against decoding, mapping and encoding.
    Walker(WalkerFlags),
    /// The MySQL front.
    Mysql,
}

/// Flags of `gateway`.
#[derive(Clone, Debug, Args)]
pub struct GatewayFlags {
    /// How often every path takes its turn at every workload.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub rounds: u32,
    /// Length of one turn.
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub seconds: u32,
    /// Client connections.
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub threads: u32,
    /// What the clients do.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Workload::ALL, value_name = "NAME,...")]
    pub workloads: Vec<Workload>,
    /// Which ways between TiDB and the storage.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = PathName::ALL, value_name = "NAME,...")]
    pub paths: Vec<PathName>,
    /// Tables.
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub tables: u32,
    /// Rows of each table.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub table_size: u32,
    /// Prints the JSON lines instead of tables.
    #[arg(long)]
    pub json_only: bool,
}

/// Flags of `walker`.
#[derive(Clone, Debug, Args)]
pub struct WalkerFlags {
    /// How often ours and prost take turns at every frame.
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub rounds: u32,
    /// CPU time of one turn.
    #[arg(long, default_value_t = 40, value_name = "N")]
    pub milliseconds: u64,
    /// Prints the JSON lines instead of a table.
    #[arg(long)]
    pub json_only: bool,
}

/// A sysbench workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Workload {
    /// One row by its primary key.
    PointSelect,
    /// Ten point reads and four range reads in a transaction.
    ReadOnly,
    /// Two updates, a delete and an insert in a transaction.
    WriteOnly,
    /// Both of the above in a transaction.
    ReadWrite,
}

impl Workload {
    /// Every workload.
    pub const ALL: [Self; 4] = [
        Self::PointSelect,
        Self::ReadOnly,
        Self::WriteOnly,
        Self::ReadWrite,
    ];

    /// As flags, tables and JSON lines name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PointSelect => "point_select",
            Self::ReadOnly => "read_only",
            Self::WriteOnly => "write_only",
            Self::ReadWrite => "read_write",
        }
    }
}

/// A way between TiDB and the storage engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PathName {
    /// Nothing in between.
    Direct,
    /// nginx, `grpc_pass`.
    Nginx,
    /// HAProxy, HTTP/2 on both sides.
    HaproxyH2,
    /// HAProxy, a TCP relay.
    HaproxyTcp,
    /// The gateway, decorating for one tenant.
    Ours,
}

impl PathName {
    /// Every path.
    pub const ALL: [Self; 5] = [
        Self::Direct,
        Self::Nginx,
        Self::HaproxyH2,
        Self::HaproxyTcp,
        Self::Ours,
    ];

    /// As flags, tables and JSON lines name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::HaproxyH2 => "haproxy_h2",
            Self::HaproxyTcp => "haproxy_tcp",
            Self::Ours => "ours",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_flags_values() {
        for workload in Workload::ALL {
            assert_eq!(Workload::from_str(workload.name(), false), Ok(workload));
        }
        for path in PathName::ALL {
            assert_eq!(PathName::from_str(path.name(), false), Ok(path));
        }
    }

    #[test]
    fn five_rounds_are_the_default() {
        let flags = Flags::parse_from(["bench-mesh", "gateway", "--paths", "direct,ours"]);
        let What::Gateway(flags) = flags.what else {
            panic!("gateway was asked for")
        };
        assert_eq!(flags.rounds, 5);
        assert_eq!(flags.paths, [PathName::Direct, PathName::Ours]);
        assert_eq!(flags.workloads, Workload::ALL);
    }
}
