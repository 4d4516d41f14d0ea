//! sysbench: prepares the data and drives the load.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::bench::packages::SYSBENCH;
use crate::bench::{GatewayFlags, Workload};
use crate::process::{Process, ProcessSpec};
use crate::sql::Session;

const DATABASE: &str = "sbtest";
/// Conflicts of optimistic and pessimistic transactions: a client retries on them.
const CONFLICTS: &str = "1062,1205,1213,8002,8005,8022,9007";
const PREPARE_LIMIT: Duration = Duration::from_secs(600);

/// What one run of sysbench reported.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Statements.
    pub(super) queries: u64,
    /// Statements per second.
    pub(super) qps: f64,
    /// Time of an event (a statement, or a transaction where the workload has them).
    pub(super) p50_us: f64,
    /// The same, for the slowest of a hundred.
    pub(super) p99_us: f64,
}

/// Runs sysbench against one TiDB.
pub(super) struct Sysbench<'a> {
    pub(super) flags: &'a GatewayFlags,
    pub(super) dir: &'a Path,
    pub(super) mysql: String,
}

impl Sysbench<'_> {
    /// Makes the tables, the same in every cluster, and switches off what would disturb.
    pub(super) async fn prepare(&self) -> Result<()> {
        let mut session = Session::connect(&self.mysql).await?;
        session
            .execute(&format!("CREATE DATABASE IF NOT EXISTS {DATABASE}"))
            .await?;
        for setting in ["tidb_enable_auto_analyze = OFF", "tidb_gc_enable = OFF"] {
            session.execute(&format!("SET GLOBAL {setting}")).await?;
        }
        let args = vec!["oltp_read_write".to_owned(), "prepare".to_owned()];
        self.run(args, "prepare", PREPARE_LIMIT).await?;
        for table in 1..=self.flags.tables {
            session
                .execute(&format!("ANALYZE TABLE {DATABASE}.sbtest{table}"))
                .await?;
            let rows = format!("SELECT COUNT(*) FROM {DATABASE}.sbtest{table}");
            let rows = session.value(&rows).await?;
            if rows != self.flags.table_size.to_string() {
                bail!("sysbench made {rows} rows in table {table}");
            }
        }
        Ok(())
    }

    /// One turn of `seconds`.
    pub(super) async fn turn(
        &self,
        workload: Workload,
        seconds: u32,
        name: &str,
    ) -> Result<Figures> {
        let args = vec![
            format!("oltp_{}", workload.name()),
            "run".to_owned(),
            format!("--time={seconds}"),
            "--events=0".to_owned(),
            "--histogram=on".to_owned(),
        ];
        let limit = Duration::from_secs(u64::from(seconds) + 60);
        let log = self.run(args, name, limit).await?;
        let report = std::fs::read_to_string(&log)?;
        Figures::parse(&report)
            .with_context(|| format!("sysbench reported no figures: see {}", log.display()))
    }

    async fn run(&self, mut args: Vec<String>, name: &str, limit: Duration) -> Result<PathBuf> {
        let (host, port) = self
            .mysql
            .rsplit_once(':')
            .context("an address is HOST:PORT")?;
        args.extend([
            "--db-driver=mysql".to_owned(),
            format!("--mysql-host={host}"),
            format!("--mysql-port={port}"),
            "--mysql-user=root".to_owned(),
            format!("--mysql-db={DATABASE}"),
            format!("--mysql-ignore-errors={CONFLICTS}"),
            format!("--tables={}", self.flags.tables),
            format!("--table-size={}", self.flags.table_size),
            format!("--threads={}", self.flags.threads),
            "--rand-type=uniform".to_owned(),
        ]);
        let log = self.dir.join(format!("sysbench-{name}.log"));
        let process = Process::start(ProcessSpec {
            name: "sysbench".to_owned(),
            program: SYSBENCH.find()?,
            args: args.into_iter().map(Into::into).collect(),
            log: log.clone(),
        })?;
        tokio::time::timeout(limit, process.exited())
            .await
            .with_context(|| format!("sysbench {name} doesn't end"))?;
        let tail = process.log_tail();
        if tail.contains("FATAL") {
            bail!("sysbench {name} failed:\n{tail}");
        }
        Ok(log)
    }
}

impl Figures {
    fn parse(report: &str) -> Option<Self> {
        let (mut queries, mut qps) = (None, None);
        for line in report.lines() {
            if let Some(rest) = line.trim_start().strip_prefix("queries:") {
                let mut words = rest.split_whitespace();
                queries = words.next()?.parse().ok();
                qps = words.next()?.trim_start_matches('(').parse().ok();
            }
        }
        let steps: Vec<(f64, u64)> = report.lines().filter_map(histogram_step).collect();
        Some(Self {
            queries: queries?,
            qps: qps?,
            p50_us: percentile(&steps, 0.50)? * 1_000.0,
            p99_us: percentile(&steps, 0.99)? * 1_000.0,
        })
    }
}

/// `0.213 |****    42`: milliseconds, a bar, events.
fn histogram_step(line: &str) -> Option<(f64, u64)> {
    let (value, rest) = line.split_once('|')?;
    let count = rest.split_whitespace().next_back()?;
    Some((value.trim().parse().ok()?, count.parse().ok()?))
}

fn percentile(steps: &[(f64, u64)], share: f64) -> Option<f64> {
    let total: u64 = steps.iter().map(|(_, count)| count).sum();
    let wanted = total as f64 * share;
    let mut seen = 0_u64;
    for (value, count) in steps {
        seen = seen.saturating_add(*count);
        if seen as f64 >= wanted {
            return Some(*value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Latency histogram (values are in milliseconds)
       value  ------------- distribution ------------- count
       0.500 |****************************************  60
       1.000 |*************                             39
       9.000 |                                          1

SQL statistics:
    queries performed:
        read:                            100
        total:                           100
    transactions:                        100    (50.00 per sec.)
    queries:                             100    (50.25 per sec.)
    ignored errors:                      0      (0.00 per sec.)
";

    #[test]
    fn a_report_is_read() {
        let figures = Figures::parse(REPORT).expect("a report");
        assert_eq!(figures.queries, 100);
        assert_eq!(
            (figures.qps, figures.p50_us, figures.p99_us),
            (50.25, 500.0, 1_000.0)
        );
    }

    #[test]
    fn an_aborted_run_has_no_figures() {
        assert_eq!(Figures::parse("FATAL: unable to connect"), None);
    }
}
