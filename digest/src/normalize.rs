//! TiDB's normalized form of a statement: literals become `?`, lists of them `...`, names stand
//! in backquotes, comments are gone.
//!
//! The text is built while the tokens come, in one buffer; taking back the last tokens, which the
//! list rules do, shortens it. What must stay true: the text equals TiDB's, byte for byte, for any
//! input, in the default dialect. The rules look at texts, not at kinds of tokens, so a name
//! `` `,` `` counts as a comma for them. That is kept, and told by [`Normalizer::is_exact`].

mod history;

use history::{Entry, History, Mark, Role};

use crate::dialect::Dialect;
use crate::keywords::{is_function_keyword, is_keyword};
use crate::lexer::{Lexer, Reader, is_name_byte};
use crate::lowercase::append_lowercase;
use crate::token::{Token, TokenKind};

/// What the charset introducers `_utf8` and the like may name; TiDB knows these.
const CHARSETS: [&[u8]; 8] = [
    b"ascii", b"binary", b"gb18030", b"gbk", b"latin1", b"utf8", b"utf8mb3", b"utf8mb4",
];

/// Buffers above this are given back before the next statement.
const RETAINED_BYTES: usize = 64 << 10;

/// Longest string, in lower case, that any rule could compare with one of its words.
const SHORT: usize = 64;

/// Builds normalized statements in buffers that are used again.
#[derive(Debug, Default)]
pub(crate) struct Normalizer {
    history: History,
    buffer: Vec<u8>,
    lower: Vec<u8>,
    complete: bool,
    exact: bool,
}

impl Normalizer {
    /// The normalized form of `sql`. Memory grows with the number of tokens that stay in it.
    pub(crate) fn normalize(&mut self, sql: &[u8], dialect: Dialect) -> &[u8] {
        self.history.clear(RETAINED_BYTES);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.shrink_to(RETAINED_BYTES);
        self.lower.clear();
        self.lower.shrink_to(RETAINED_BYTES);
        self.complete = true;
        self.exact = true;
        let mut lexer = Lexer::new(sql, dialect, Reader::Digester, &mut buffer);
        while self.step(&mut lexer, sql) {}
        self.buffer = buffer;
        self.text()
    }

    pub(crate) fn text(&self) -> &[u8] {
        self.history.text()
    }

    /// Whether the lexer reached the end. Otherwise the text shows only what comes before
    /// something that the server's parser will refuse.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the text shows everything but literals, comments and index hints. A name or a
    /// string that the rules took for syntax can make other parts vanish from the text.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    /// `false`: nothing is left.
    fn step(&mut self, lexer: &mut Lexer<'_>, sql: &[u8]) -> bool {
        let mut token = lexer.next();
        match token.kind {
            TokenKind::End => return false,
            TokenKind::Invalid => {
                self.complete = false;
                return false;
            }
            TokenKind::Unclosed => self.complete = false,
            _ if token.start + 1 == sql.len() && sql.last() == Some(&b';') => return false,
            _ => {}
        }
        self.exact &= !is_glued_number(sql, &token);
        self.read_lower(lexer, &token);
        let mark = Mark::of(&self.lower);
        if mark == Mark::Index && self.history.last_mark() == Some(Mark::IndexVerb) {
            if self.skip_index_hint(lexer, &token) {
                return true;
            }
            self.exact = false;
        }
        if self.lower == b"straight_join" {
            self.lower.truncate(0);
            self.lower.extend_from_slice(b"join");
        }
        match self.literal(&token, mark) {
            Some(entry) => {
                self.history.push_literal(entry);
                return true;
            }
            None => token.kind = self.resolve(lexer, &token),
        }
        self.push(token.kind, mark);
        true
    }

    fn read_lower(&mut self, lexer: &Lexer<'_>, token: &Token) {
        self.lower.clear();
        let text = lexer.text(token);
        if token.kind != TokenKind::String || text.len() <= SHORT {
            append_lowercase(text, &mut self.lower);
        }
    }

    /// `use index (…)`: takes the verb back and reads up to the bracket. The server does so for
    /// any tokens of these texts; only words can be a hint, and only names can stand in one.
    fn skip_index_hint(&mut self, lexer: &mut Lexer<'_>, index: &Token) -> bool {
        self.exact &= index.kind == TokenKind::Word && self.history.last_is_word();
        loop {
            let token = lexer.next();
            if token.kind.ends_input() {
                self.complete = false;
                return false;
            }
            if lexer.text(&token) == b")" {
                self.exact &= token.kind == TokenKind::Operator;
                self.history.pop(1);
                return true;
            }
            let text = lexer.text(&token);
            self.exact &= match token.kind {
                TokenKind::QuotedName => true,
                TokenKind::Word => !text.eq_ignore_ascii_case(b"select"),
                TokenKind::Operator => matches!(text, b"(" | b","),
                _ => false,
            };
        }
    }

    /// What a literal becomes; `None` if the token is none, or one that stays as it is.
    fn literal(&mut self, token: &Token, mark: Mark) -> Option<Entry> {
        let null_word = token.kind == TokenKind::Word && self.lower == b"null";
        if mark == Mark::Star {
            return self.star(token);
        }
        if !token.kind.is_literal() && !null_word {
            return None;
        }
        if token.kind.is_number() && self.history.ends_with_sign() {
            self.history.pop(1);
        }
        let list = [2, 4]
            .into_iter()
            .find(|length| self.history.ends_with_list(*length));
        if let Some(length) = list {
            self.exact &= self.history.list_is_syntax(length);
            self.history.pop(length);
            return Some(Entry::LIST);
        }
        if token.kind == TokenKind::Integer && self.history.is_in_order_or_group_by() {
            return None;
        }
        Some(Entry::ONE)
    }

    /// `count(*)`. A string or a name whose text is a star counts too.
    fn star(&mut self, token: &Token) -> Option<Entry> {
        let last = self.history.last_mark();
        if token.kind == TokenKind::String {
            self.exact &= !matches!(last, Some(Mark::Select | Mark::Open));
        }
        (last == Some(Mark::Open)).then_some(Entry::ONE)
    }

    /// Whether a word is a name, a keyword or a charset.
    fn resolve(&self, lexer: &Lexer<'_>, token: &Token) -> TokenKind {
        if token.kind != TokenKind::Word {
            return token.kind;
        }
        let word = self.lower.as_slice();
        if word
            .strip_prefix(b"_")
            .is_some_and(|name| CHARSETS.contains(&name))
        {
            return TokenKind::NationalPrefix;
        }
        let keyword =
            || is_keyword(word) || lexer.peek() == Some(b'(') && is_function_keyword(word);
        if !lexer.touches_dot(token) && keyword() {
            return TokenKind::Operator;
        }
        TokenKind::Word
    }

    fn push(&mut self, kind: TokenKind, mark: Mark) {
        let (before, after): (&[u8], &[u8]) = match kind {
            TokenKind::UserVariable => (b"@", b""),
            TokenKind::Word | TokenKind::QuotedName => (b"`", b"`"),
            _ => (b"", b""),
        };
        let text = match kind {
            TokenKind::NationalPrefix => b"(_charset)",
            _ => self.lower.as_slice(),
        };
        let role = match kind {
            TokenKind::Word | TokenKind::Operator => Role::Syntax,
            _ => Role::Quoted,
        };
        self.history
            .push(Entry::new(mark, role), [before, text, after]);
    }
}

/// Whether the parser reads `.1e5` as a part of the name before it, where the digester reads a
/// number and then shows none of it.
fn is_glued_number(sql: &[u8], token: &Token) -> bool {
    let byte = |at: Option<usize>| at.and_then(|at| sql.get(at)).copied();
    token.kind.is_number()
        && byte(Some(token.start)) == Some(b'.')
        && byte(token.start.checked_sub(1))
            .is_some_and(|before| is_name_byte(before) || matches!(before, b'`' | b'"'))
}
