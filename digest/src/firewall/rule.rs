//! A rule, compiled: what is looked up in sets and one automaton instead of lists.

use std::collections::HashSet;

use regex::RegexSet;

use super::inspector::Subject;
use super::policy::{Action, ObjectPattern, PolicyError, Rule};
use crate::{Digest, Effect, Kind};

#[derive(Debug)]
pub(super) struct CompiledRule {
    name: String,
    action: Action,
    digests: HashSet<Digest>,
    kinds: HashSet<Kind>,
    objects: Vec<ObjectPattern>,
    effects: Vec<Effect>,
    patterns: Option<RegexSet>,
    hints: Vec<String>,
}

impl CompiledRule {
    pub(super) fn new(rule: Rule) -> Result<Self, PolicyError> {
        let empty = rule.digests.is_empty()
            && rule.kinds.is_empty()
            && rule.objects.is_empty()
            && rule.effects.is_empty()
            && rule.patterns.is_empty()
            && (rule.hints.is_empty() || rule.action == Action::Allow);
        if empty {
            return Err(PolicyError::Empty { rule: rule.name });
        }
        Ok(Self {
            digests: digests(&rule)?,
            objects: objects(&rule)?,
            patterns: patterns(&rule)?,
            kinds: rule.kinds.into_iter().collect(),
            effects: rule.effects,
            hints: rule.hints.iter().map(|hint| hint.to_lowercase()).collect(),
            name: rule.name,
            action: rule.action,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn action(&self) -> Action {
        self.action
    }

    pub(super) fn denies_objects(&self) -> bool {
        self.action == Action::Deny && !self.objects.is_empty()
    }

    pub(super) fn matches(&self, subject: &Subject<'_>) -> bool {
        let inspected = subject.inspected;
        (self.digests.is_empty() || self.digests.contains(&inspected.digest))
            && (self.kinds.is_empty() || self.matches_kind(subject))
            && (self.effects.is_empty() || self.matches_effect(subject))
            && self.matches_hints(subject)
            && (self.objects.is_empty() || self.matches_object(subject))
            && self
                .patterns
                .as_ref()
                .is_none_or(|patterns| patterns.is_match(&inspected.normalized))
    }

    fn matches_kind(&self, subject: &Subject<'_>) -> bool {
        let statement = &subject.inspected.statement;
        let listed = |kind| self.kinds.contains(&kind);
        match (self.action, statement.runs) {
            (_, None) => listed(statement.kind),
            (Action::Deny, Some(runs)) => listed(statement.kind) || listed(runs),
            (Action::Allow, Some(runs)) => listed(statement.kind) && listed(runs),
        }
    }

    fn matches_effect(&self, subject: &Subject<'_>) -> bool {
        let effects = subject.inspected.statement.effects;
        match self.action {
            Action::Deny => self.effects.iter().any(|effect| effects.contains(*effect)),
            // Allowing an effect allows no other one.
            Action::Allow => {
                let mut found = effects.iter().peekable();
                found.peek().is_some() && found.all(|effect| self.effects.contains(&effect))
            }
        }
    }

    /// Digests don't show hints, and hints can set variables: what a rule doesn't list, it
    /// doesn't allow.
    fn matches_hints(&self, subject: &Subject<'_>) -> bool {
        let hints = &subject.inspected.statement.hints;
        let listed = |name: &str| self.hints.iter().any(|hint| hint == "*" || hint == name);
        match self.action {
            Action::Deny => self.hints.is_empty() || hints.iter().any(|hint| listed(&hint.name)),
            Action::Allow => hints.iter().all(|hint| listed(&hint.name)),
        }
    }

    fn matches_object(&self, subject: &Subject<'_>) -> bool {
        match self.action {
            Action::Deny => subject.inspected.names.iter().any(|object| {
                self.objects.iter().any(|pattern| {
                    pattern.may_be(object.schema.as_deref(), &object.name, subject.schema)
                })
            }),
            Action::Allow => {
                let objects = &subject.inspected.statement.objects;
                !objects.is_empty()
                    && objects.iter().all(|object| {
                        let schema = object.schema.as_deref().or(subject.schema);
                        self.objects
                            .iter()
                            .any(|pattern| pattern.is(schema, &object.name))
                    })
            }
        }
    }
}

fn digests(rule: &Rule) -> Result<HashSet<Digest>, PolicyError> {
    let digests = rule.digests.iter();
    digests
        .map(|digest| {
            digest
                .parse()
                .map_err(PolicyError::digest(&rule.name, digest))
        })
        .collect()
}

fn objects(rule: &Rule) -> Result<Vec<ObjectPattern>, PolicyError> {
    let objects = rule.objects.iter();
    objects
        .map(|object| {
            ObjectPattern::parse(object).ok_or_else(|| PolicyError::Object {
                rule: rule.name.clone(),
                object: object.clone(),
            })
        })
        .collect()
}

fn patterns(rule: &Rule) -> Result<Option<RegexSet>, PolicyError> {
    if rule.patterns.is_empty() {
        return Ok(None);
    }
    let compiled = RegexSet::new(&rule.patterns).map_err(|source| PolicyError::Pattern {
        rule: rule.name.clone(),
        source,
    })?;
    Ok(Some(compiled))
}
