//! One tenant's table.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;

use super::{Observation, TopLimits, TopStatement};
use crate::{Digest, Kind};

/// Longer latencies count as this.
const LONGEST: Duration = Duration::from_secs(3600);

/// Decimal digits that hold: steps of a sixteenth, 2 KiB for each statement.
const DIGITS: u8 = 1;

#[derive(Debug)]
pub(super) struct Table {
    limits: TopLimits,
    places: HashMap<Digest, usize>,
    /// Time of each row in microseconds, possible errors included; apart from the rows, because
    /// all of it is searched for the least when a new statement comes.
    weights: Vec<u64>,
    rows: Vec<Row>,
    last_seen: SystemTime,
}

#[derive(Debug)]
struct Row {
    digest: Digest,
    normalized: String,
    kind: Kind,
    backend: String,
    count: u64,
    errors: u64,
    rows: u64,
    bytes: u64,
    time: Duration,
    overlooked: u64,
    latencies: Option<Histogram<u32>>,
    first_seen: SystemTime,
    last_seen: SystemTime,
}

impl Table {
    pub(super) fn new(limits: TopLimits, at: SystemTime) -> Self {
        Self {
            limits,
            places: HashMap::new(),
            weights: Vec::new(),
            rows: Vec::new(),
            last_seen: at,
        }
    }

    pub(super) fn last_seen(&self) -> SystemTime {
        self.last_seen
    }

    pub(super) fn observe(&mut self, observation: &Observation<'_>) {
        self.last_seen = self.last_seen.max(observation.at);
        let place = match self.places.get(&observation.digest) {
            Some(place) => *place,
            None => match self.make_room(observation) {
                Some(place) => place,
                None => return,
            },
        };
        let micros = micros(observation.latency);
        if let (Some(weight), Some(row)) = (self.weights.get_mut(place), self.rows.get_mut(place)) {
            // Statements that take no time at all still count.
            *weight = weight.saturating_add(micros.max(1));
            row.add(observation, micros);
        }
    }

    pub(super) fn top(&self) -> Vec<TopStatement> {
        let mut rows: Vec<_> = self.weights.iter().zip(&self.rows).collect();
        rows.sort_by_key(|(weight, _)| std::cmp::Reverse(**weight));
        rows.into_iter().map(|(_, row)| row.tell()).collect()
    }

    /// A place for a new statement, in the stead of the cheapest if all are taken.
    fn make_room(&mut self, observation: &Observation<'_>) -> Option<usize> {
        let place = self.rows.len();
        if place < self.limits.statements {
            self.rows
                .push(Row::new(observation, 0, self.limits.text_bytes, None));
            self.weights.push(0);
            self.places.insert(observation.digest, place);
            return Some(place);
        }
        let (place, weight) = self
            .weights
            .iter()
            .enumerate()
            .min_by_key(|(_, weight)| **weight)?;
        let row = self.rows.get_mut(place)?;
        self.places.remove(&row.digest);
        let latencies = row.latencies.take();
        *row = Row::new(observation, *weight, self.limits.text_bytes, latencies);
        self.places.insert(observation.digest, place);
        Some(place)
    }
}

impl Row {
    /// `latencies` is the histogram of the row before, whose memory is used again.
    fn new(
        observation: &Observation<'_>,
        overlooked: u64,
        text_bytes: usize,
        latencies: Option<Histogram<u32>>,
    ) -> Self {
        let text = observation.normalized;
        let text = text.get(..text.floor_char_boundary(text_bytes));
        let latencies = match latencies {
            Some(mut used) => {
                used.reset();
                Some(used)
            }
            None => Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, DIGITS).ok(),
        };
        Self {
            digest: observation.digest,
            normalized: text.unwrap_or_default().to_owned(),
            kind: observation.kind,
            backend: String::new(),
            count: 0,
            errors: 0,
            rows: 0,
            bytes: 0,
            time: Duration::ZERO,
            overlooked,
            latencies,
            first_seen: observation.at,
            last_seen: observation.at,
        }
    }

    fn add(&mut self, observation: &Observation<'_>, micros: u64) {
        self.count = self.count.saturating_add(1);
        self.errors = self.errors.saturating_add(u64::from(observation.failed));
        self.rows = self.rows.saturating_add(observation.rows);
        self.bytes = self.bytes.saturating_add(observation.bytes);
        self.time = self.time.saturating_add(observation.latency);
        self.last_seen = self.last_seen.max(observation.at);
        if self.backend != observation.backend {
            self.backend = observation.backend.to_owned();
        }
        if let Some(latencies) = &mut self.latencies {
            latencies.saturating_record(micros.max(1));
        }
    }

    fn tell(&self) -> TopStatement {
        let quantile = |share: f64| {
            let latencies = self.latencies.as_ref();
            Duration::from_micros(latencies.map_or(0, |found| found.value_at_quantile(share)))
        };
        TopStatement {
            digest: self.digest,
            normalized: self.normalized.clone(),
            kind: self.kind,
            backend: self.backend.clone(),
            count: self.count,
            errors: self.errors,
            rows: self.rows,
            bytes: self.bytes,
            time: self.time,
            overlooked_time: Duration::from_micros(self.overlooked),
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: quantile(1.0),
            first_seen: self.first_seen,
            last_seen: self.last_seen,
        }
    }
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}
