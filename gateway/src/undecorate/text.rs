//! Free text in errors: storage servers print keys into it, in several notations. The text stays
//! readable and keeps the phrases that clients match on; what may be a physical key goes.
//!
//! Cut are: runs of twelve or more hex digits, lists of numbers in brackets (Rust's debug form of
//! bytes), and backslash escapes (Go's and Rust's quoted forms), each replaced by one `?`.

/// Shorter runs are counters and ids of error codes, not keys: the shortest key that TiDB writes
/// has nine bytes.
const HEX_RUN: usize = 12;

/// Appends `text` to `out` without key dumps.
pub fn scrub(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let cut = match *first {
            b'[' => number_list(rest),
            b'\\' => escapes(rest),
            byte if byte.is_ascii_hexdigit() => {
                let run = hex_run(rest);
                if run < HEX_RUN {
                    let (word, after) = rest.split_at(run);
                    out.extend_from_slice(word);
                    rest = after;
                    continue;
                }
                run
            }
            _ => 0,
        };
        if cut == 0 {
            out.push(*first);
            rest = tail;
        } else {
            out.push(b'?');
            rest = rest.get(cut..).unwrap_or_default();
        }
    }
}

fn hex_run(text: &[u8]) -> usize {
    text.iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count()
}

/// Length of `[1, 2, 3]` at the head of `text`, 0 when it is something else.
fn number_list(text: &[u8]) -> usize {
    let inner = text.iter().skip(1);
    let length = inner
        .take_while(|byte| matches!(byte, b'0'..=b'9' | b',' | b' '))
        .count();
    let digits = text.iter().skip(1).take(length).any(u8::is_ascii_digit);
    if digits && text.get(length + 1) == Some(&b']') {
        length + 2
    } else {
        0
    }
}

/// Length of a run that starts with a backslash escape: the escapes and the printable bytes of the
/// same quoted key between them, up to a space or quote.
fn escapes(text: &[u8]) -> usize {
    let escape = text
        .get(1)
        .is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'x' | b'u'));
    if !escape {
        return 0;
    }
    text.iter()
        .take_while(|byte| !matches!(byte, b' ' | b'"' | b'\'' | b',' | b')'))
        .count()
}

#[cfg(test)]
mod tests {
    use super::scrub;

    fn scrubbed(text: &str) -> String {
        let mut out = Vec::new();
        scrub(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn phrases_that_clients_match_on_stay() {
        for phrase in [
            "Deadline is exceeded",
            "start_ts 450123456789 is too large: max-ts",
            "[32] x",
        ] {
            assert!(!scrubbed(phrase).is_empty());
        }
        assert_eq!(scrubbed("Deadline is exceeded"), "Deadline is exceeded");
    }

    #[test]
    fn key_dumps_of_every_notation_go() {
        assert_eq!(scrubbed("key 7480030000000000055F72 not"), "key ? not");
        assert_eq!(scrubbed("key: [116, 128, 3, 0] x"), "key: ? x");
        assert_eq!(scrubbed("key \"t\\200\\000_r\""), "key \"t?\"");
        assert_eq!(scrubbed("no [] here"), "no [] here");
    }
}
