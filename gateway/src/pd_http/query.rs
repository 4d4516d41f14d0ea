//! Query strings whose values are bytes: PD's clients put encoded keys into them unchanged but for
//! URL escaping, so values are no text.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};

use super::problem::Problem;

/// A query's names and values, in order.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, Vec<u8>)>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Query {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (
                    String::from_utf8_lossy(&unescaped(name)).into_owned(),
                    unescaped(value),
                )
            });
        Query {
            pairs: pairs.collect(),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(held, _)| held == name)
    }

    /// First value of a name; empty when there is none, as in PD.
    pub(super) fn bytes(&self, name: &str) -> &[u8] {
        let found = self.pairs.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_slice()).unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(name))
    }

    /// All values of a name, escaped again: `&name=value` for each.
    pub(super) fn repeated(&self, name: &str) -> String {
        let same = self.pairs.iter().filter(|(held, _)| held == name);
        same.map(|(_, value)| format!("&{name}={}", escaped(value)))
            .collect()
    }

    /// A key: raw bytes, or hexadecimal digits when the query says `format=hex`.
    pub(super) fn key(&self, name: &str) -> Result<Vec<u8>, Problem> {
        self.key_in_format(self.bytes(name))
    }

    /// [`Query::key`] of bytes that came another way.
    pub(super) fn key_in_format(&self, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
        if self.bytes("format") == b"hex" {
            return hex::decode(bytes).map_err(|_| bad_hex());
        }
        Ok(bytes.to_vec())
    }

    /// A key in hexadecimal digits.
    pub(super) fn hex_key(&self, name: &str) -> Result<Vec<u8>, Problem> {
        hex::decode(self.bytes(name)).map_err(|_| bad_hex())
    }
}

/// Undoes Go's `url.QueryEscape`.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).collect()
}

/// Bytes fit for a path segment or a query value.
pub(super) fn escaped(bytes: &[u8]) -> String {
    percent_encode(bytes, NON_ALPHANUMERIC).to_string()
}

fn bad_hex() -> Problem {
    Problem::BadRequest("a key is not hexadecimal".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_survive_escaping(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let query = Query::parse(&format!("limit=3&key={}&count", escaped(&value)));
            prop_assert_eq!(query.bytes("key"), value.as_slice());
            prop_assert_eq!(query.text("limit"), "3");
            prop_assert!(query.has("count") && !query.has("end_key"));
        }

        #[test]
        fn any_query_parses(query in ".{0,60}") {
            Query::parse(&query);
        }
    }

    #[test]
    fn gos_escaping_is_understood() {
        assert_eq!(unescaped("t%80%00+%2B"), b"t\x80\x00 +");
        let query = Query::parse("format=hex&key=7480&state=0&state=1");
        assert_eq!(query.key("key").unwrap(), [0x74, 0x80]);
        assert_eq!(query.repeated("state"), "&state=0&state=1");
        assert!(Query::parse("format=hex&key=7").key("key").is_err());
    }
}
