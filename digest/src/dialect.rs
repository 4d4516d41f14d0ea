//! How a session's settings change what its statements mean.
//!
//! TiDB's digests ignore these settings, its parser doesn't: the same bytes may be one string
//! under one setting and a statement behind a string under another. Whoever judges a statement
//! must read it as the server will.

/// What of a session decides how its statements are read. The default is TiDB's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// `sql_mode` contains `ANSI_QUOTES`: `"a"` is a name, not a string.
    pub ansi_quotes: bool,
    /// `sql_mode` contains `NO_BACKSLASH_ESCAPES`: `\` is an ordinary character in strings.
    pub no_backslash_escapes: bool,
    /// The charset in which the client writes, `character_set_client`.
    pub charset: Charset,
}

impl Dialect {
    /// Whether TiDB's digester, which knows the default dialect only, reads as the parser does.
    pub fn is_default(self) -> bool {
        self == Self::default()
    }

    /// The dialect of a session by its variables, as `SHOW VARIABLES` spells them.
    ///
    /// `ANSI` and the database modes stand for `ANSI_QUOTES` among others, as in the server.
    pub fn from_variables(sql_mode: &str, character_set_client: &str) -> Self {
        let mut dialect = Self {
            charset: Charset::named(character_set_client),
            ..Self::default()
        };
        for mode in sql_mode.split(',') {
            let mode = mode.trim();
            dialect.no_backslash_escapes |= mode.eq_ignore_ascii_case("NO_BACKSLASH_ESCAPES");
            dialect.ansi_quotes |= ANSI_MODES
                .iter()
                .any(|ansi| mode.eq_ignore_ascii_case(ansi));
        }
        dialect
    }
}

const ANSI_MODES: [&str; 7] = [
    "ANSI_QUOTES",
    "ANSI",
    "POSTGRESQL",
    "ORACLE",
    "MSSQL",
    "DB2",
    "MAXDB",
];

/// The client charsets that differ in where a character ends inside quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Charset {
    /// UTF-8 and every charset of one byte per character: no character hides a quote.
    #[default]
    Plain,
    /// `gbk`: the second byte may be a backslash or a backquote.
    Gbk,
    /// `gb18030`: as `gbk`, with characters of four bytes too.
    Gb18030,
}

impl Charset {
    /// The charset of that name. Others than the two are read byte by byte, as TiDB does.
    pub fn named(name: &str) -> Self {
        if name.eq_ignore_ascii_case("gbk") {
            Self::Gbk
        } else if name.eq_ignore_ascii_case("gb18030") {
            Self::Gb18030
        } else {
            Self::Plain
        }
    }

    /// Length of the character of several bytes that `text` starts with; 0 for any other byte.
    pub(crate) fn wide_char_len(self, text: &[u8]) -> usize {
        match (self, text) {
            (Self::Plain, _) => 0,
            (_, [0x81..=0xfe, 0x40..=0x7e | 0x80..=0xfe, ..]) => 2,
            (Self::Gb18030, [0x81..=0xfe, b'0'..=b'9', 0x81..=0xfe, b'0'..=b'9', ..]) => 4,
            _ => 0,
        }
    }
}
