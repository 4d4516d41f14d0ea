//! Free text in errors: storage servers print keys into it, in several notations. The text stays
//! readable and keeps the phrases that clients match on; what may be a physical key goes.
//!
//! Cut are: runs of twelve or more hex digits, lists of numbers in brackets (Rust's debug form of
//! bytes), and backslash escapes (Go's and Rust's quoted forms), each replaced by one `?`.

/// Shorter runs are counters and ids of error codes, not keys: the shortest key that TiDB writes
/// has nine bytes.
const HEX_RUN: usize = 12;

/// The shortest key with a tenant in it, `t` and a table id. What is shorter may be the bound of a
/// range, but among hex digits it may as well be a number.
const SHORTEST_KEY: usize = 9;

/// Appends `text` to `out` without key dumps.
pub fn scrub(text: &[u8], out: &mut Vec<u8>) {
    cut(text, out, |_, _| true);
}

/// As [`scrub`], for text that also quotes the tenant's own values, such as an evaluation's error:
/// of lists, hex digits and escapes only those go that begin as a physical key of TiDB does.
pub fn scrub_keys(text: &[u8], out: &mut Vec<u8>) {
    cut(text, out, |before, dump| match dump.first() {
        Some(b'[') => begins_a_key(&listed(dump)),
        Some(b'\\') => {
            let quoted = before.last().copied().into_iter();
            begins_a_key(&quoted.chain(unescaped(dump)).collect::<Vec<u8>>())
        }
        _ => {
            let whole = dump.get(..dump.len() & !1).unwrap_or_default();
            let bytes = hex::decode(whole).unwrap_or_default();
            bytes.len() >= SHORTEST_KEY && begins_a_key(&bytes)
        }
    });
}

/// Whether bytes begin as a row's, an index's or a meta key does, or are a bound of a tenant's,
/// perhaps behind the `z` that a store puts before what it keeps.
fn begins_a_key(bytes: &[u8]) -> bool {
    let key = bytes.strip_prefix(b"z").unwrap_or(bytes);
    matches!(
        key,
        [b't', 0x80..=0xFF, _, ..] | [b'm', 0x01, _, _, ..] | [b'x' | b'r', 0, _, _, ..]
    )
}

/// Copies `text`, with a `?` for each dump of which `goes` says so, given what stands before it.
fn cut(text: &[u8], out: &mut Vec<u8>, goes: impl Fn(&[u8], &[u8]) -> bool) {
    let mut rest = text;
    while let Some(first) = rest.first() {
        let (length, dump) = match *first {
            b'[' => dump_of(number_list(rest)),
            b'\\' => dump_of(escapes(rest)),
            byte if byte.is_ascii_hexdigit() => {
                let run = hex_run(rest);
                (run, run >= HEX_RUN)
            }
            _ => (1, false),
        };
        let (word, after) = rest.split_at(length.min(rest.len()));
        if dump && goes(out, word) {
            out.push(b'?');
        } else {
            out.extend_from_slice(word);
        }
        rest = after;
    }
}

/// How much to take at once, and whether it is a dump: what is none is taken byte by byte.
fn dump_of(length: usize) -> (usize, bool) {
    (length.max(1), length > 0)
}

/// The numbers of a list as bytes; none when one isn't a byte.
fn listed(list: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(list);
    let numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|it| !it.is_empty());
    let bytes: Result<Vec<u8>, _> = numbers.map(str::parse).collect();
    bytes.unwrap_or_default()
}

/// The bytes of a run of escapes, octal or hexadecimal, and of what is printed between them.
fn unescaped(run: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = run;
    while let Some((first, tail)) = rest.split_first() {
        let (digits, radix, skipped) = match (*first, tail.first()) {
            (b'\\', Some(b'x')) => (2, 16, 1),
            (b'\\', Some(b'0'..=b'7')) => (3, 8, 0),
            _ => (0, 0, 0),
        };
        let digits = tail.get(skipped..skipped + digits).unwrap_or_default();
        let number = std::str::from_utf8(digits).ok();
        let number = number.and_then(|text| u8::from_str_radix(text, radix.max(2)).ok());
        bytes.push(number.unwrap_or(*first));
        let taken = number.map_or(0, |_| skipped + digits.len());
        rest = tail.get(taken..).unwrap_or_default();
    }
    bytes
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
    use super::{scrub, scrub_keys};

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

    #[test]
    fn values_stay_where_only_keys_go() {
        let told = |text: &str| {
            let mut out = Vec::new();
            scrub_keys(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        for value in [
            "BIGINT UNSIGNED value is out of range in '(18446744073709551615 + 1)'",
            "Invalid JSON text: '[116, 12, 1]' and [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
            "Incorrect string value '\\xE4\\xBD\\xA0\\xE5\\xA5\\xBD\\xE4\\xBD\\xA0' for column 'c'",
            "[300 128 1 0 0 0 0 27 89]",
            "BIGINT value is out of range in '(748012345678 + 9223372036854775807)'",
        ] {
            assert_eq!(told(value), value);
        }
        let list = "range [116 128 1 0 0 0 0 27 89 95 114] [122, 109, 1, 0, 1, 68, 66, 0, 0, 0] x";
        assert_eq!(told(list), "range ? ? x");
        assert_eq!(told("bounds [109 1 0 2] [116 128 2]"), "bounds ? ?");
        assert_eq!(told("key 7480010000000000055F72 not"), "key ? not");
        assert_eq!(told("key 7a6D0100024442000000000000F8"), "key ?");
        assert_eq!(
            told(r#"key "t\200\001\000\000\000\000\000p_r""#),
            r#"key "t?""#
        );
        assert_eq!(told(r"t\x80\x01\x00\x00\x00\x00\x00p_r"), "t?");
    }
}
