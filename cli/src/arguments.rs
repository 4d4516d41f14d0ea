//! The command line's grammar.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mesh_admin_client::{Limits, ModeChoice};

/// Manage the tenants of a TiDB Mesh gateway.
#[derive(Debug, Parser)]
#[command(name = "tidb-mesh", version, propagate_version = true, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: Connection,

    /// Form of the result on standard output.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 the gateway refused or can't be reached, 2 the command can't be meant.";

/// Where the gateway is and how to be let in.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Admin address of the gateway, host:port.
    #[arg(long, global = true, env = "TIDB_MESH_ADMIN", value_name = "ADDR")]
    pub(crate) admin: Option<String>,

    /// File with the admin token of the gateway. The token itself is never an argument.
    #[arg(long, global = true, env = "TIDB_MESH_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs; the form of the admin API.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, list, show, change and delete tenants.
    #[command(subcommand, visible_alias = "tenants")]
    Tenant(TenantCommand),

    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Create a tenant and wait until it is served. Succeeds if it exists as asked for.
    Create {
        /// Name: 1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'.
        name: String,

        /// How the tenant's keys are kept apart; fixed for the tenant's life.
        ///
        /// auto: the best that the stores allow. table: the tenant's id inside table ids, for TiDB
        /// on any TiKV. keyspace: TiKV's own keyspaces. prefix: for clients that send no
        /// coprocessor requests, not for TiDB.
        #[arg(long, default_value = "auto", value_parser = mode_parser())]
        mode: ModeChoice,

        #[command(flatten)]
        plan: Plan,
    },

    /// List all tenants.
    #[command(visible_alias = "ls")]
    List,

    /// Show one tenant: addresses, state and the key ranges it owns.
    #[command(visible_alias = "get")]
    Show {
        /// Name of the tenant.
        name: String,
    },

    /// Delete a tenant and its data. There is no way back.
    #[command(visible_alias = "rm")]
    Delete {
        /// Name of the tenant.
        name: String,

        /// Don't ask. Needed when standard input is not a terminal.
        #[arg(long, short)]
        yes: bool,

        #[command(flatten)]
        plan: Plan,
    },

    /// Stop serving a tenant and keep its data. Its clients are told so.
    Suspend {
        /// Name of the tenant.
        name: String,

        #[command(flatten)]
        plan: Plan,
    },

    /// Serve a suspended tenant again.
    Resume {
        /// Name of the tenant.
        name: String,

        #[command(flatten)]
        plan: Plan,
    },

    /// Give a tenant another name. Its clients notice nothing.
    Rename {
        /// Name of the tenant.
        name: String,

        /// Its new name.
        to: String,

        #[command(flatten)]
        plan: Plan,
    },

    /// Show or set what a tenant may take of each gateway.
    #[command(subcommand)]
    Limits(LimitsCommand),

    /// Show what a tenant takes: disk of the whole cluster, rates of this gateway.
    Usage {
        /// Name of the tenant.
        name: String,
    },
}

/// Of every change.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Plan {
    /// Have everything checked, change nothing, and show what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// Show the limits.
    Show {
        /// Name of the tenant.
        name: String,
    },

    /// Set some limits; those that are not named stay.
    Set {
        /// Name of the tenant.
        name: String,

        #[command(flatten)]
        bounds: Bounds,

        #[command(flatten)]
        plan: Plan,
    },
}

/// Each a number, or `none` to lift the limit.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Bounds {
    /// Requests per second; a number or "none".
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_second: Option<Bound<NonZeroU32>>,

    /// Message bytes per second, both directions together; a number or "none".
    #[arg(long, value_name = "N")]
    pub(crate) bytes_per_second: Option<Bound<NonZeroU32>>,

    /// Requests not answered yet; a number or "none".
    #[arg(long, value_name = "N")]
    pub(crate) in_flight_requests: Option<Bound<NonZeroU32>>,

    /// Bytes of requests not answered yet; a number or "none".
    #[arg(long, value_name = "N")]
    pub(crate) in_flight_bytes: Option<Bound<NonZeroU64>>,

    /// Open connections; a number or "none".
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<Bound<NonZeroU32>>,

    /// Share when tenants compete for a gateway; a number or "none" for 1.
    #[arg(long, value_name = "N")]
    pub(crate) weight: Option<Bound<NonZeroU32>>,
}

/// A limit, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound<N>(pub(crate) Option<N>);

impl<N: FromStr> FromStr for Bound<N> {
    type Err = N::Err;

    fn from_str(word: &str) -> Result<Self, N::Err> {
        if word == "none" {
            return Ok(Bound(None));
        }
        word.parse().map(|number| Bound(Some(number)))
    }
}

impl Bounds {
    /// The limits with what is named here changed.
    pub(crate) fn over(&self, mut limits: Limits) -> Limits {
        fn change<N: Copy>(limit: &mut Option<N>, bound: Option<Bound<N>>) {
            if let Some(Bound(to)) = bound {
                *limit = to;
            }
        }
        change(&mut limits.requests_per_second, self.requests_per_second);
        change(&mut limits.bytes_per_second, self.bytes_per_second);
        change(&mut limits.in_flight_requests, self.in_flight_requests);
        change(&mut limits.in_flight_bytes, self.in_flight_bytes);
        change(&mut limits.connections, self.connections);
        change(&mut limits.weight, self.weight);
        limits
    }
}

fn mode_parser() -> impl TypedValueParser<Value = ModeChoice> {
    PossibleValuesParser::new(ModeChoice::ALL.map(ModeChoice::as_str))
        .try_map(|word| word.parse::<ModeChoice>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    /// Every command and argument says what it is for.
    #[test]
    fn help_is_complete() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{}", argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }

    #[test]
    fn a_mode_is_one_of_four_words() {
        for choice in ModeChoice::ALL {
            let parsed = parse(&format!("tidb-mesh tenant create a --mode {choice}")).unwrap();
            assert!(matches!(
                parsed.command,
                Command::Tenant(TenantCommand::Create { mode, .. }) if mode == choice
            ));
        }
        let error = parse("tidb-mesh tenant create a --mode v2").unwrap_err();
        assert_eq!(
            (error.kind(), error.exit_code()),
            (ErrorKind::InvalidValue, 2)
        );
    }

    #[test]
    fn global_flags_stand_anywhere() {
        let parsed = parse("tidb-mesh tenant list --admin h:1 --token-file t -o json").unwrap();
        assert_eq!(
            (parsed.connection.admin.as_deref(), parsed.output),
            (Some("h:1"), Output::Json)
        );
        assert_eq!(parsed.connection.token_file, Some(PathBuf::from("t")));
    }

    /// A token in the arguments would be seen by every user of the machine.
    #[test]
    fn no_flag_takes_a_token() {
        assert_eq!(
            parse("tidb-mesh --token x tenant list").unwrap_err().kind(),
            ErrorKind::UnknownArgument
        );
    }
}
