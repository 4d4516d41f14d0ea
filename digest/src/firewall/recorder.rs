//! Learns what a tenant runs, to make an allow list of it.

use std::collections::{BTreeSet, HashMap};

use super::inspector::Inspector;
use super::policy::{Action, Rule};
use crate::{Digest, Kind};

/// A statement that was seen while recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Its normalized text, the first bytes of it.
    pub normalized: String,
    /// What it is.
    pub kind: Kind,
    /// How often it was seen.
    pub count: u64,
}

/// Statements seen while recording, at most as many as it was made for.
#[derive(Debug)]
pub struct Recorder {
    learned: HashMap<Digest, Learned>,
    hints: BTreeSet<String>,
    capacity: usize,
    text_bytes: usize,
    overlooked: u64,
}

impl Recorder {
    /// Keeps at most `capacity` statements, and `text_bytes` of the text of each.
    pub fn new(capacity: usize, text_bytes: usize) -> Self {
        Self {
            learned: HashMap::new(),
            hints: BTreeSet::new(),
            capacity,
            text_bytes,
            overlooked: 0,
        }
    }

    /// Learns what `inspector` saw last. Statements that rules couldn't judge aren't learned, and
    /// neither are new ones when it is full; both are counted.
    pub fn record(&mut self, inspector: &Inspector) {
        for seen in inspector.inspected() {
            let full = self.learned.len() >= self.capacity;
            let known = self.learned.contains_key(&seen.digest);
            if seen.hidden.is_some() || full && !known {
                self.overlooked = self.overlooked.saturating_add(1);
                continue;
            }
            let learned = self.learned.entry(seen.digest).or_insert_with(|| Learned {
                normalized: prefix(&seen.normalized, self.text_bytes).to_owned(),
                kind: seen.statement.kind,
                count: 0,
            });
            learned.count = learned.count.saturating_add(1);
            for hint in &seen.statement.hints {
                if self.hints.len() < self.capacity {
                    self.hints.insert(hint.name.clone());
                }
            }
        }
    }

    /// What was learned.
    pub fn learned(&self) -> impl Iterator<Item = (&Digest, &Learned)> {
        self.learned.iter()
    }

    /// How many statements weren't learned.
    pub fn overlooked(&self) -> u64 {
        self.overlooked
    }

    /// A rule that allows what was learned, with the hints that were seen; `None` if nothing was.
    pub fn to_rule(&self, name: &str) -> Option<Rule> {
        let mut digests: Vec<_> = self.learned.keys().map(Digest::to_string).collect();
        digests.sort();
        (!digests.is_empty()).then(|| Rule {
            name: name.to_owned(),
            action: Action::Allow,
            digests,
            hints: self.hints.iter().cloned().collect(),
            ..Rule::default()
        })
    }
}

/// At most `bytes` of `text`, not splitting a character.
fn prefix(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes))
        .unwrap_or_default()
}
