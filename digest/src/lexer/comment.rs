//! Slashes, stars and dashes: comments that vanish, comments that run, and operators.

use super::{Lexer, Reader, is_name_byte, is_space};
use crate::token::{Text, Token, TokenKind};

/// The features whose `/*T![…] */` the server runs. Text of others is a comment to it.
const FEATURES: [&[u8]; 9] = [
    b"auto_rand",
    b"auto_id_cache",
    b"auto_rand_base",
    b"clustered_index",
    b"force_inc",
    b"placement",
    b"ttl",
    b"global_index",
    b"pre_split",
];

/// `/*!` may be followed by a version of exactly so many digits.
const VERSION_DIGITS: usize = 5;

impl Lexer<'_> {
    pub(super) fn dash(&mut self, start: usize) -> Option<Token> {
        let (length, text) = match self.rest() {
            [b'-', b'-'] => {
                self.skip_line();
                return None;
            }
            [b'-', b'-', third, ..] if is_space(*third) => {
                self.skip_line();
                return None;
            }
            [b'-', b'>', b'>', ..] => (3, Text::NONE),
            [b'-', b'>', ..] => (2, Text::NONE),
            _ => (1, Text::Source(start, start + 1)),
        };
        self.at += length;
        Some(self.token(TokenKind::Operator, start, text))
    }

    pub(super) fn star(&mut self, start: usize) -> Option<Token> {
        self.at += 1;
        if self.in_executable_comment && self.peek() == Some(b'/') {
            self.in_executable_comment = false;
            self.at += 1;
            return None;
        }
        self.after_name_before_dot = false;
        Some(self.source(TokenKind::Operator, start))
    }

    pub(super) fn slash(&mut self, start: usize) -> Option<Token> {
        self.at += 1;
        if self.peek() != Some(b'*') {
            return Some(self.source(TokenKind::Operator, start));
        }
        self.at += 1;
        match self.rest() {
            [b'!', rest @ ..] => {
                let digits = rest.iter().take(VERSION_DIGITS);
                let versioned = digits.filter(|b| b.is_ascii_digit()).count() == VERSION_DIGITS;
                self.at += 1 + if versioned { VERSION_DIGITS } else { 0 };
                self.in_executable_comment = true;
                return None;
            }
            [b'T', b'!', ..] => {
                self.at += 2;
                if self.knows_features() {
                    self.in_executable_comment = true;
                    return None;
                }
            }
            // The star of `/**/` may be the one that closes.
            [b'*', ..] | [] => {}
            _ => self.at += 1,
        }
        self.comment(start)
    }

    fn comment(&mut self, start: usize) -> Option<Token> {
        let rest = self.rest();
        let Some(length) = memchr::memmem::find(rest, b"*/") else {
            self.at += rest.len();
            return Some(self.token(TokenKind::Unclosed, start, Text::NONE));
        };
        self.at += length + 2;
        let hint = self.byte_at(start + 2) == Some(b'+');
        (hint && self.reader == Reader::Parser).then(|| self.source(TokenKind::Hint, start))
    }

    /// Reads `[a,b]`. Without such a list there is no feature to lack, and nothing is read.
    fn knows_features(&mut self) -> bool {
        let Some((known, length)) = feature_list(self.rest()) else {
            return true;
        };
        self.at += length;
        known
    }
}

/// Whether all features of the list are known, and the list's length; `None` if malformed.
fn feature_list(text: &[u8]) -> Option<(bool, usize)> {
    let mut rest = text.strip_prefix(b"[")?;
    let mut known = true;
    loop {
        let length = rest.iter().position(|byte| !is_name_byte(*byte))?;
        let (name, tail) = rest.split_at_checked(length)?;
        if name.is_empty() {
            return None;
        }
        known &= FEATURES.contains(&name);
        match tail {
            [b',', tail @ ..] => rest = tail,
            [b']', tail @ ..] => return Some((known, text.len() - tail.len())),
            _ => return None,
        }
    }
}
