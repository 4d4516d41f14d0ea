//! Encoded keys in PD's JSON, mapped both ways.
//!
//! On the way in a range becomes one or two physical ranges; on the way out a physical range is
//! clipped to what the tenant may see.

use mesh_keyspace::{Form, Keyspace, LogicalKey, Visibility};
use serde_json::{Map, Value};

use super::problem::Problem;

/// A half-open range of encoded keys; an empty side is unbounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl Range {
    pub(super) fn everything() -> Range {
        Range {
            start: Vec::new(),
            end: Vec::new(),
        }
    }

    pub(super) fn holds(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && (self.end.is_empty() || key < self.end.as_slice())
    }

    /// `start_key` and `end_key` of an object, hexadecimal; absent is unbounded.
    pub(super) fn of_json(object: &Map<String, Value>) -> Result<Range, Problem> {
        Ok(Range {
            start: hex_field(object, "start_key")?,
            end: hex_field(object, "end_key")?,
        })
    }

    /// Writes the range into an object, in lower case as PD does for rules.
    pub(super) fn into_json(self, object: &mut Map<String, Value>) {
        object.insert("start_key".to_owned(), hex::encode(self.start).into());
        object.insert("end_key".to_owned(), hex::encode(self.end).into());
    }

    /// The physical ranges of a tenant's range, in key order.
    pub(super) fn parts(&self, keyspace: &Keyspace) -> Result<Vec<Range>, Problem> {
        let (start, end) = (LogicalKey(&self.start), LogicalKey(&self.end));
        let image = keyspace.encode_range(Form::Encoded, start, end)?;
        let parts = image.into_parts().into_iter();
        Ok(parts.map(|(start, end)| Range { start, end }).collect())
    }

    /// What a tenant sees of a physical range.
    pub(super) fn clipped(&self, keyspace: &Keyspace) -> Result<Option<Range>, Problem> {
        let mut seen = Range::everything();
        let visibility = keyspace.clip_region(
            Form::Encoded,
            &self.start,
            &self.end,
            &mut seen.start,
            &mut seen.end,
        );
        match visibility {
            Ok(Visibility::Visible) => Ok(Some(seen)),
            Ok(Visibility::Invisible) => Ok(None),
            Err(_) => Err(Problem::bad_answer("a key bound that is not encoded")),
        }
    }
}

fn hex_field(object: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Problem> {
    let text = match object.get(name) {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(Problem::BadRequest(format!("{name} is not a string"))),
    };
    hex::decode(text).map_err(|_| Problem::BadRequest(format!("{name} is not hexadecimal")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_side_holds_everything_on_it() {
        let range = |start: &[u8], end: &[u8]| Range {
            start: start.to_vec(),
            end: end.to_vec(),
        };
        assert!(Range::everything().holds(b"") && Range::everything().holds(b"x"));
        assert!(range(b"b", b"d").holds(b"b") && range(b"b", b"").holds(b"z"));
        assert!(!range(b"b", b"d").holds(b"d") && !range(b"b", b"d").holds(b"a"));
    }
}
