//! What the rounds came to, as tables for people.

use comfy_table::{Table, presets};

use super::Turn;
use crate::bench::statistics::Summary;
use crate::bench::{PathName, Workload};

/// One table for each workload.
pub(super) fn tables(turns: &[Turn], workloads: &[Workload], paths: &[PathName]) -> String {
    let mut text = String::new();
    for workload in workloads {
        let of_workload: Vec<&Turn> = turns
            .iter()
            .filter(|turn| turn.workload == *workload)
            .collect();
        text.push_str(&format!(
            "\n{}\n{}\n",
            workload.name(),
            table(&of_workload, paths)
        ));
    }
    text
}

fn table(turns: &[&Turn], paths: &[PathName]) -> Table {
    let summary = |path: PathName, figure: fn(&Turn) -> f64| {
        Summary::of(
            turns
                .iter()
                .filter(|turn| turn.path == path)
                .map(|turn| figure(turn)),
        )
    };
    let direct = summary(PathName::Direct, |turn| turn.figures.qps).median;
    let nginx = summary(PathName::Nginx, |turn| turn.cpu_us_per_query).median;
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header([
        "path",
        "QPS",
        "±%",
        "of direct",
        "p50 µs",
        "p99 µs",
        "CPU µs/query",
        "±%",
        "of nginx",
        "RSS MiB",
    ]);
    for path in paths {
        let qps = summary(*path, |turn| turn.figures.qps);
        let cpu = summary(*path, |turn| turn.cpu_us_per_query);
        table.add_row([
            path.name().to_owned(),
            format!("{:.0}", qps.median),
            format!("{:.0}", qps.spread_percent()),
            ratio(qps.median, direct),
            format!("{:.0}", summary(*path, |turn| turn.figures.p50_us).median),
            format!("{:.0}", summary(*path, |turn| turn.figures.p99_us).median),
            format!("{:.1}", cpu.median),
            format!("{:.0}", cpu.spread_percent()),
            ratio(cpu.median, nginx),
            format!(
                "{:.1}",
                summary(*path, |turn| turn.resident_bytes as f64).median / 1_048_576.0
            ),
        ]);
    }
    table
}

fn ratio(figure: f64, base: f64) -> String {
    if base == 0.0 || figure == 0.0 {
        "–".to_owned()
    } else {
        format!("{:.2}", figure / base)
    }
}
