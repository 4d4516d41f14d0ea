//! One token of a statement, in the terms of the finders.

use super::word::Word;
use crate::lexer::{Lexer, Reader};
use crate::token::{Token, TokenKind};
use crate::{Dialect, Unreadable};

/// A token with its meaning as a word or a bracket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'t> {
    pub(super) kind: TokenKind,
    pub(super) word: Word,
    pub(super) mark: Punctuation,
    pub(super) text: &'t [u8],
}

impl Piece<'_> {
    /// Whether it can be a name, or a part of one. A keyword can.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::QuotedName)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Punctuation {
    #[default]
    None,
    Open,
    Close,
    Comma,
    Dot,
    Star,
    Equal,
    /// `:=`
    Assign,
    Semicolon,
}

impl Punctuation {
    fn of(token: &Token, text: &[u8]) -> Self {
        if token.kind != TokenKind::Operator {
            return Self::None;
        }
        match text {
            b"(" => Self::Open,
            b")" => Self::Close,
            b"," => Self::Comma,
            b"." => Self::Dot,
            b"*" => Self::Star,
            b"=" => Self::Equal,
            b":=" => Self::Assign,
            b";" => Self::Semicolon,
            _ => Self::None,
        }
    }
}

/// Longest word that any rule knows.
const LONGEST_WORD: usize = 16;

/// Calls `see` with every token and the offset of its end, until the end of the text.
pub(super) fn read(
    sql: &[u8],
    dialect: Dialect,
    buffer: &mut Vec<u8>,
    mut see: impl FnMut(Piece<'_>, usize),
) -> Result<(), Unreadable> {
    let mut lexer = Lexer::new(sql, dialect, Reader::Parser, buffer);
    loop {
        let token = lexer.next();
        match token.kind {
            TokenKind::End => return Ok(()),
            TokenKind::Invalid | TokenKind::Unclosed => {
                return Err(Unreadable {
                    offset: token.start,
                });
            }
            _ => {}
        }
        let text = lexer.text(&token);
        let word = match token.kind {
            TokenKind::Word if lexer.touches_dot(&token) => Word::Other,
            TokenKind::Word => word_of(text),
            _ => Word::None,
        };
        let piece = Piece {
            kind: token.kind,
            word,
            mark: Punctuation::of(&token, text),
            text,
        };
        see(piece, token.end);
    }
}

/// The parser lowers ASCII letters only, whatever else looks like one.
fn word_of(text: &[u8]) -> Word {
    let mut lower = [0; LONGEST_WORD];
    match lower.get_mut(..text.len()) {
        None => Word::Other,
        Some(lower) => {
            lower.copy_from_slice(text);
            lower.make_ascii_lowercase();
            Word::of(lower)
        }
    }
}
