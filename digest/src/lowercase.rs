//! Lower case as TiDB's Go runtime makes it, which digests and names depend on.
//!
//! One character becomes one character (Rust would make two of `İ`), by the tables of Unicode 15
//! (letters that got a lower case later stay), and a byte that is no UTF-8 becomes U+FFFD, each
//! byte its own.

/// Appends `text` in lower case.
pub(crate) fn append_lowercase(text: &[u8], out: &mut Vec<u8>) {
    if text.is_ascii() {
        let start = out.len();
        out.extend_from_slice(text);
        out.get_mut(start..)
            .unwrap_or_default()
            .make_ascii_lowercase();
        return;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let (valid, tail) = valid_prefix(rest);
        for letter in valid.chars() {
            let mut utf8 = [0; 4];
            out.extend_from_slice(lowercase(letter).encode_utf8(&mut utf8).as_bytes());
        }
        rest = match tail {
            [] => tail,
            [_, tail @ ..] => {
                out.extend_from_slice("\u{fffd}".as_bytes());
                tail
            }
        };
    }
}

/// The longest start that is UTF-8, and the rest.
fn valid_prefix(text: &[u8]) -> (&str, &[u8]) {
    let length = match std::str::from_utf8(text) {
        Ok(all) => return (all, &[]),
        Err(error) => error.valid_up_to(),
    };
    let (valid, rest) = text.split_at_checked(length).unwrap_or((text, &[]));
    (std::str::from_utf8(valid).unwrap_or_default(), rest)
}

fn lowercase(letter: char) -> char {
    if letter == '\u{130}' {
        return 'i';
    }
    let mut lower = letter.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) if !is_newer_than_unicode_15(letter) => lower,
        _ => letter,
    }
}

fn is_newer_than_unicode_15(letter: char) -> bool {
    matches!(
        letter,
        '\u{1c89}'
            | '\u{a7cb}'..='\u{a7cc}'
            | '\u{a7ce}'
            | '\u{a7d2}'
            | '\u{a7d4}'
            | '\u{a7da}'
            | '\u{a7dc}'
            | '\u{10d50}'..='\u{10d65}'
            | '\u{16ea0}'..='\u{16eb8}'
    )
}
