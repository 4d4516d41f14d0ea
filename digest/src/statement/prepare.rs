//! The statement inside a `PREPARE`, which no rule may overlook.

use super::objects::name_of;
use super::piece::{self, Piece};
use super::word::Word;
use crate::token::TokenKind;
use crate::{Dialect, Unreadable};

/// `PREPARE name FROM …`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedStatement {
    /// The statement's name in lower case.
    pub name: String,
    /// What it will run.
    pub source: PreparedSource,
}

/// Where the text of a `PREPARE` comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreparedSource {
    /// The text itself, escapes resolved.
    Text(Vec<u8>),
    /// A user variable, which only the server can read.
    Variable(String),
    /// Anything else.
    Other,
}

/// What `sql` prepares, if it is a `PREPARE`.
pub fn prepared(sql: &[u8], dialect: Dialect) -> Result<Option<PreparedStatement>, Unreadable> {
    let mut seen = 0_usize;
    let mut found = None;
    let mut is_prepare = false;
    piece::read(sql, dialect, &mut Vec::new(), |piece, _| {
        if piece.kind == TokenKind::Hint {
            return;
        }
        seen += 1;
        match (seen, &mut found) {
            (1, _) => is_prepare = piece.word == Word::Prepare,
            (2, found) if is_prepare => {
                *found = Some(PreparedStatement {
                    name: name_of(piece.text),
                    source: PreparedSource::Other,
                });
            }
            // 3 is `FROM`.
            (4, Some(found)) => found.source = source(&piece),
            _ => {}
        }
    })?;
    Ok(found)
}

fn source(piece: &Piece<'_>) -> PreparedSource {
    match piece.kind {
        TokenKind::String => PreparedSource::Text(piece.text.to_vec()),
        TokenKind::UserVariable => PreparedSource::Variable(name_of(piece.text)),
        _ => PreparedSource::Other,
    }
}
