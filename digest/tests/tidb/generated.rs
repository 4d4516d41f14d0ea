//! Generated statements: shapes that the list, sign and hint rules look at, and damaged ones.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::differences;
use super::reference::Reference;

/// Pieces that the rules tell apart, with the traps between them.
const PIECES: &[&str] = &[
    "select",
    "SELECT",
    "from",
    "where",
    "order",
    "group",
    "by",
    "limit",
    "in",
    "is",
    "values",
    "use",
    "force",
    "ignore",
    "index",
    "INDEX",
    "straight_join",
    "null",
    "NULL",
    "\\N",
    "row",
    "as",
    "`use`",
    "`index`",
    "'index'",
    "\"index\"",
    "'*'",
    "`*`",
    "@'*'",
    "`,`",
    "`(`",
    "`)`",
    "')'",
    "`by`",
    "`order`",
    "'null'",
    "null.",
    "count",
    "count(",
    "mid(",
    "sysdate (",
    "translate(",
    "now()",
    "(",
    ")",
    ",",
    "*",
    "+",
    "-",
    "/",
    "=",
    "<",
    ">",
    ">=",
    "<=",
    "<>",
    "!=",
    "<=>",
    ":=",
    "->",
    "->>",
    "||",
    "&&",
    "&^",
    "&",
    "|",
    "!",
    "~",
    "^",
    "%",
    ":",
    ";",
    ";;",
    "{",
    "}",
    "[",
    "]",
    "?",
    "1",
    "-1",
    "+ 1",
    "1.5",
    ".5",
    "5.",
    "1e3",
    "1e",
    "1e+",
    "1.e",
    "1.5e-x",
    "0x1f",
    "0x",
    "0x1.5",
    "0xg",
    "0X1F",
    "0b01",
    "0b",
    "0b12",
    "0b1e",
    "0B1",
    "x'1f'",
    "x'1g'",
    "X'1'",
    "b'01'",
    "b'2'",
    "B'1",
    "n'a'",
    "N'a'",
    "N 'a'",
    "_utf8",
    "_utf8'a'",
    "_UTF8MB3 'a'",
    "_gbk'a'",
    "_latin",
    "_binary",
    "1a",
    "1_",
    "9est",
    "a.1",
    "a.1e5",
    "a.b",
    "a .b",
    "a. b",
    ".select",
    "select.",
    "t.*",
    "@",
    "@a",
    "@A.b",
    "@'a b'",
    "@`x`",
    "@\"y\"",
    "@@",
    "@@a",
    "@@GLOBAL.x",
    "@@session.`x`",
    "@@local.'Y'",
    "@@global.",
    "@@@",
    "@@(",
    "'a'",
    "'a''b'",
    "'a\\'b'",
    "'\\",
    "\"a\"\"b\"",
    "'a",
    "\"",
    "`a``b`",
    "`a",
    "/* c */",
    "/**/",
    "/*/ */",
    "/***/",
    "/* a * / **/",
    "/*",
    "/*!",
    "/*!40101",
    "/*!4010",
    "*/",
    "/*T!",
    "/*T![ttl]",
    "/*T![ttl,placement]",
    "/*T![none]",
    "/*T![",
    "/*T![ttl",
    "/*T![]",
    "/*T x */",
    "/*M! x */",
    "/*+ hint(a) */",
    "/*+",
    "-- c\n",
    "--c",
    "--",
    "--\u{85}",
    "# c\n",
    "#",
    " ",
    "\t",
    "\n",
    "\u{a0}",
    "\u{3000}",
    "é",
    "É",
    "İ",
    "\u{212a}ey",
    "ſelect",
    "表",
    "🥳",
    "\0",
    "\u{7f}",
    "$a",
    "_",
    "__",
    "a$1",
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..3),
        1 => "[a-zA-Z_]{1,8}".prop_map(String::into_bytes),
    ]
}

fn statement() -> impl Strategy<Value = Vec<u8>> {
    let separator = prop_oneof![3 => Just(&b" "[..]), 1 => Just(&b""[..])];
    vec((piece(), separator), 0..24).prop_map(|pieces| {
        let mut text = Vec::new();
        for (piece, separator) in pieces {
            text.extend_from_slice(&piece);
            text.extend_from_slice(separator);
        }
        text
    })
}

fn assert_same(reference: &RefCell<Reference>, texts: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let found = differences(&mut reference.borrow_mut(), texts);
    prop_assert!(found.is_empty(), "{}", found.concat());
    Ok(())
}

#[test]
fn generated_statements_have_the_servers_digest() {
    let reference = RefCell::new(Reference::start("normalize"));
    proptest!(ProptestConfig::with_cases(200), |(texts in vec(statement(), 1..100))| {
        assert_same(&reference, &texts)?;
    });
}

/// One change of a text: bytes taken out, and a piece put in their place.
type Damage = (prop::sample::Index, usize, Vec<u8>);

fn damage(text: &[u8], (at, length, piece): &Damage) -> Vec<u8> {
    let start = at.index(text.len() + 1);
    let end = (start + length).min(text.len());
    [&text[..start], piece, &text[end..]].concat()
}

#[test]
fn damaged_statements_of_the_server_have_its_digest() {
    let corpus = super::reference::corpus();
    let reference = RefCell::new(Reference::start("normalize"));
    let damaged = (
        any::<prop::sample::Index>(),
        vec((any::<prop::sample::Index>(), 0_usize..4, piece()), 1..4),
    );
    proptest!(ProptestConfig::with_cases(200), |(cases in vec(damaged, 1..100))| {
        let texts: Vec<Vec<u8>> = cases
            .iter()
            .map(|(index, damages)| damages.iter().fold(index.get(corpus).clone(), |text, one| damage(&text, one)))
            .collect();
        assert_same(&reference, &texts)?;
    });
}
