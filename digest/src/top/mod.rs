//! The statements on which each tenant spends most time, in memory that is fixed beforehand.
//!
//! Space-saving: a table of so many statements per tenant; a new one takes the place of the one
//! with the least time and inherits its time as a possible error. Every statement that took more
//! than its share (all time divided by the table's size) is in the table, whatever came between.
//! Pure: the caller brings the clock.

mod table;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::{Digest, Kind};
use table::Table;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopLimits {
    /// Tenants; the one longest not seen makes room for a new one.
    pub tenants: usize,
    /// Statements of each tenant, about 2 KiB and the text each.
    pub statements: usize,
    /// Bytes of a statement's normalized text.
    pub text_bytes: usize,
}

impl Default for TopLimits {
    /// About 40 MiB when full.
    fn default() -> Self {
        Self {
            tenants: 128,
            statements: 128,
            text_bytes: 512,
        }
    }
}

/// One finished statement.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Whose it was.
    pub tenant: &'a str,
    /// TiDB's digest of it.
    pub digest: Digest,
    /// Its normalized text.
    pub normalized: &'a str,
    /// What it was.
    pub kind: Kind,
    /// The server that ran it.
    pub backend: &'a str,
    /// From the command to the end of its answer.
    pub latency: Duration,
    /// Whether it ended with an error.
    pub failed: bool,
    /// Rows sent to the client or changed.
    pub rows: u64,
    /// Bytes of its answer.
    pub bytes: u64,
    /// When it ended.
    pub at: SystemTime,
}

/// What is known of a statement since it came into the table.
#[derive(Clone, Debug, PartialEq)]
pub struct TopStatement {
    /// Its digest.
    pub digest: Digest,
    /// The first bytes of its normalized text.
    pub normalized: String,
    /// What it is.
    pub kind: Kind,
    /// The server that ran it last.
    pub backend: String,
    /// How often it ran.
    pub count: u64,
    /// How often it ended with an error.
    pub errors: u64,
    /// Rows, all together.
    pub rows: u64,
    /// Bytes, all together.
    pub bytes: u64,
    /// Time, all together.
    pub time: Duration,
    /// Time that it may have taken before it came into the table, at most.
    pub overlooked_time: Duration,
    /// Half of its runs took at most this, within a sixteenth.
    pub p50: Duration,
    /// 99 of 100 of its runs took at most this, within a sixteenth.
    pub p99: Duration,
    /// Its longest run, within a sixteenth.
    pub max: Duration,
    /// When it came into the table.
    pub first_seen: SystemTime,
    /// When it ended last.
    pub last_seen: SystemTime,
}

/// Statistics of the most expensive statements of each tenant.
#[derive(Debug)]
pub struct TopSql {
    limits: TopLimits,
    tenants: HashMap<String, Table>,
}

impl TopSql {
    /// Nothing seen yet.
    pub fn new(limits: TopLimits) -> Self {
        Self {
            limits,
            tenants: HashMap::new(),
        }
    }

    /// Counts a finished statement.
    pub fn observe(&mut self, observation: &Observation<'_>) {
        if let Some(table) = self.tenants.get_mut(observation.tenant) {
            table.observe(observation);
            return;
        }
        if self.limits.tenants == 0 {
            return;
        }
        if self.tenants.len() >= self.limits.tenants {
            self.forget_oldest();
        }
        let mut table = Table::new(self.limits, observation.at);
        table.observe(observation);
        self.tenants.insert(observation.tenant.to_owned(), table);
    }

    /// The statements of `tenant`, the most expensive first.
    pub fn top(&self, tenant: &str) -> Vec<TopStatement> {
        self.tenants.get(tenant).map(Table::top).unwrap_or_default()
    }

    /// The tenants that are remembered.
    pub fn tenants(&self) -> impl Iterator<Item = &str> {
        self.tenants.keys().map(String::as_str)
    }

    /// Drops what is known of `tenant`.
    pub fn forget(&mut self, tenant: &str) {
        self.tenants.remove(tenant);
    }

    fn forget_oldest(&mut self) {
        let oldest = self
            .tenants
            .iter()
            .min_by_key(|(_, table)| table.last_seen());
        if let Some(oldest) = oldest.map(|(tenant, _)| tenant.clone()) {
            self.tenants.remove(&oldest);
        }
    }
}
