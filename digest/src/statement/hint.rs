//! Optimizer hints, of the server's and of a router's own.

use super::objects::name_of;

/// `name(arguments)` from `/*+ … */`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The name in lower case.
    pub name: String,
    /// What stands between the brackets, as it is written; empty without brackets.
    pub arguments: String,
}

/// The hints of one comment. What isn't `name` or `name(…)` separates hints.
pub(super) fn hints_in(comment: &[u8], hints: &mut Vec<Hint>) {
    let mut rest = comment
        .get(3..comment.len().saturating_sub(2))
        .unwrap_or_default();
    loop {
        let Some(start) = rest.iter().position(|byte| is_name_byte(*byte)) else {
            return;
        };
        rest = rest.get(start..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is_name_byte(*byte));
        let (name, tail) = rest
            .split_at_checked(length.unwrap_or(rest.len()))
            .unwrap_or_default();
        let (arguments, tail) = bracketed(tail.trim_ascii_start());
        hints.push(Hint {
            name: name_of(name),
            arguments: String::from_utf8_lossy(arguments.trim_ascii()).into_owned(),
        });
        rest = tail;
    }
}

/// What stands in the brackets that `text` starts with, and what follows them.
fn bracketed(text: &[u8]) -> (&[u8], &[u8]) {
    if text.first() != Some(&b'(') {
        return (&[], text);
    }
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (None, b'\'' | b'"' | b'`') => quote = Some(*byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 1 => {
                let inside = text.get(1..at).unwrap_or_default();
                return (inside, text.get(at + 1..).unwrap_or_default());
            }
            (None, b')') => depth -= 1,
            _ => {}
        }
    }
    (text.get(1..).unwrap_or_default(), &[])
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}
