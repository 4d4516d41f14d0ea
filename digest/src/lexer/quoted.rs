//! Strings, quoted names and variables: where quotes end, which charset and mode decide.

use super::{Lexer, Reader, is_name_byte};
use crate::dialect::Charset;
use crate::token::{Text, Token, TokenKind};

const SCOPES: [&str; 3] = ["global.", "session.", "local."];

impl Lexer<'_> {
    pub(super) fn quoted_name(&mut self, start: usize) -> Token {
        self.quoted(start, TokenKind::QuotedName, b'`', usize::MAX)
    }

    /// Keeps at least the first `limit` bytes of the text.
    pub(super) fn string(&mut self, start: usize, quote: u8, limit: usize) -> Token {
        self.quoted(start, TokenKind::String, quote, limit)
    }

    /// The text is a slice of the statement until an escape or a doubled quote changes it; from
    /// there on it is built in the buffer.
    fn quoted(&mut self, start: usize, kind: TokenKind, quote: u8, limit: usize) -> Token {
        let escape = match (kind, self.dialect.no_backslash_escapes) {
            (TokenKind::String, false) => b'\\',
            // No second byte to stop at.
            _ => quote,
        };
        self.at = start + 1;
        let first = self.at;
        let mut copied = false;
        loop {
            let Some(run) = self.plain_run(quote, escape) else {
                self.at = self.sql.len();
                return self.token(TokenKind::Invalid, start, Text::NONE);
            };
            let (from, stop) = (self.at, self.at + run);
            let next = self.byte_at(stop + 1);
            let closes = self.byte_at(stop) == Some(quote);
            if closes && next != Some(quote) {
                self.at = stop + 1;
                if !copied {
                    return self.token(kind, start, Text::Source(first, stop));
                }
                self.keep(from, stop, limit);
                return self.token(kind, start, Text::Buffer);
            }
            if !copied {
                copied = true;
                self.buffer.clear();
            }
            self.keep(from, stop, limit);
            match (closes, next) {
                (true, _) => self.keep_byte(quote, limit),
                (false, Some(escaped)) => self.unescape(escaped, limit),
                // A backslash at the end escapes nothing and closes nothing.
                (false, None) => {}
            }
            self.at = stop + 2;
        }
    }

    /// Bytes before the next quote or escape that isn't part of a wide character.
    fn plain_run(&self, quote: u8, escape: u8) -> Option<usize> {
        let rest = self.rest();
        let charset = self.dialect.charset;
        if charset == Charset::Plain {
            return memchr::memchr2(quote, escape, rest);
        }
        let mut run = 0;
        loop {
            let text = rest.get(run..)?;
            let byte = *text.first()?;
            if byte == quote || byte == escape {
                return Some(run);
            }
            run += charset.wide_char_len(text).max(1);
        }
    }

    fn keep(&mut self, from: usize, to: usize, limit: usize) {
        let room = limit.saturating_sub(self.buffer.len());
        let text = self.sql.get(from..to).unwrap_or_default();
        let text = text.get(..room).unwrap_or(text);
        self.buffer.extend_from_slice(text);
    }

    fn keep_byte(&mut self, byte: u8, limit: usize) {
        if self.buffer.len() < limit {
            self.buffer.push(byte);
        }
    }

    fn unescape(&mut self, escaped: u8, limit: usize) {
        let byte = match escaped {
            b'n' => b'\n',
            b'0' => 0,
            b'b' => 8,
            b'Z' => 26,
            b'r' => b'\r',
            b't' => b'\t',
            b'%' | b'_' => {
                self.keep_byte(b'\\', limit);
                escaped
            }
            other => other,
        };
        self.keep_byte(byte, limit);
    }

    pub(super) fn variable(&mut self, start: usize) -> Token {
        self.at += 1;
        if self.peek() == Some(b'@') {
            self.at += 1;
            return self.system_variable(start);
        }
        match self.variable_name() {
            Some(name) if name.kind == TokenKind::Invalid => name,
            Some(name) => self.token(TokenKind::UserVariable, start, name.text),
            None => self.token(TokenKind::UserVariable, start, Text::NONE),
        }
    }

    fn system_variable(&mut self, start: usize) -> Token {
        let scope = scope_of(self.rest());
        self.at += scope.len();
        match self.variable_name() {
            // The server takes the byte for a token without moving on, and reads it again.
            None if self.reader == Reader::Digester => {
                self.token(TokenKind::Operator, start, Text::NONE)
            }
            None => self.token(TokenKind::Invalid, start, Text::NONE),
            Some(name) if name.kind == TokenKind::Invalid => name,
            Some(name) if name.kind == TokenKind::Word => {
                self.source(TokenKind::SystemVariable, start)
            }
            Some(name) => {
                if let Text::Source(from, to) = name.text {
                    self.buffer.clear();
                    self.keep(from, to, usize::MAX);
                }
                let prefix = b"@@".iter().chain(scope.as_bytes()).copied();
                self.buffer.splice(..0, prefix);
                self.token(TokenKind::SystemVariable, start, Text::Buffer)
            }
        }
    }

    /// `None`: no name follows, and nothing was read.
    fn variable_name(&mut self) -> Option<Token> {
        let start = self.at;
        match self.peek()? {
            quote @ (b'\'' | b'"') => Some(self.string(start, quote, usize::MAX)),
            b'`' => Some(self.quoted_name(start)),
            byte if is_variable_byte(byte) => {
                self.skip_while(is_variable_byte);
                Some(self.source(TokenKind::Word, start))
            }
            _ => None,
        }
    }
}

fn scope_of(text: &[u8]) -> &'static str {
    let starts = |scope: &&&str| {
        let start = text.get(..scope.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scope.as_bytes()))
    };
    SCOPES.iter().find(starts).copied().unwrap_or_default()
}

fn is_variable_byte(byte: u8) -> bool {
    is_name_byte(byte) || byte == b'.'
}
