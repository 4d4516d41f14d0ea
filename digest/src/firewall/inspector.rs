//! Takes a request apart into everything that it would run.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Reason, Request};
use crate::statement::{ObjectName, PreparedSource, Statement, prepared};
use crate::{Classifier, Digest, Digester, Kind};

/// `PREPARE` inside `PREPARE` and so on: the server allows none, so one more level is enough to
/// see that there is one.
const MAX_DEPTH: usize = 2;

/// The buffers of one session or one worker, and what was seen of the last request.
#[derive(Debug, Default)]
pub struct Inspector {
    digester: Digester,
    classifier: Classifier,
    inspected: Vec<Inspected>,
}

/// A statement that the request would run, itself or inside another.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) statement: Statement,
    pub(super) digest: Digest,
    pub(super) normalized: String,
    /// Every name in it, with what stands before its dot; empty unless a rule asks for it.
    pub(super) names: Arc<[ObjectName]>,
    /// Why rules can't judge it.
    pub(super) hidden: Option<Reason>,
}

/// A statement in its session.
pub(super) struct Subject<'a> {
    pub(super) inspected: &'a Inspected,
    pub(super) schema: Option<&'a str>,
}

impl Inspector {
    /// An inspector without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn inspected(&self) -> &[Inspected] {
        &self.inspected
    }

    pub(super) fn clear(&mut self) {
        self.inspected.clear();
    }

    /// Reads everything before anything is judged, so that a text is judged as a whole.
    pub(super) fn inspect(
        &mut self,
        request: &Request<'_>,
        max_statements: usize,
        wants_names: bool,
    ) -> Result<(), Reason> {
        self.inspected.clear();
        let mut pending = vec![(Cow::Borrowed(request.sql), 0)];
        while let Some((sql, depth)) = pending.pop() {
            if depth > MAX_DEPTH {
                return Err(Reason::TooManyStatements);
            }
            let mut names = Vec::new();
            let statements = self
                .classifier
                .classify_with(&sql, request.dialect, |schema, name| {
                    if wants_names {
                        names.push(ObjectName {
                            schema: schema.map(str::to_owned),
                            name: name.to_owned(),
                        });
                    }
                })
                .map_err(|_| Reason::Unreadable)?;
            let names: Arc<[ObjectName]> = names.into();
            for statement in statements {
                if statement.kind == Kind::Empty {
                    continue;
                }
                if self.inspected.len() >= max_statements {
                    return Err(Reason::TooManyStatements);
                }
                let text = sql.get(statement.span.clone()).unwrap_or_default();
                let hidden = match inner_text(text, request, &statement)? {
                    Inner::None => None,
                    Inner::Text(inner) => {
                        pending.push((Cow::Owned(inner), depth + 1));
                        None
                    }
                    Inner::Hidden => Some(Reason::HiddenText),
                };
                self.add(text, request, statement, &names, hidden);
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        text: &[u8],
        request: &Request<'_>,
        statement: Statement,
        names: &Arc<[ObjectName]>,
        hidden: Option<Reason>,
    ) {
        let digest = self.digester.digest_as(text, request.dialect);
        let hidden = match statement.kind {
            _ if hidden.is_some() => hidden,
            Kind::Unknown => Some(Reason::UnknownKind),
            _ if !self.digester.is_exact() || !self.digester.is_complete() => {
                Some(Reason::AmbiguousDigest)
            }
            _ => None,
        };
        self.inspected.push(Inspected {
            statement,
            digest,
            normalized: self.digester.normalized().to_owned(),
            names: Arc::clone(names),
            hidden,
        });
    }
}

enum Inner {
    None,
    Text(Vec<u8>),
    Hidden,
}

fn inner_text(text: &[u8], request: &Request<'_>, statement: &Statement) -> Result<Inner, Reason> {
    if statement.kind != Kind::Prepare {
        return Ok(Inner::None);
    }
    let found = prepared(text, request.dialect).map_err(|_| Reason::Unreadable)?;
    Ok(match found.map(|found| found.source) {
        Some(PreparedSource::Text(inner)) => Inner::Text(inner),
        _ => Inner::Hidden,
    })
}
