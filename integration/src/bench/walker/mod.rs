//! The walker against decoding, mapping and encoding with prost, on the same frames, with the same
//! codec, by CPU time of one thread.

mod frames;
mod ours;
mod peer;

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use comfy_table::{Table, presets};
use mesh_gateway::exchange::Scope;
use mesh_gateway::metrics::Metrics;
use mesh_keyspace::{Keyspace, Mode, TenantId};
use mesh_proto::{Message, Walker, tables};
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::WalkerFlags;
use super::records::{Records, to_digits};
use super::statistics::Summary;
use frames::{Direction, Frame};

/// Bytes that the frames come near to, from below.
const SIZES: [usize; 3] = [256, 1024, 16 * 1024];
const TENANT: u32 = 7;

#[derive(Serialize)]
struct Record {
    bench: &'static str,
    frame_bytes: usize,
    keys: usize,
    mode: &'static str,
    path: &'static str,
    bytes_per_s: u64,
}

/// One row of the table.
struct Row {
    frame: &'static str,
    bytes: usize,
    keys: usize,
    mode: Mode,
    ours: Summary,
    prost: Summary,
}

/// What both sides need for one frame.
struct Subject<'a> {
    frame: &'a Frame,
    keyspace: Keyspace,
    metrics: &'a Metrics,
    entry: &'static Message,
}

pub(super) fn run(flags: &WalkerFlags) -> Result<()> {
    let mut records = Records::begin("walker", flags.json_only)?;
    let metrics = Metrics::default();
    let mut rows = Vec::new();
    for mode in Mode::ALL {
        let keyspace = Keyspace::new(mode, TenantId::new(mode, TENANT)?)?;
        for size in SIZES {
            for frame in frames::all(size, &keyspace)? {
                if mode == Mode::Prefix && frame.is_coprocessor {
                    // Refused in this mode, so there is nothing to measure.
                    continue;
                }
                let entry = tables::message(frame.direction.entry()).context("no such table")?;
                let subject = Subject {
                    frame: &frame,
                    keyspace,
                    metrics: &metrics,
                    entry,
                };
                let row = subject.measure(flags)?;
                row.record(&mut records)?;
                rows.push(row);
            }
        }
    }
    if !flags.json_only {
        println!("{}", table_of(&rows));
        println!(
            "MB/s of CPU time on one core, median of {} rounds.",
            flags.rounds
        );
        println!("{}", records.path().display());
    }
    Ok(())
}

impl Subject<'_> {
    fn measure(&self, flags: &WalkerFlags) -> Result<Row> {
        let mut walker = Walker::new();
        let mut out = Vec::new();
        self.same_result(&mut walker)?;
        let turn = Duration::from_millis(flags.milliseconds);
        let (mut ours, mut prost) = (Vec::new(), Vec::new());
        for _ in 0..flags.rounds.max(1) {
            ours.push(self.speed(turn, || self.by_walker(&mut walker, &mut out))?);
            prost.push(self.speed(turn, || self.by_prost(&mut out))?);
        }
        Ok(Row {
            frame: self.frame.name,
            bytes: self.frame.bytes.len(),
            keys: self.frame.keys,
            mode: self.keyspace.mode(),
            ours: Summary::of(ours),
            prost: Summary::of(prost),
        })
    }

    fn by_walker(&self, walker: &mut Walker, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let scope = Scope {
            keyspace: &self.keyspace,
            metrics: self.metrics,
        };
        let bytes = black_box(&self.frame.bytes);
        ours::rewrite(walker, scope, self.frame.direction, self.entry, bytes, out)
    }

    fn by_prost(&self, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let bytes = black_box(&self.frame.bytes).clone();
        match self.frame.direction {
            Direction::Request => peer::decorate(bytes, &self.keyspace, out),
            Direction::Response => peer::undecorate(bytes, &self.keyspace, out),
        }
    }

    /// The two sides must do the same work, or their speeds mean nothing.
    fn same_result(&self, walker: &mut Walker) -> Result<()> {
        let (mut ours, mut prost) = (Vec::new(), Vec::new());
        self.by_walker(walker, &mut ours)?;
        self.by_prost(&mut prost)?;
        ensure!(
            ours == prost,
            "{}: walker and prost disagree",
            self.frame.name
        );
        Ok(())
    }

    /// Bytes per second of CPU time of one turn.
    fn speed(&self, turn: Duration, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
        const CALLS: u32 = 64;
        let start = cpu_time()?;
        let mut calls = 0_u32;
        loop {
            for _ in 0..CALLS {
                call()?;
            }
            calls = calls.saturating_add(CALLS);
            let spent = cpu_time()?.saturating_sub(start);
            if spent >= turn {
                let bytes = self.frame.bytes.len() as f64 * f64::from(calls);
                return Ok(bytes / spent.as_secs_f64());
            }
        }
    }
}

impl Row {
    fn record(&self, records: &mut Records) -> Result<()> {
        for (path, speed) in [("ours", self.ours), ("prost", self.prost)] {
            records.write(&Record {
                bench: "walker",
                frame_bytes: self.bytes,
                keys: self.keys,
                mode: self.mode.as_str(),
                path,
                bytes_per_s: speed.median as u64,
            })?;
        }
        Ok(())
    }
}

/// CPU time of this thread: what else runs on the machine doesn't count.
fn cpu_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn table_of(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header([
        "frame",
        "mode",
        "bytes",
        "keys",
        "ours MB/s",
        "±%",
        "prost MB/s",
        "±%",
        "ratio",
    ]);
    for row in rows {
        table.add_row([
            row.frame.to_owned(),
            row.mode.to_string(),
            row.bytes.to_string(),
            row.keys.to_string(),
            format!("{:.0}", row.ours.median / 1e6),
            format!("{:.0}", row.ours.spread_percent()),
            format!("{:.0}", row.prost.median / 1e6),
            format!("{:.0}", row.prost.spread_percent()),
            format!("{}", to_digits(row.ours.median / row.prost.median, 1)),
        ]);
    }
    table
}
