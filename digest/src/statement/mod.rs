//! Which statements a text holds, and what each is and does: enough for routing and for rules.
//!
//! One pass of TiDB's parser's lexer in the session's own dialect feeds three finders: kind,
//! effects, objects. Nothing is guessed about text that the server's lexer refuses.

mod effects;
mod hint;
mod kind;
mod objects;
mod piece;
mod prepare;
mod set;
mod word;

use std::ops::Range;

pub use effects::{Effect, Effects};
pub use hint::Hint;
pub use kind::Kind;
pub use objects::ObjectName;
pub(crate) use objects::name_of;
pub use prepare::{PreparedSource, PreparedStatement, prepared};
pub use set::{Assignment, Scope, assignments};

use crate::Dialect;
use crate::token::TokenKind;
use effects::EffectFinder;
use kind::KindFinder;
use objects::ObjectFinder;
use piece::{Piece, Punctuation};

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its bytes, from the end of the statement before it to its `;`, that included; empty
    /// statements before it are a part of it. This is the text of which TiDB makes its digest.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
    /// What it runs besides: the statement that `EXPLAIN ANALYZE` or `TRACE` looks at.
    pub runs: Option<Kind>,
    /// What it does besides what its kind says.
    pub effects: Effects,
    /// Tables, views, sequences and schemas that it names.
    pub objects: Vec<ObjectName>,
    /// The contents of `/*+ … */` anywhere in it. TiDB obeys only those right behind the verb.
    pub hints: Vec<Hint>,
}

impl Statement {
    /// Whether it changes nothing: no rows, no locks, no files, no session.
    pub fn is_read_only(&self) -> bool {
        let reads = |kind| matches!(kind, Kind::Select | Kind::Show | Kind::Explain);
        let changes = [
            Effect::LocksRows,
            Effect::WritesFile,
            Effect::AssignsVariable,
            Effect::CallsSideEffect,
        ];
        reads(self.kind)
            && self.runs.is_none_or(reads)
            && !changes
                .into_iter()
                .any(|effect| self.effects.contains(effect))
    }

    /// Whether it can be sent to another server than the session's own: it changes nothing, and
    /// its answer depends on nothing that only the session's server knows. `SHOW` may tell of the
    /// session (warnings, variables), so it stays.
    pub fn is_movable_read(&self) -> bool {
        self.is_read_only()
            && self.kind == Kind::Select
            && !self.effects.contains(Effect::ReadsSession)
    }
}

/// A text that the server's lexer refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what starts at byte {offset} is no SQL token, or a comment or string without an end")]
pub struct Unreadable {
    /// Where it starts.
    pub offset: usize,
}

/// Splits and classifies texts, with one buffer for all of them.
#[derive(Debug, Default)]
pub struct Classifier {
    buffer: Vec<u8>,
}

impl Classifier {
    /// A classifier without a buffer yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The statements of `sql` in their order; their spans, one after another, are all of it.
    /// What holds no token after the last statement is one of [`Kind::Empty`].
    pub fn classify(&mut self, sql: &[u8], dialect: Dialect) -> Result<Vec<Statement>, Unreadable> {
        self.classify_with(sql, dialect, |_, _| ())
    }

    /// As [`Self::classify`]; `see_name` gets every name and keyword in its place: what stands
    /// before its dot, and itself.
    pub(crate) fn classify_with(
        &mut self,
        sql: &[u8],
        dialect: Dialect,
        mut see_name: impl FnMut(Option<&str>, &str),
    ) -> Result<Vec<Statement>, Unreadable> {
        let mut statements = Vec::new();
        let mut current = Builder::default();
        let mut start = 0;
        let mut names = NameChain::default();
        piece::read(sql, dialect, &mut self.buffer, |piece, end| {
            names.see(&piece, &mut see_name);
            if piece.mark != Punctuation::Semicolon {
                current.see(&piece);
            } else if !current.is_empty() {
                statements.push(std::mem::take(&mut current).finish(start..end));
                start = end;
            }
        })?;
        if start < sql.len() || statements.is_empty() {
            statements.push(current.finish(start..sql.len()));
        }
        Ok(statements)
    }
}

/// The spans of the statements in `sql`; all of it, whatever it holds. What can't be read is one
/// last span.
pub fn split(sql: &[u8], dialect: Dialect) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    let mut empty = true;
    let read = piece::read(sql, dialect, &mut Vec::new(), |piece, end| {
        if piece.mark != Punctuation::Semicolon {
            empty &= piece.kind == TokenKind::Hint;
        } else if !empty {
            spans.push(start..end);
            (start, empty) = (end, true);
        }
    });
    if start < sql.len() || read.is_err() {
        spans.push(start..sql.len());
    }
    spans
}

#[derive(Debug, Default)]
struct Builder {
    kind: KindFinder,
    effects: EffectFinder,
    objects: ObjectFinder,
    hints: Vec<Hint>,
}

impl Builder {
    fn is_empty(&self) -> bool {
        self.kind.found().0 == Kind::Empty
    }

    fn see(&mut self, piece: &Piece<'_>) {
        if piece.kind == TokenKind::Hint {
            hint::hints_in(piece.text, &mut self.hints);
            return;
        }
        self.kind.see(piece);
        self.effects.see(piece);
        self.objects.see(piece);
    }

    fn finish(mut self, span: Range<usize>) -> Statement {
        let (kind, runs) = self.kind.found();
        Statement {
            span,
            kind,
            runs,
            effects: self.effects.found(),
            objects: self.objects.found(),
            hints: self.hints,
        }
    }
}

/// Follows `a.b.c` to tell each name with the one before it.
#[derive(Debug, Default)]
struct NameChain {
    last: Option<String>,
    dot: bool,
}

impl NameChain {
    fn see(&mut self, piece: &Piece<'_>, see_name: &mut impl FnMut(Option<&str>, &str)) {
        if piece.is_name() {
            let name = objects::name_of(piece.text);
            let before = if self.dot { self.last.as_deref() } else { None };
            see_name(before, &name);
            self.last = Some(name);
            self.dot = false;
        } else if piece.kind != TokenKind::Hint {
            self.dot = piece.mark == Punctuation::Dot && self.last.is_some();
            if !self.dot {
                self.last = None;
            }
        }
    }
}
