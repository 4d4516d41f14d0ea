//! Which statements may pass: one verdict for texts, prepared statements and everything inside
//! them.
//!
//! The statement is read as the server will read it ([`crate::Dialect`]), its comments gone and
//! its literals replaced, so rules see what runs and not how it is spelled. What must stay true:
//!
//! - enforcing, what can't be read, can't be classified or is hidden from the firewall (a
//!   `PREPARE` from a variable, a digest that doesn't stand for its whole text) is blocked;
//! - a rule that denies looks at more than needed, one that allows at less: a name anywhere in
//!   the statement is denied, an allowed list must hold all objects that were found;
//! - one blocked statement blocks its whole text.

mod inspector;
mod policy;
mod recorder;
mod rule;

pub use inspector::Inspector;
pub use policy::{Action, Mode, ObjectPattern, Policy, PolicyError, Rule};
pub use recorder::{Learned, Recorder};

use inspector::{Inspected, Subject};
use rule::CompiledRule;

use crate::{Dialect, Digest};

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The text of `COM_QUERY` or of `COM_STMT_PREPARE`, whole.
    pub sql: &'a [u8],
    /// How the session's server reads it.
    pub dialect: Dialect,
    /// The session's current schema, if it is known. While it isn't, a name without a schema
    /// counts as one of every schema.
    pub schema: Option<&'a str>,
}

/// What is to be done with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is against it, or nobody asked.
    Pass,
    /// It would be blocked, but the firewall only watches.
    Detected,
    /// It must not reach the server.
    Blocked,
}

/// Why a request isn't simply passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The server's lexer would refuse the text, or text goes on behind a comment or a string
    /// without an end.
    #[error("the text can't be read as SQL")]
    Unreadable,
    /// The first word is none that starts a statement.
    #[error("the kind of statement isn't known")]
    UnknownKind,
    /// A `PREPARE` whose text isn't in the statement.
    #[error("what would be prepared can't be seen")]
    HiddenText,
    /// A name or a string that TiDB's digest takes for syntax hides a part of the statement.
    #[error("the digest doesn't stand for the whole statement")]
    AmbiguousDigest,
    /// More statements in one text, or deeper inside each other, than the policy allows.
    #[error("the text holds too many statements")]
    TooManyStatements,
    /// The rule that the verdict names denies it.
    #[error("a rule denies it")]
    Denied,
    /// No rule allows it, and the policy denies by default.
    #[error("no rule allows it")]
    NotAllowed,
}

/// The answer for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'f> {
    /// What to do.
    pub decision: Decision,
    /// Why, unless it passes.
    pub reason: Option<Reason>,
    /// The name of the rule that denied it, or that allowed its only statement.
    pub rule: Option<&'f str>,
    /// The digest of the statement that decided; none of a text that can't be read.
    pub digest: Option<Digest>,
}

/// A policy, ready to judge. Shared by all sessions; what is needed per session is in the
/// [`Inspector`].
#[derive(Debug)]
pub struct Firewall {
    mode: Mode,
    default_action: Action,
    max_statements: usize,
    /// Those that deny first.
    rules: Vec<CompiledRule>,
    wants_names: bool,
}

/// What one statement came to.
struct Finding<'f> {
    reason: Option<Reason>,
    rule: Option<&'f str>,
}

impl Firewall {
    /// Compiles `policy`, or says what is wrong with it.
    pub fn new(policy: Policy) -> Result<Self, PolicyError> {
        let mut rules = policy
            .rules
            .into_iter()
            .map(CompiledRule::new)
            .collect::<Result<Vec<_>, _>>()?;
        rules.sort_by_key(|rule| rule.action() != Action::Deny);
        let wants_names = rules.iter().any(CompiledRule::denies_objects);
        Ok(Self {
            mode: policy.mode,
            default_action: policy.default_action,
            max_statements: policy.max_statements,
            rules,
            wants_names,
        })
    }

    /// What the firewall does with its findings.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Judges `request`. The only way in: for texts, for prepares, and for what they hold.
    pub fn verdict<'f>(&'f self, inspector: &mut Inspector, request: &Request<'_>) -> Verdict<'f> {
        if self.mode == Mode::Off {
            inspector.clear();
            return self.pass(None, None);
        }
        let read = inspector.inspect(request, self.max_statements, self.wants_names);
        if let Err(reason) = read {
            return self.against(reason, None, None);
        }
        let mut allowed_by = None;
        for inspected in inspector.inspected() {
            let finding = self.judge(inspected, request.schema);
            if let Some(reason) = finding.reason {
                return self.against(reason, finding.rule, Some(inspected.digest));
            }
            allowed_by = finding.rule;
        }
        match inspector.inspected() {
            [only] => self.pass(allowed_by, Some(only.digest)),
            _ => self.pass(None, None),
        }
    }

    fn judge(&self, inspected: &Inspected, schema: Option<&str>) -> Finding<'_> {
        let subject = Subject { inspected, schema };
        let against = |reason| Finding {
            reason: Some(reason),
            rule: None,
        };
        if let Some(reason) = inspected.hidden {
            return against(reason);
        }
        match self.rules.iter().find(|rule| rule.matches(&subject)) {
            Some(rule) => Finding {
                reason: (rule.action() == Action::Deny).then_some(Reason::Denied),
                rule: Some(rule.name()),
            },
            None if self.default_action == Action::Deny => against(Reason::NotAllowed),
            None => Finding {
                reason: None,
                rule: None,
            },
        }
    }

    fn pass<'f>(&self, rule: Option<&'f str>, digest: Option<Digest>) -> Verdict<'f> {
        Verdict {
            decision: Decision::Pass,
            reason: None,
            rule,
            digest,
        }
    }

    fn against<'f>(
        &self,
        reason: Reason,
        rule: Option<&'f str>,
        digest: Option<Digest>,
    ) -> Verdict<'f> {
        let decision = match self.mode {
            Mode::Off | Mode::Record => Decision::Pass,
            Mode::Detect => Decision::Detected,
            Mode::Enforce => Decision::Blocked,
        };
        Verdict {
            decision,
            reason: Some(reason),
            rule,
            digest,
        }
    }
}
