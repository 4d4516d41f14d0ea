//! The engine's physical dump: every stored key with its versions, locks and transaction records.
//! It shows what is really on disk, whatever the gateway says.

use anyhow::{Context as _, Result};

use crate::admin::HexRange;
use crate::http;

/// All that the engine stores.
#[derive(Clone, Debug)]
pub struct Dump {
    /// In key order.
    pub entries: Vec<Entry>,
}

/// One stored thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `data`, `old-version`, `lock` or `status`.
    pub kind: String,
    /// The key it belongs to; for a transaction record the key that the record is about.
    pub key: Vec<u8>,
    /// The whole line.
    pub line: String,
}

/// Physical ranges.
#[derive(Clone, Debug)]
pub struct Ranges(Vec<(Vec<u8>, Vec<u8>)>);

impl Dump {
    /// Reads the dump of a running engine.
    ///
    /// # Errors
    /// When the engine doesn't answer or the dump has another shape.
    pub async fn read(engine_status: &str) -> Result<Self> {
        Self::parse(&http::get_text(&format!("http://{engine_status}/dump")).await?)
    }

    fn parse(text: &str) -> Result<Self> {
        let entries = text
            .lines()
            .map(parse_line)
            .collect::<Result<Vec<Entry>>>()?;
        Ok(Self { entries })
    }

    /// What belongs into these ranges.
    #[must_use]
    pub fn inside(&self, ranges: &Ranges) -> Vec<&Entry> {
        self.entries
            .iter()
            .filter(|entry| ranges.contain(&entry.key))
            .collect()
    }

    /// What belongs into none of these.
    #[must_use]
    pub fn outside(&self, all: &[&Ranges]) -> Vec<&Entry> {
        let nowhere = |entry: &&Entry| !all.iter().any(|ranges| ranges.contain(&entry.key));
        self.entries.iter().filter(nowhere).collect()
    }
}

impl Ranges {
    /// The ranges of a tenant.
    ///
    /// # Errors
    /// When one isn't hex.
    pub fn parse(ranges: &[HexRange]) -> Result<Self> {
        let pairs = ranges
            .iter()
            .map(|range| Ok((hex::decode(&range.start)?, hex::decode(&range.end)?)));
        Ok(Self(pairs.collect::<Result<_>>()?))
    }

    /// Whether a range (an empty end means no end) has keys in common with these.
    #[must_use]
    pub fn touch(&self, from: &[u8], to: &[u8]) -> bool {
        self.0.iter().any(|(start, end)| {
            (end.is_empty() || from < end.as_slice()) && (to.is_empty() || start.as_slice() < to)
        })
    }

    /// Whether a key lies inside.
    #[must_use]
    pub fn contain(&self, key: &[u8]) -> bool {
        self.0
            .iter()
            .any(|(start, end)| start.as_slice() <= key && (end.is_empty() || key < end.as_slice()))
    }
}

fn parse_line(line: &str) -> Result<Entry> {
    let mut fields = line.split(' ');
    let kind = fields.next().context("an empty line in the dump")?;
    let stored = fields
        .next()
        .with_context(|| format!("no key in: {line}"))?;
    let about = fields.find_map(|field| field.strip_prefix("of="));
    let key = hex::decode(about.unwrap_or(stored)).with_context(|| format!("no hex in: {line}"))?;
    Ok(Entry {
        kind: kind.to_owned(),
        key,
        line: line.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_record_belongs_to_the_key_that_it_is_about() {
        let dump = Dump::parse("data 6d01 - 1 2 put\nstatus 6e02 - 1 0 rollback of=6d02\n")
            .expect("parses");
        let range = HexRange {
            start: "6d02".to_owned(),
            end: String::new(),
        };
        let ranges = Ranges::parse(&[range]).expect("hex");
        assert_eq!(dump.inside(&ranges).len(), 1);
        assert_eq!(dump.outside(&[&ranges]).first().expect("one").kind, "data");
    }
}
