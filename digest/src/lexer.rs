//! TiDB's lexer, as far as bytes go: which token starts where, and what its text is.
//!
//! Every oddity of the server's lexer is kept, because digests show them and because a firewall
//! that reads a statement otherwise than the server can be led past. One pass, no allocation per
//! token; comments are skipped in a loop, so no statement can exhaust the stack.
//!
//! There are two readers of the same text in TiDB, and both are here ([`Reader`]): the digester
//! takes hints for comments and knows no context; the parser keeps hints, and reads what follows
//! `name.` as a name even if it starts with a digit.

mod comment;
mod number;
mod quoted;

use crate::dialect::Dialect;
use crate::token::{Text, Token, TokenKind};

/// Which of TiDB's two readers is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Digester,
    Parser,
}

/// Longest text of a string that the digester looks at: it compares strings with short words
/// only. Letters of up to four bytes lower to the letters of those words.
const DIGESTED_STRING: usize = 64;

pub(crate) struct Lexer<'s> {
    sql: &'s [u8],
    at: usize,
    dialect: Dialect,
    reader: Reader,
    in_executable_comment: bool,
    after_name_before_dot: bool,
    buffer: &'s mut Vec<u8>,
}

impl<'s> Lexer<'s> {
    pub(crate) fn new(
        sql: &'s [u8],
        dialect: Dialect,
        reader: Reader,
        buffer: &'s mut Vec<u8>,
    ) -> Self {
        Self {
            sql,
            at: 0,
            dialect,
            reader,
            in_executable_comment: false,
            after_name_before_dot: false,
            buffer,
        }
    }

    /// The next token; [`TokenKind::End`] for ever at the end.
    pub(crate) fn next(&mut self) -> Token {
        loop {
            self.skip_while(is_space);
            let start = self.at;
            let Some(byte) = self.peek() else {
                return self.token(TokenKind::End, start, Text::NONE);
            };
            if let Some(token) = self.scan(start, byte) {
                return self.in_context(token);
            }
        }
    }

    /// The text of the token returned last.
    pub(crate) fn text(&self, token: &Token) -> &[u8] {
        match token.text {
            Text::Source(from, to) => self.sql.get(from..to).unwrap_or_default(),
            Text::Buffer => self.buffer,
            Text::Fixed(text) => text.as_bytes(),
        }
    }

    /// Whether a dot before or after makes the word a part of a name, and so never a keyword.
    /// Only spaces may separate it from a dot before, nothing from one after, as in TiDB; after
    /// is where the lexer is now, even if it has read on from the word.
    pub(crate) fn touches_dot(&self, word: &Token) -> bool {
        let before = self.sql.get(..word.start).unwrap_or_default();
        self.peek() == Some(b'.') || before.iter().rev().find(|byte| **byte != b' ') == Some(&b'.')
    }

    /// The byte that is read next.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.byte_at(self.at)
    }

    /// `None`: a comment, skipped.
    fn scan(&mut self, start: usize, byte: u8) -> Option<Token> {
        Some(match byte {
            b'/' => return self.slash(start),
            b'*' => return self.star(start),
            b'-' => return self.dash(start),
            b'#' => {
                self.skip_line();
                return None;
            }
            b'@' => self.variable(start),
            b'x' | b'X' => self.prefixed(start, TokenKind::Hex, |b| b.is_ascii_hexdigit()),
            b'b' | b'B' => self.prefixed(start, TokenKind::Bit, is_binary_digit),
            b'n' | b'N' => self.national(start),
            b'.' => self.dot(start),
            b'0'..=b'9' => self.number(start),
            b'`' => self.quoted_name(start),
            b'\'' | b'"' => self.string(start, byte, self.string_limit()),
            _ if is_name_byte(byte) => self.word(start),
            _ => self.operator(start),
        })
    }

    /// What the parser adds to the digester's reading.
    fn in_context(&mut self, mut token: Token) -> Token {
        if token.kind == TokenKind::String
            && self.dialect.ansi_quotes
            && self.byte_at(token.start) == Some(b'"')
        {
            token.kind = TokenKind::QuotedName;
        }
        if self.reader == Reader::Parser
            && matches!(token.kind, TokenKind::Word | TokenKind::QuotedName)
        {
            self.after_name_before_dot = self.peek() == Some(b'.');
        }
        token
    }

    fn word(&mut self, start: usize) -> Token {
        self.skip_while(is_name_byte);
        self.source(TokenKind::Word, start)
    }

    /// `x'…'` and `b'…'`; a word otherwise.
    fn prefixed(&mut self, start: usize, kind: TokenKind, digit: fn(u8) -> bool) -> Token {
        if self.byte_at(start + 1) != Some(b'\'') {
            return self.word(start);
        }
        self.at = start + 2;
        self.skip_while(digit);
        if self.peek() != Some(b'\'') {
            return self.token(TokenKind::Invalid, start, Text::NONE);
        }
        self.at += 1;
        self.source(kind, start)
    }

    fn national(&mut self, start: usize) -> Token {
        let word = self.word(start);
        if self.at == start + 1 && self.peek() == Some(b'\'') {
            return self.token(TokenKind::NationalPrefix, start, Text::Fixed("utf8"));
        }
        word
    }

    fn operator(&mut self, start: usize) -> Token {
        let rest = self.sql.get(start..).unwrap_or_default();
        let (kind, length) = match rest {
            [b'<', b'=', b'>', ..] => (TokenKind::Operator, 3),
            [b'|', b'|', ..]
            | [b'&', b'&' | b'^', ..]
            | [b':' | b'>' | b'!', b'=', ..]
            | [b'<', b'=' | b'>' | b'<', ..]
            | [b'>', b'>', ..] => (TokenKind::Operator, 2),
            [b'\\', b'N', ..] => (TokenKind::Null, 2),
            [b'?', ..] => (TokenKind::Parameter, 1),
            [byte, ..] if b"+><()[];,&%:|!^~\\={}".contains(byte) => (TokenKind::Operator, 1),
            _ => (TokenKind::Invalid, 0),
        };
        self.at = start + length;
        self.source(kind, start)
    }

    fn string_limit(&self) -> usize {
        match self.reader {
            Reader::Digester => DIGESTED_STRING,
            Reader::Parser => usize::MAX,
        }
    }

    fn token(&self, kind: TokenKind, start: usize, text: Text) -> Token {
        let end = self.at;
        Token {
            kind,
            start,
            end,
            text,
        }
    }

    fn source(&self, kind: TokenKind, start: usize) -> Token {
        self.token(kind, start, Text::Source(start, self.at))
    }

    fn byte_at(&self, at: usize) -> Option<u8> {
        self.sql.get(at).copied()
    }

    fn rest(&self) -> &'s [u8] {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !wanted(*byte));
        self.at += length.unwrap_or(rest.len());
    }

    /// To the line's end, which stays.
    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }
}

/// The server asks for Latin-1 spaces, byte by byte: the last two are halves of UTF-8 characters.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0x85 | 0xa0)
}

pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

fn is_binary_digit(byte: u8) -> bool {
    matches!(byte, b'0' | b'1')
}
