//! Laws of texts under generated input, each for `MESH_FUZZ_SECONDS` (default 5).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::time::Duration;

use mesh_digest::{
    Charset, Classifier, Dialect, Digester, Firewall, Inspector, Kind, Mode, Policy, Request,
    assignments, prepared, split,
};

/// Words and traps; a byte below their number chooses one, others are themselves.
const PIECES: [&str; 48] = [
    "select",
    "from",
    "t",
    "a",
    "where",
    "in",
    "(",
    ")",
    ",",
    "1",
    "'x'",
    "`n`",
    ";",
    "=",
    "-",
    "order",
    "by",
    "group",
    "use",
    "index",
    "values",
    "insert into",
    "set",
    "prepare s from",
    "/*",
    "*/",
    "/*!",
    "/*T!",
    "/*+ h(a) */",
    "-- ",
    "#",
    "\n",
    "\"",
    "'",
    "`",
    "\\",
    "@",
    "@@",
    ".",
    "*",
    "?",
    "0x",
    "1e",
    "x'",
    "n'",
    "_utf8",
    "null",
    "\u{85}",
];

fn budget() -> Duration {
    let seconds = std::env::var("MESH_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(5, |text| {
        text.parse().expect("MESH_FUZZ_SECONDS is whole seconds")
    });
    Duration::from_secs(seconds)
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in bytes {
        match PIECES.get(usize::from(*byte) % 96) {
            Some(piece) => {
                text.extend_from_slice(piece.as_bytes());
                if byte % 3 != 0 {
                    text.push(b' ');
                }
            }
            None => text.push(*byte),
        }
    }
    text
}

fn dialect(byte: u8) -> Dialect {
    Dialect {
        ansi_quotes: byte & 1 != 0,
        no_backslash_escapes: byte & 2 != 0,
        charset: [Charset::Plain, Charset::Gbk, Charset::Gb18030][usize::from(byte >> 2) % 3],
    }
}

fn fuzz(law: impl Fn(&[u8], Dialect) + std::panic::RefUnwindSafe) {
    bolero::check!()
        .with_type::<(u8, bool, Vec<u8>)>()
        .with_test_time(budget())
        .for_each(|(mode, raw, bytes)| {
            let text = if *raw { bytes.clone() } else { text(bytes) };
            law(&text, dialect(*mode));
        });
}

#[test]
fn nothing_panics_and_every_answer_is_text() {
    let firewall = Firewall::new(Policy {
        mode: Mode::Enforce,
        ..Policy::default()
    })
    .unwrap();
    fuzz(|text, dialect| {
        let mut digester = Digester::new();
        digester.digest_as(text, dialect);
        assert!(digester.normalized().len() <= 5 * text.len() + 16);
        let _ = assignments(text, dialect);
        let _ = prepared(text, dialect);
        let request = Request {
            sql: text,
            dialect,
            schema: None,
        };
        firewall.verdict(&mut Inspector::new(), &request);
    });
}

/// Whether the normalized text says by itself what was normalized: lists, introducers, variables
/// and arrows leave marks that aren't SQL, a backquote in a name isn't doubled, and spaces around
/// a dot decide what is a keyword.
fn is_sql_again(source: &[u8], normalized: &str) -> bool {
    ![".", "(_charset)", "  ", "@", ";"]
        .iter()
        .any(|mark| normalized.contains(mark))
        && normalized.trim() == normalized
        && normalized.bytes().filter(|byte| *byte == b'`').count() % 2 == 0
        && !source.windows(2).any(|pair| pair == b"``")
        && !source.contains(&b'"')
}

#[test]
fn the_normalized_text_normalizes_to_itself() {
    fuzz(|text, _| {
        let mut digester = Digester::new();
        let digest = digester.digest(text);
        let normalized = digester.normalized().to_owned();
        let kept = digester.is_complete() && digester.is_exact();
        if kept && is_sql_again(text, &normalized) {
            let again = digester.digest(normalized.as_bytes());
            assert_eq!(digester.normalized(), normalized);
            assert_eq!(again, digest);
        }
    });
}

#[test]
fn the_pieces_of_a_text_are_the_text() {
    fuzz(|text, dialect| {
        let spans = split(text, dialect);
        let joined: Vec<u8> = spans
            .iter()
            .flat_map(|span| &text[span.clone()])
            .copied()
            .collect();
        assert_eq!(joined, text);
        let Ok(statements) = Classifier::new().classify(text, dialect) else {
            return;
        };
        if !text.is_empty() {
            let told: Vec<_> = statements.iter().map(|one| one.span.clone()).collect();
            assert_eq!(told, spans);
        }
        // A comment that runs over a semicolon is the one thing that pieces don't keep.
        if text
            .windows(3)
            .any(|start| start == b"/*!" || start == b"/*T")
        {
            return;
        }
        for statement in statements {
            let piece = &text[statement.span.clone()];
            let alone = Classifier::new().classify(piece, dialect).unwrap();
            let alone = alone.first().unwrap();
            assert_eq!(
                (alone.kind, &alone.objects, alone.effects),
                (statement.kind, &statement.objects, statement.effects)
            );
            assert!(alone.kind != Kind::Empty || alone.objects.is_empty());
        }
    });
}
