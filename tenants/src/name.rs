//! Names of tenants.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A tenant's name: 1 to 63 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
///
/// That is a DNS label, because a name becomes part of host names (`pd.<tenant>.<domain>`), of
/// etcd keys and of Kubernetes objects, and must need no escaping in any of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantName(String);

/// Why a text is no tenant name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTenantName {
    /// No character at all.
    #[error("a tenant's name must not be empty")]
    Empty,
    /// More than [`TenantName::MAX_LEN`] characters.
    #[error("a tenant's name has at most 63 characters, this one has {0}")]
    TooLong(usize),
    /// A character that may not occur where it stands.
    #[error(
        "{0:?} may not stand at position {1} of a tenant's name: lower-case letters, digits and \
         '-' may, and '-' neither first nor last"
    )]
    BadCharacter(char, usize),
}

impl TenantName {
    /// Most characters of a name.
    pub const MAX_LEN: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantName {
    type Err = BadTenantName;

    fn from_str(text: &str) -> Result<Self, BadTenantName> {
        if text.is_empty() {
            return Err(BadTenantName::Empty);
        }
        let length = text.chars().count();
        if length > TenantName::MAX_LEN {
            return Err(BadTenantName::TooLong(length));
        }
        for (index, character) in text.chars().enumerate() {
            let at_edge = index == 0 || index + 1 == length;
            let fits = match character {
                'a'..='z' | '0'..='9' => true,
                '-' => !at_edge,
                _ => false,
            };
            if !fits {
                return Err(BadTenantName::BadCharacter(character, index + 1));
            }
        }
        Ok(TenantName(text.to_owned()))
    }
}

impl TryFrom<String> for TenantName {
    type Error = BadTenantName;

    fn try_from(text: String) -> Result<Self, BadTenantName> {
        text.parse()
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> String {
        name.0
    }
}

impl AsRef<str> for TenantName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_of_the_rule() {
        for good in ["a", "0", "a-b", "a--b", "tenant-1", &"x".repeat(63)] {
            assert_eq!(good.parse::<TenantName>().unwrap().as_str(), good);
        }
        assert_eq!("".parse::<TenantName>(), Err(BadTenantName::Empty));
        assert_eq!(
            "x".repeat(64).parse::<TenantName>(),
            Err(BadTenantName::TooLong(64))
        );
        for (bad, character, position) in [
            ("-a", '-', 1),
            ("a-", '-', 2),
            ("aB", 'B', 2),
            ("a/b", '/', 2),
            ("ü", 'ü', 1),
        ] {
            let expected = Err(BadTenantName::BadCharacter(character, position));
            assert_eq!(bad.parse::<TenantName>(), expected, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_rule_is_that_of_a_dns_label(text in "[a-c0-1A./-]{0,66}") {
            let label = !text.is_empty()
                && text.len() <= 63
                && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !text.starts_with('-')
                && !text.ends_with('-');
            prop_assert_eq!(text.parse::<TenantName>().is_ok(), label);
        }

        #[test]
        fn json_keeps_a_name_and_refuses_a_bad_one(text in ".{0,20}") {
            let json = serde_json::to_string(&text).unwrap();
            let parsed: Result<TenantName, _> = serde_json::from_str(&json);
            prop_assert_eq!(parsed.is_ok(), text.parse::<TenantName>().is_ok());
            if let Ok(name) = parsed {
                prop_assert_eq!(serde_json::to_string(&name).unwrap(), json);
            }
        }
    }
}
