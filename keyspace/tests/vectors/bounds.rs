//! Ranges, positions and lower bounds, table mode.

use super::*;

fn range(form: Form, reverse: bool, start: &[u8], end: &[u8]) -> (Parts, String, String) {
    let (mut s, mut e) = (Vec::new(), Vec::new());
    let parts = table(3)
        .encode_range_into(form, reverse, start, end, &mut s, &mut e)
        .unwrap();
    (parts, hex(&s), hex(&e))
}

#[test]
fn table_ranges_go_over_the_seam() {
    let shown = |parts, s: &str, e: &str| (parts, s.to_owned(), e.to_owned());
    for (start, end, forward, reverse) in [
        (
            "",
            "",
            shown(Parts::Two, "6d010003", "6d010004"),
            shown(Parts::Two, "748003", "748004"),
        ),
        (
            "6d",
            "6e",
            shown(Parts::One, "6d010003", "6d010004"),
            shown(Parts::One, "6d010003", "6d010004"),
        ),
        (
            "74",
            "75",
            shown(Parts::One, "748003", "748004"),
            shown(Parts::One, "748003", "748004"),
        ),
        (
            "6d4442",
            "748000000000000005",
            shown(Parts::Two, "6d0100034442", "6d010004"),
            shown(Parts::Two, "748003", "748003000000000005"),
        ),
        (
            "6e",
            "74",
            shown(Parts::Zero, "6d010004", "6d010004"),
            shown(Parts::Zero, "6d010004", "6d010004"),
        ),
        (
            "75",
            "",
            shown(Parts::Zero, "748004", "748004"),
            shown(Parts::Zero, "748004", "748004"),
        ),
        (
            "",
            "61",
            shown(Parts::Zero, "6d010003", "6d010003"),
            shown(Parts::Zero, "6d010003", "6d010003"),
        ),
        // Start above end: nothing, at the start.
        (
            "748000000000000005",
            "6d",
            shown(Parts::Zero, "748003000000000005", "748003000000000005"),
            shown(Parts::Zero, "748003000000000005", "748003000000000005"),
        ),
    ] {
        assert_eq!(
            range(RAW, false, &unhex(start), &unhex(end)),
            forward,
            "{start}..{end}"
        );
        assert_eq!(
            range(RAW, true, &unhex(start), &unhex(end)),
            reverse,
            "{start}..{end} reverse"
        );
    }
}

#[test]
fn encoded_bounds() {
    let row = unhex(ROW_E);
    let (parts, start, end) = range(ENCODED, false, &row, b"");
    assert_eq!(parts, Parts::One);
    assert_eq!(
        start,
        "7480030000000000ff055f728000000000ff0000010000000000fa"
    );
    assert_eq!(end, "7480040000000000fa");
    // E("t 80") has zero padding where a table id would be: it is the bare bound, not a row.
    let (_, start, _) = range(ENCODED, false, &e(b"t\x80"), b"");
    assert_eq!(start, hex(&e(&unhex("748003"))));
    // E("") is the first position, not an absent bound.
    assert_eq!(range(ENCODED, false, b"", &e(b"")).0, Parts::Zero);
    let (parts, start, _) = range(ENCODED, false, &e(b""), b"");
    assert_eq!((parts, start), (Parts::Two, hex(&e(&unhex("6d010003")))));
    let (mut s, mut t) = (vec![1], vec![2]);
    let outcome = table(3).encode_range_into(ENCODED, false, b"t", b"", &mut s, &mut t);
    assert!(matches!(outcome, Err(KeyError::Malformed { .. })));
    assert_eq!((s, t), (vec![1], vec![2]));
}

#[test]
fn positions() {
    let tenant = table(3);
    let at = |key: &[u8]| {
        let mut out = Vec::new();
        (tenant.locate(RAW, key, &mut out).unwrap(), hex(&out))
    };
    let end = |key: &[u8]| {
        let mut out = Vec::new();
        tenant
            .locate_end(RAW, key, &mut out)
            .unwrap()
            .then(|| hex(&out))
    };
    assert_eq!(at(b""), (Position::At, "6d010003".to_owned()));
    assert_eq!(at(b"mA"), (Position::At, "6d01000341".to_owned()));
    assert_eq!(at(b"n"), (Position::PastEnd, "6d010004".to_owned()));
    assert_eq!(at(b"t"), (Position::At, "748003".to_owned()));
    assert_eq!(at(b"u"), (Position::PastEnd, "748004".to_owned()));
    assert_eq!(end(b""), Some("748004".to_owned()));
    assert_eq!(end(b"t"), Some("6d010004".to_owned()));
    assert_eq!(end(b"m"), None);
}

#[test]
fn lower_bounds_in_table_mode() {
    let tenant = table(3);
    for (p, bound, logical) in [
        ("", Bound::Key, ""),
        ("6d010003", Bound::Key, ""),
        ("6d01000341", Bound::Key, "6d41"),
        ("6d010004", Bound::Key, "74"),
        ("748002000000000005", Bound::Key, "74"),
        ("748003", Bound::Key, "74"),
        ("748003000000000005", Bound::Key, "748000000000000005"),
        ("748004", Bound::End, ""),
        ("7a", Bound::End, ""),
    ] {
        let mut out = Vec::new();
        assert_eq!(
            tenant.lower_bound(RAW, PhysicalKey(&unhex(p)), &mut out),
            Ok(bound),
            "{p}"
        );
        assert_eq!(hex(&out), logical, "{p}");
    }
}
