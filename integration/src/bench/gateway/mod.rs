//! SQL through the gateway against SQL on the storage directly and through plain proxies: sysbench
//! on the same unmodified servers with the same data, the paths taking turns.

mod cluster;
mod load;
mod peer;
mod report;
mod usage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::packages::{self, HAPROXY, NGINX, SYSBENCH};
use super::records::{Records, to_digits};
use super::{Ending, GatewayFlags, PathName, Workload};
use crate::layout;
use crate::ports::{PortBlock, Purpose};
use crate::product::Product;
use crate::progress::Progress;
use crate::servers::Servers;
use cluster::{Cluster, Site, kind};
use load::{Figures, Sysbench};
use usage::Usage;

/// Before every turn: connections are made again and caches filled again after a change of path.
const WARM_UP_SECONDS: u32 = 2;

/// One path's turn at one workload.
struct Turn {
    workload: Workload,
    path: PathName,
    round: u32,
    figures: Figures,
    cpu_us_per_query: f64,
    resident_bytes: u64,
}

#[derive(Serialize)]
struct Record {
    bench: &'static str,
    workload: &'static str,
    path: &'static str,
    round: u32,
    qps: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_query: f64,
    rss_bytes: u64,
}

/// All clusters of a run.
struct Bench<'a> {
    flags: &'a GatewayFlags,
    dir: PathBuf,
    clusters: BTreeMap<&'static str, Cluster>,
    progress: Progress,
}

pub(super) async fn run(flags: &GatewayFlags) -> Result<Ending> {
    let progress = Progress::new();
    if !packages::ensure(&[SYSBENCH, NGINX, HAPROXY], &progress).await? {
        return Ok(Ending::Missing);
    }
    let servers = Servers::build(&progress).await?;
    let product = Product::build(&progress).await?;
    let dir = layout::new_run_dir("bench-gateway")?;
    let mut ports = PortBlock::take(Purpose::Test)?;
    let mut bench = Bench {
        flags,
        dir: dir.clone(),
        clusters: BTreeMap::new(),
        progress,
    };
    let mut site = Site {
        servers: &servers,
        product: &product,
        dir: &dir,
        ports: &mut ports,
    };
    let mut stop = StopSignal::listen()?;
    let outcome = tokio::select! {
        outcome = bench.measure(&mut site) => outcome,
        () = stop.received() => Err(anyhow::anyhow!("asked to stop")),
    };
    futures::future::join_all(bench.clusters.values().map(Cluster::stop)).await;
    outcome.map(|()| Ending::Measured)
}

/// Whatever asks a process to end. Without it, nginx's workers would outlive a run that is stopped:
/// the kernel kills their master with us, and they don't notice.
struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl StopSignal {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

impl Bench<'_> {
    async fn measure(&mut self, site: &mut Site<'_>) -> Result<()> {
        self.start(site).await?;
        let mut records = Records::begin("gateway", self.flags.json_only)?;
        let mut turns = Vec::new();
        for round in 1..=self.flags.rounds.max(1) {
            let phase = self.progress.phase(&format!("round {round}"));
            for workload in &self.flags.workloads {
                for path in &self.flags.paths {
                    phase.detail(&format!("{} {}", workload.name(), path.name()));
                    let turn = self.turn(*workload, *path, round).await?;
                    records.write(&turn.record())?;
                    turns.push(turn);
                }
            }
            phase.done("measured");
        }
        if !self.flags.json_only {
            println!(
                "{}",
                report::tables(&turns, &self.flags.workloads, &self.flags.paths)
            );
            println!(
                "Medians of {} rounds of {} s, {} connections; ±% is the distance between the \
                 extremes.\nA latency is that of a transaction where the workload has them.\n{}",
                self.flags.rounds,
                self.flags.seconds,
                self.flags.threads,
                records.path().display(),
            );
        }
        Ok(())
    }

    async fn start(&mut self, site: &mut Site<'_>) -> Result<()> {
        for path in &self.flags.paths {
            let kind = kind(*path);
            if self.clusters.contains_key(kind) {
                continue;
            }
            let phase = self.progress.phase(&format!("start and fill: {kind}"));
            let cluster = Cluster::start(*path, site).await?;
            let cluster = self.clusters.entry(kind).or_insert(cluster);
            sysbench(self.flags, &self.dir.join(kind), cluster)
                .prepare()
                .await?;
            phase.done("filled");
        }
        Ok(())
    }

    async fn turn(&mut self, workload: Workload, path: PathName, round: u32) -> Result<Turn> {
        let cluster = self
            .clusters
            .get_mut(kind(path))
            .context("a path without a cluster")?;
        cluster.take(path).await?;
        let dir = self.dir.join(kind(path));
        let sysbench = sysbench(self.flags, &dir, cluster);
        let name = format!("{}-{}-{round}", workload.name(), path.name());
        sysbench
            .turn(workload, WARM_UP_SECONDS, &format!("{name}-warm-up"))
            .await?;
        let proxy = cluster.proxy();
        let usage = || proxy.map_or(Ok(Usage::default()), Usage::of_tree);
        let before = usage()?;
        let figures = sysbench.turn(workload, self.flags.seconds, &name).await?;
        let after = usage()?;
        let cpu = after.cpu.saturating_sub(before.cpu);
        Ok(Turn {
            workload,
            path,
            round,
            figures,
            cpu_us_per_query: cpu.as_secs_f64() * 1e6 / figures.queries.max(1) as f64,
            resident_bytes: after.resident_bytes,
        })
    }
}

fn sysbench<'a>(flags: &'a GatewayFlags, dir: &'a Path, cluster: &Cluster) -> Sysbench<'a> {
    Sysbench {
        flags,
        dir,
        mysql: cluster.tidb.mysql(),
    }
}

impl Turn {
    fn record(&self) -> Record {
        Record {
            bench: "gateway",
            workload: self.workload.name(),
            path: self.path.name(),
            round: self.round,
            qps: to_digits(self.figures.qps, 1),
            p50_us: to_digits(self.figures.p50_us, 1),
            p99_us: to_digits(self.figures.p99_us, 1),
            cpu_us_per_query: to_digits(self.cpu_us_per_query, 2),
            rss_bytes: self.resident_bytes,
        }
    }
}
