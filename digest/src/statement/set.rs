//! What a `SET` assigns, for a proxy that follows the state of its sessions.

use super::objects::name_of;
use super::piece::{self, Piece, Punctuation};
use super::word::Word;
use crate::token::TokenKind;
use crate::{Dialect, Unreadable};

/// Whose variable is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The session's, by `SET name`, `SET SESSION name`, `SET @@name`.
    Session,
    /// The server's, by `SET GLOBAL name` and `SET PERSIST name`.
    Global,
    /// The next transaction's or nobody's variable: `SET TRANSACTION`, `SET ROLE` and others
    /// that assign no variable; the name is the word after `SET`.
    Other,
    /// `SET @name`
    User,
}

/// One assignment of a `SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Whose it is.
    pub scope: Scope,
    /// The name in lower case without `@`; `names` for `SET NAMES` and `charset` for
    /// `SET CHARACTER SET`.
    pub name: String,
    /// The value, if it is one literal, word or variable (told with its `@`); quotes removed.
    pub value: Option<String>,
}

/// The assignments of the `SET` that `sql` is; nothing for other statements.
pub fn assignments(sql: &[u8], dialect: Dialect) -> Result<Vec<Assignment>, Unreadable> {
    let mut parser = SetParser::default();
    piece::read(sql, dialect, &mut Vec::new(), |piece, _| parser.see(&piece))?;
    Ok(parser.finish())
}

#[derive(Debug, Default)]
struct SetParser {
    state: State,
    scope: Option<Scope>,
    name: String,
    value: Option<String>,
    value_tokens: usize,
    depth: usize,
    found: Vec<Assignment>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Target,
    /// After a name: `=`, `:=`, or a value at once (`SET NAMES utf8`).
    Named,
    Value,
    /// Another statement, or the end.
    Done,
}

impl SetParser {
    fn see(&mut self, piece: &Piece<'_>) {
        match self.state {
            _ if piece.kind == TokenKind::Hint => {}
            State::Start if piece.word == Word::Set => self.state = State::Target,
            State::Start | State::Done => self.state = State::Done,
            _ if piece.mark == Punctuation::Semicolon => {
                self.complete();
                self.state = State::Done;
            }
            State::Target => self.target(piece),
            State::Named => self.named(piece),
            State::Value => self.value(piece),
        }
    }

    fn finish(mut self) -> Vec<Assignment> {
        self.complete();
        self.found
    }

    fn target(&mut self, piece: &Piece<'_>) {
        let text = name_of(piece.text);
        match (piece.kind, piece.word) {
            (_, Word::Global | Word::Persist) => self.scope = Some(Scope::Global),
            (_, Word::Session | Word::Local) => self.scope = Some(Scope::Session),
            (_, Word::Character) => {}
            (TokenKind::UserVariable, _) => self.begin(Scope::User, text),
            (TokenKind::SystemVariable, _) => {
                let name = text.trim_start_matches('@');
                let (scope, name) = match name.split_once('.') {
                    Some(("global", name)) => (Scope::Global, name),
                    Some(("session" | "local", name)) => (Scope::Session, name),
                    _ => (Scope::Session, name),
                };
                self.begin(scope, name.to_owned());
            }
            (TokenKind::Word | TokenKind::QuotedName, word) => {
                let (scope, name) = match word {
                    Word::Names => (Scope::Session, "names".to_owned()),
                    // The second word of `CHARACTER SET`.
                    Word::Charset | Word::Set => (Scope::Session, "charset".to_owned()),
                    Word::Transaction
                    | Word::Role
                    | Word::Password
                    | Word::Default
                    | Word::Resource => (Scope::Other, text),
                    _ => (self.scope.unwrap_or(Scope::Session), text),
                };
                self.begin(scope, name);
            }
            _ => self.begin(Scope::Other, text),
        }
    }

    fn begin(&mut self, scope: Scope, name: String) {
        self.scope = Some(scope);
        self.name = name;
        self.value = None;
        self.value_tokens = 0;
        self.state = State::Named;
    }

    fn named(&mut self, piece: &Piece<'_>) {
        self.state = State::Value;
        if !matches!(piece.mark, Punctuation::Equal | Punctuation::Assign) {
            self.value(piece);
        }
    }

    fn value(&mut self, piece: &Piece<'_>) {
        match piece.mark {
            Punctuation::Open => self.depth += 1,
            Punctuation::Close => self.depth = self.depth.saturating_sub(1),
            Punctuation::Comma if self.depth == 0 => {
                self.complete();
                self.state = State::Target;
                return;
            }
            _ => {}
        }
        self.value_tokens += 1;
        // `SET NAMES utf8mb4 COLLATE …` has a value and a tail.
        if self.value_tokens == 1 {
            let text = String::from_utf8_lossy(piece.text);
            self.value = Some(match piece.kind {
                TokenKind::UserVariable => format!("@{text}"),
                _ => text.into_owned(),
            });
        } else if self.name != "names" {
            self.value = None;
        }
    }

    fn complete(&mut self) {
        if matches!(self.state, State::Named | State::Value) {
            self.found.push(Assignment {
                scope: self.scope.take().unwrap_or(Scope::Session),
                name: std::mem::take(&mut self.name),
                value: self.value.take(),
            });
        }
        self.depth = 0;
    }
}
