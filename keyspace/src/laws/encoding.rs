//! The memcomparable encoding by itself.

use super::{Case, Verdict, ensure, hex, hex_all};
use crate::memcomparable::{
    Malformed, decode, decode_exact, decode_versioned, encode, encoded_len,
};

/// Decoding gives back the raw bytes, whatever follows the encoding.
///
/// # Errors
/// [`super::Broken`].
pub fn encoding_round_trips(case: &Case) -> Verdict {
    for raw in case.logical.iter().chain([&case.noise]) {
        let mut wire = Vec::new();
        encode(raw, &mut wire);
        let (mut back, mut exact, mut versioned) = (Vec::new(), Vec::new(), Vec::new());
        let trailing = [wire.as_slice(), b"12345678"].concat();
        let taken = decode(&trailing, &mut back);
        let timestamp = decode_versioned(&trailing, &mut versioned);
        ensure(
            wire.len() == encoded_len(raw.len()),
            "the length is known before",
            || hex(raw),
        )?;
        ensure(
            taken == Ok(wire.len()) && back == *raw,
            "decoding takes what was encoded",
            || hex_all([raw, &wire, &back]),
        )?;
        ensure(
            timestamp == Ok(Some(*b"12345678")) && versioned == *raw,
            "a timestamp may follow",
            || hex(raw),
        )?;
        let refused = decode_exact(&trailing, &mut exact) == Err(Malformed::Trailing);
        ensure(
            refused && exact.is_empty(),
            "exact decoding wants nothing to follow",
            || hex(raw),
        )?;
        let cut = wire.get(..wire.len() - 1).unwrap_or_default();
        ensure(
            decode(cut, &mut exact).is_err(),
            "a cut encoding is none",
            || hex(raw),
        )?;
    }
    Ok(())
}

/// Encodings sort as raw bytes do.
///
/// # Errors
/// [`super::Broken`].
pub fn encoding_keeps_order(case: &Case) -> Verdict {
    for (a, b) in case.logical_pairs() {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        encode(a, &mut one);
        encode(b, &mut two);
        ensure(
            one.cmp(&two) == a.cmp(b),
            "encodings sort as raw bytes do",
            || hex_all([a, b]),
        )?;
    }
    Ok(())
}

/// What decodes is the one encoding of what it decodes to: no second spelling of a key.
///
/// # Errors
/// [`super::Broken`].
pub fn encoding_is_unique(case: &Case) -> Verdict {
    let mut spellings = vec![case.noise.clone()];
    for (index, raw) in case.logical.iter().enumerate() {
        let mut wire = Vec::new();
        encode(raw, &mut wire);
        let flip = case.noise.get(index).copied().unwrap_or(1);
        let position = usize::from(flip) % wire.len();
        if let Some(byte) = wire.get_mut(position) {
            *byte ^= flip | 1;
        }
        spellings.push(wire);
    }
    for wire in spellings {
        let (mut raw, mut again) = (Vec::new(), Vec::new());
        let Ok(taken) = decode(&wire, &mut raw) else {
            ensure(
                raw.is_empty(),
                "a refused encoding leaves no output",
                || hex(&wire),
            )?;
            continue;
        };
        encode(&raw, &mut again);
        ensure(
            wire.get(..taken) == Some(&again),
            "a key has one spelling",
            || hex(&wire),
        )?;
    }
    Ok(())
}
