//! What an administrator writes.

use crate::statement::name_of;
use crate::{Effect, Kind, ParseDigestError};

/// What the firewall does with its findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Mode {
    /// Nothing is looked at.
    #[default]
    Off,
    /// Everything passes; the caller hands what the inspector saw to a [`super::Recorder`].
    Record,
    /// Everything passes; verdicts tell what would have been blocked.
    Detect,
    /// What the policy is against is blocked.
    Enforce,
}

/// What a rule, or the lack of one, means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Action {
    /// It passes, unless another rule denies it.
    Allow,
    /// It doesn't pass, whatever other rules say.
    #[default]
    Deny,
}

/// A firewall's configuration.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Policy {
    /// What is done with findings.
    pub mode: Mode,
    /// What happens to statements that no rule matches.
    pub default_action: Action,
    /// The most statements that one text may hold, those inside others counted.
    pub max_statements: usize,
    /// Rules in any order: one that denies wins over all that allow.
    pub rules: Vec<Rule>,
}

impl Default for Policy {
    /// Off; enforcing, it would deny everything.
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            default_action: Action::Deny,
            max_statements: 64,
            rules: Vec::new(),
        }
    }
}

/// A rule: all of its criteria that aren't empty must match, each by any of its entries.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Rule {
    /// Shown in verdicts, logs and metrics.
    pub name: String,
    /// What it means if it matches.
    pub action: Action,
    /// Digests, as TiDB shows them.
    pub digests: Vec<String>,
    /// Kinds. `EXPLAIN ANALYZE` and `TRACE` are what they run, too.
    pub kinds: Vec<Kind>,
    /// Objects as `schema.name`, `schema.*` or `*.name`. Denying, a name anywhere in the
    /// statement matches, a column's too; allowing, every object that was found must be listed.
    pub objects: Vec<String>,
    /// Effects, such as writing a file.
    pub effects: Vec<Effect>,
    /// Regular expressions over the normalized text, in which literals are `?` and comments gone.
    pub patterns: Vec<String>,
    /// Names of optimizer hints, `*` for any. Allowing, no criterion but a limit: a statement with
    /// other hints isn't allowed.
    pub hints: Vec<String>,
}

/// What is wrong with a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A rule without a criterion would match everything.
    #[error("rule {rule:?} has no criterion; use the default action to match everything")]
    Empty {
        /// The rule's name.
        rule: String,
    },
    /// A digest is none.
    #[error("rule {rule:?}: {digest:?}: {source}")]
    Digest {
        /// The rule's name.
        rule: String,
        /// The text.
        digest: String,
        /// What is wrong with it.
        source: ParseDigestError,
    },
    /// An object isn't written as `schema.name`.
    #[error("rule {rule:?}: {object:?} isn't schema.name, schema.* or *.name")]
    Object {
        /// The rule's name.
        rule: String,
        /// The text.
        object: String,
    },
    /// A regular expression isn't one, or is too large.
    #[error("rule {rule:?}: {source}")]
    Pattern {
        /// The rule's name.
        rule: String,
        /// What is wrong.
        source: regex::Error,
    },
}

impl PolicyError {
    pub(super) fn digest(rule: &str, digest: &str) -> impl FnOnce(ParseDigestError) -> Self {
        let (rule, digest) = (rule.to_owned(), digest.to_owned());
        move |source| Self::Digest {
            rule,
            digest,
            source,
        }
    }
}

/// Objects that a rule means: `schema.name`, either of which may be `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPattern {
    schema: Option<String>,
    name: Option<String>,
}

impl ObjectPattern {
    /// Reads `schema.name`; `None` if it isn't that, or stands for everything.
    pub fn parse(text: &str) -> Option<Self> {
        let (schema, name) = text.split_once('.')?;
        let part = |part: &str| (part != "*").then(|| name_of(part.as_bytes()));
        let pattern = Self {
            schema: part(schema),
            name: part(name),
        };
        let empty = schema.is_empty() || name.is_empty() || name.contains('.');
        let everything = pattern.schema.is_none() && pattern.name.is_none();
        (!empty && !everything).then_some(pattern)
    }

    /// Whether an object found in a statement is meant, for certain.
    pub(super) fn is(&self, schema: Option<&str>, name: &str) -> bool {
        let same_schema = match (&self.schema, schema) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => ours == theirs,
        };
        same_schema && self.name.as_ref().is_none_or(|ours| ours == name)
    }

    /// Whether a name in a statement may mean it: `name`, perhaps behind `before.`, in a session
    /// whose schema is `current`.
    pub(super) fn may_be(&self, before: Option<&str>, name: &str, current: Option<&str>) -> bool {
        let in_schema = |ours: &str| match (before, current) {
            (Some(before), _) => ours == before,
            (None, Some(current)) => ours == current,
            (None, None) => true,
        };
        match (&self.schema, &self.name) {
            (Some(schema), Some(ours)) => ours == name && in_schema(schema),
            (None, Some(ours)) => ours == name,
            // The schema itself is named, or a bare name may be one of its tables.
            (Some(schema), None) => schema == name || before.is_none() && in_schema(schema),
            (None, None) => true,
        }
    }
}
