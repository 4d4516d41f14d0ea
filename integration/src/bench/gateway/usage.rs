//! CPU time and memory of a process and its children, as the kernel counts them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// What a process tree has used so far and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// User and system time since its start.
    pub(super) cpu: Duration,
    /// Resident memory.
    pub(super) resident_bytes: u64,
}

/// One process by `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    ticks: u64,
    pages: u64,
}

impl Usage {
    /// Of `root` and everything below it (nginx: a master and its workers).
    ///
    /// # Errors
    /// When `root` has ended.
    pub(super) fn of_tree(root: i32) -> Result<Self> {
        let all = processes()?;
        anyhow::ensure!(all.contains_key(&root), "process {root} has ended");
        let mine = all.iter().filter(|(pid, _)| is_below(**pid, root, &all));
        let mut ticks = 0_u64;
        let mut pages = 0_u64;
        for (_, stat) in mine {
            ticks = ticks.saturating_add(stat.ticks);
            pages = pages.saturating_add(stat.pages);
        }
        let seconds = ticks as f64 / system_value(libc::_SC_CLK_TCK)? as f64;
        Ok(Self {
            cpu: Duration::from_secs_f64(seconds),
            resident_bytes: pages.saturating_mul(system_value(libc::_SC_PAGESIZE)?),
        })
    }
}

fn system_value(name: libc::c_int) -> Result<u64> {
    // SAFETY: sysconf takes a number and touches no memory of ours.
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .context("sysconf knows no value")
}

fn processes() -> Result<BTreeMap<i32, Stat>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let text = std::fs::read_to_string(entry.path().join("stat")).ok();
        // A process may end while we look.
        if let Some((pid, stat)) = pid.zip(text.as_deref().and_then(Stat::parse)) {
            all.insert(pid, stat);
        }
    }
    Ok(all)
}

fn is_below(pid: i32, root: i32, all: &BTreeMap<i32, Stat>) -> bool {
    let mut at = pid;
    // Bounded, because the picture was not taken at one instant.
    for _ in 0..32 {
        if at == root {
            return true;
        }
        match all.get(&at) {
            Some(stat) => at = stat.parent,
            None => return false,
        }
    }
    false
}

impl Stat {
    /// The name in parentheses may hold anything, so fields are counted from its end.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            ticks: number(11)?.saturating_add(number(12)?),
            pages: number(21)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_spaces_and_parentheses() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 0 0 0 12 30 0 0 20 0 4 0 99 1000 55 0";
        let stat = Stat::parse(line).expect("a line of the kernel's");
        assert_eq!(
            stat,
            Stat {
                parent: 3,
                ticks: 42,
                pages: 55
            }
        );
    }

    #[test]
    fn this_process_is_counted() {
        let pid = i32::try_from(std::process::id()).expect("fits");
        let usage = Usage::of_tree(pid).expect("alive");
        assert!(usage.resident_bytes > 100_000);
    }
}
