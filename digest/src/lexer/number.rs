//! Numbers, and the names that start like numbers.

use super::{Lexer, is_binary_digit, is_name_byte};
use crate::token::{Text, Token, TokenKind};

impl Lexer<'_> {
    pub(super) fn number(&mut self, start: usize) -> Token {
        if self.after_name_before_dot {
            return self.word(start);
        }
        self.at += 1;
        let mut kind = TokenKind::Integer;
        if self.byte_at(start) == Some(b'0') {
            kind = match self.peek() {
                Some(b'x' | b'X') => self.based(TokenKind::Hex, |b| b.is_ascii_hexdigit()),
                Some(b'b') => self.based(TokenKind::Bit, is_binary_digit),
                Some(b'B') => TokenKind::Word,
                _ => kind,
            };
        }
        if kind != TokenKind::Word {
            self.skip_digits();
            match self.peek() {
                // A fraction after `0x1` makes the server read all of it as a decimal number.
                Some(b'.' | b'e' | b'E') => return self.float(start),
                Some(byte) if is_name_byte(byte) => {}
                _ => return self.source(kind, start),
            }
        }
        self.word(start)
    }

    /// The digits of `0x…` and `0b…`: a name if there are none, or if others follow.
    fn based(&mut self, kind: TokenKind, digit: fn(u8) -> bool) -> TokenKind {
        self.at += 1;
        let first = self.at;
        self.skip_while(digit);
        let broken = self.at == first || self.peek().is_some_and(|byte| byte.is_ascii_digit());
        if broken { TokenKind::Word } else { kind }
    }

    pub(super) fn dot(&mut self, start: usize) -> Token {
        self.at += 1;
        let fraction = self.peek().is_some_and(|byte| byte.is_ascii_digit());
        if self.after_name_before_dot || !fraction {
            return self.source(TokenKind::Operator, start);
        }
        let token = self.float(start);
        if token.kind == TokenKind::Word {
            return self.token(TokenKind::Invalid, start, Text::NONE);
        }
        token
    }

    /// From the number's first byte: digits, a fraction, an exponent. With an exponent that has
    /// no digits it is a word, as far as words go.
    fn float(&mut self, start: usize) -> Token {
        self.at = start;
        self.skip_digits();
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.skip_digits();
        }
        if !matches!(self.peek(), Some(b'e' | b'E')) {
            return self.source(TokenKind::Decimal, start);
        }
        self.at += 1;
        if matches!(self.peek(), Some(b'-' | b'+')) {
            self.at += 1;
        }
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_digits();
            return self.source(TokenKind::Float, start);
        }
        self.at = start;
        self.word(start)
    }

    fn skip_digits(&mut self) {
        self.skip_while(|byte| byte.is_ascii_digit());
    }
}
