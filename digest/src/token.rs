//! What the lexer tells about a piece of SQL text.

/// One token. `start..end` is its place in the statement; the text is asked from the lexer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: Text,
}

/// Where a token's text is, quotes and escapes removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Source(usize, usize),
    /// In the lexer's buffer, until the next token.
    Buffer,
    Fixed(&'static str),
}

impl Text {
    /// TiDB's lexer gives some tokens no text at all, and its digests show that.
    pub(crate) const NONE: Self = Self::Fixed("");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    End,
    /// What TiDB's lexer refuses. Its digester stops here, its parser reports an error.
    Invalid,
    /// A comment without an end. TiDB's digester takes it for a token without text.
    Unclosed,
    /// A bare word: a name or a keyword.
    Word,
    /// A name in backquotes, or in double quotes with `ANSI_QUOTES`.
    QuotedName,
    String,
    Integer,
    Decimal,
    Float,
    Hex,
    Bit,
    /// `?`
    Parameter,
    /// `\N`
    Null,
    /// `@name`
    UserVariable,
    /// `@@name`
    SystemVariable,
    /// `N` before a string.
    NationalPrefix,
    /// `/*+ … */`, when the lexer is asked for hints.
    Hint,
    Operator,
}

impl TokenKind {
    pub(crate) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Integer | Self::Decimal | Self::Float | Self::Hex
        )
    }

    pub(crate) fn is_literal(self) -> bool {
        self.is_number()
            || matches!(
                self,
                Self::String | Self::Bit | Self::Parameter | Self::Null
            )
    }

    pub(crate) fn ends_input(self) -> bool {
        matches!(self, Self::End | Self::Invalid | Self::Unclosed)
    }
}
