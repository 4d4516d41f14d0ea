//! Ordered fence keys, shared by every law: one key just before, at and just after each place where
//! the mapping changes.

use crate::{Keyspace, Mode};

/// Logical byte strings of every shape, in order.
pub fn logical_ruler() -> Vec<Vec<u8>> {
    let row = |id: [u8; 8], rest: &[u8]| [b"t", id.as_slice(), rest].concat();
    let mut fences: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\0".to_vec(),
        b"a".to_vec(),
        b"l\xff\xff".to_vec(),
        b"m".to_vec(),
        b"m\0".to_vec(),
        b"m\x01\0\x01x".to_vec(),
        b"m\x1f".to_vec(),
        b"m ".to_vec(),
        b"mDB:1\0\0\0\xfc\0\0\0\0\0\0\0H".to_vec(),
        b"mDBs\0\0\0\0\xfb\0\0\0\0\0\0\0h".to_vec(),
        b"mNextGlobalID".to_vec(),
        b"m~\xff\xff".to_vec(),
        b"m\x7f".to_vec(),
        b"m\xff\xff\xff\xff".to_vec(),
        b"n".to_vec(),
        b"r\0\0\x01".to_vec(),
        b"s\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"t".to_vec(),
        b"t\0".to_vec(),
        b"t\x7f\xff".to_vec(),
        b"t\x80".to_vec(),
        b"t\x80\0".to_vec(),
        b"t\x80\0\0\0\0\0\0".to_vec(),
        b"t\x80\x01".to_vec(),
        b"t\x80\x01\0\0\0\0\0\0".to_vec(),
        b"t\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"u".to_vec(),
        b"x\0\0\x01".to_vec(),
        b"y".to_vec(),
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
    ];
    for id in [
        [0x80, 0, 0, 0, 0, 0, 0, 0],
        [0x80, 0, 0, 0, 0, 0, 0, 5],
        [0x80, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    ] {
        for rest in [
            b"".as_slice(),
            b"_i\x80",
            b"_r",
            b"_r\x80\0\0\0\0\0\0\x01",
            b"\xff\xff",
        ] {
            fences.push(row(id, rest));
        }
    }
    fences.sort();
    fences.dedup();
    fences
}

/// Physical byte strings around every bound of the tenant, and the images of the logical ruler.
pub fn physical_ruler(keyspace: &Keyspace) -> Vec<Vec<u8>> {
    let mut fences: Vec<Vec<u8>> = Vec::new();
    for range in &keyspace.ranges() {
        fences.extend(around(&range.start));
        fences.extend(around(&range.end));
    }
    for logical in logical_ruler() {
        fences.extend(image(keyspace, &logical));
        fences.push(logical);
    }
    fences.sort();
    fences.dedup();
    fences
}

/// Byte strings next to a bound.
fn around(bound: &[u8]) -> Vec<Vec<u8>> {
    let mut below = bound.to_vec();
    if let Some(last) = below.iter_mut().rev().find(|byte| **byte > 0) {
        *last -= 1;
    }
    let shorter = bound.split_last().map(|(_, rest)| rest.to_vec());
    let tails = [
        b"".as_slice(),
        b"\0",
        b"A",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    let mut all: Vec<Vec<u8>> = Vec::new();
    for base in [Some(bound.to_vec()), Some(below), shorter]
        .into_iter()
        .flatten()
    {
        all.extend(tails.map(|tail| [base.as_slice(), tail].concat()));
    }
    all
}

/// The image of a logical byte string that lies inside a part, as the layout table has it. Written
/// apart from the codec, so that the two can disagree.
pub(crate) fn image(keyspace: &Keyspace, logical: &[u8]) -> Option<Vec<u8>> {
    let id = keyspace.id().get();
    match (keyspace.mode(), logical) {
        (Mode::Table, [b'm', rest @ ..]) => {
            let tag = u16::try_from(id).ok()?.to_be_bytes();
            Some([b"m\x01", tag.as_slice(), rest].concat())
        }
        (Mode::Table, [b't', 0x80, 0x00, rest @ ..]) => {
            let tag = (u16::try_from(id).ok()? + 0x8000).to_be_bytes();
            Some([b"t", tag.as_slice(), rest].concat())
        }
        (Mode::Table, _) => None,
        (Mode::Keyspace | Mode::Prefix, _) => {
            let range = keyspace.ranges().into_iter().next()?;
            Some([range.start.as_slice(), logical].concat())
        }
    }
}

/// Whether a raw logical key is one that is ever written in the mode.
pub fn is_point_key(mode: Mode, key: &[u8]) -> bool {
    match (mode, key) {
        (_, []) => false,
        (Mode::Keyspace | Mode::Prefix, _) => true,
        (Mode::Table, [b'm', first, ..]) => *first == b' ' || first.is_ascii_graphic(),
        (Mode::Table, [b't', 0x80, 0x00, _, _, _, _, _, _, ..]) => true,
        (Mode::Table, _) => false,
    }
}
