//! Regions and buckets, table mode.

use super::*;

fn clip(keyspace: &Keyspace, start: &[u8], end: &[u8]) -> Option<(String, String)> {
    let (mut s, mut t) = (Vec::new(), Vec::new());
    let seen = keyspace
        .clip_region(ENCODED, start, end, &mut s, &mut t)
        .unwrap();
    (seen == Visibility::Visible).then(|| (hex(&s), hex(&t)))
}

#[test]
fn regions_clip_at_bounds_and_seam() {
    let tenant = table(3);
    let (ms, me) = (e(&unhex("6d010003")), e(&unhex("6d010004")));
    let (ts, te) = (e(&unhex("748003")), e(&unhex("748004")));
    let seam = hex(&e(b"t"));
    let pair = |s: &str, t: &str| Some((s.to_owned(), t.to_owned()));
    assert_eq!(clip(&tenant, b"", b""), pair("", ""));
    assert_eq!(clip(&tenant, &ms, &me), pair("", &seam));
    assert_eq!(clip(&tenant, &ts, &te), pair(&seam, ""));
    assert_eq!(clip(&tenant, &me, &ts), None);
    assert_eq!(clip(&tenant, b"", &ms), None);
    assert_eq!(clip(&tenant, &te, b""), None);
    assert_eq!(
        clip(&tenant, &e(&unhex("6d01000341")), b""),
        pair(&hex(&e(b"mA")), "")
    );
    let inside = e(&unhex("748003000000000005"));
    assert_eq!(
        clip(&tenant, b"", &inside),
        pair("", &hex(&e(&unhex("748000000000000005"))))
    );
    // Boundaries of others need not be encodings at all.
    assert_eq!(clip(&tenant, b"a", b"zz"), pair("", ""));
    let mut none = (Vec::new(), Vec::new());
    let bad = unhex("748003000000000105");
    assert!(
        tenant
            .clip_region(ENCODED, &bad, b"", &mut none.0, &mut none.1)
            .is_err()
    );
}

#[test]
fn only_own_regions_are_contained() {
    let tenant = table(3);
    let (ts, te) = (e(&unhex("748003")), e(&unhex("748004")));
    let contains = |s: &[u8], t: &[u8]| tenant.contains_region(ENCODED, s, t).unwrap();
    assert!(contains(&ts, &te));
    assert!(!contains(&ts, b""));
    assert!(!contains(b"", &te));
    assert!(!contains(&e(&unhex("6d010003")), &te));
}

#[test]
fn buckets_are_clipped() {
    let tenant = table(3);
    let keys = [
        e(&unhex("748002000000000009")),
        e(&unhex("748003000000000005")),
        e(&unhex("748003000000000007")),
        e(&unhex("748005")),
        Vec::new(),
    ];
    let mut out = Vec::new();
    tenant.clip_buckets(&keys, &mut out).unwrap();
    let seen: Vec<_> = out.iter().map(|key| hex(key)).collect();
    let inner = |id: &str| hex(&e(&unhex(id)));
    assert_eq!(
        seen,
        [
            hex(&e(b"t")),
            inner("748000000000000005"),
            inner("748000000000000007"),
            String::new()
        ]
    );
    let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let mut again = Vec::new();
    tenant.clip_buckets(slices.as_slice(), &mut again).unwrap();
    assert_eq!(out, again);
}
