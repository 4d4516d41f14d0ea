//! The order-keeping byte encoding of region boundaries and PD keys.
//!
//! ```text
//! raw bytes      in groups of 8, the last one padded with 00
//! each group     8 bytes, marker = FF - number of padding bytes
//! last group     always padded: a raw length that is a multiple of 8 adds a group of padding
//! ""          -> 00 00 00 00 00 00 00 00 F7
//! ```
//!
//! One raw key has exactly one encoding. Decoding accepts that one only: a lenient decoder would
//! let two byte strings name one key, and order between them would be lost.

/// Raw bytes per group.
const GROUP: usize = 8;
/// Marker of a group without padding.
const FULL: u8 = 0xFF;
/// Bytes of the timestamp that the engine puts after an encoded key.
const TIMESTAMP: usize = 8;

/// Why bytes are not an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Ends before a padded group.
    #[error("cut short")]
    Truncated,
    /// A marker that stands for more padding than a group has.
    #[error("bad marker")]
    Marker,
    /// Padding that is not zero.
    #[error("bad padding")]
    Padding,
    /// Bytes after the last group.
    #[error("trailing bytes")]
    Trailing,
}

/// Length of the encoding of `raw_len` bytes.
pub const fn encoded_len(raw_len: usize) -> usize {
    (raw_len / GROUP + 1) * (GROUP + 1)
}

/// Appends the encoding of `raw` to `out`.
pub fn encode(raw: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_len(raw.len()));
    let mut groups = Groups::new(out);
    groups.push(raw);
    groups.finish();
}

/// Appends the raw bytes of the encoding that `encoded` starts with; tells how many bytes it takes.
///
/// # Errors
/// [`Malformed`]; `out` is left as it was.
pub fn decode(encoded: &[u8], out: &mut Vec<u8>) -> Result<usize, Malformed> {
    let extent = measure(encoded)?;
    out.reserve(extent.raw_len);
    let mut left = extent.raw_len;
    for group in encoded.chunks(GROUP + 1) {
        let taken = left.min(GROUP);
        out.extend_from_slice(group.get(..taken).unwrap_or_default());
        left -= taken;
        if left == 0 {
            break;
        }
    }
    Ok(extent.encoded_len)
}

/// [`decode`] that wants `encoded` to be one encoding and nothing more.
///
/// # Errors
/// [`Malformed`]; `out` is left as it was.
pub fn decode_exact(encoded: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    measure_exact(encoded)?;
    decode(encoded, out).map(drop)
}

/// [`decode`] of an engine key: the encoding may be followed by eight timestamp bytes, which are
/// returned as they are.
///
/// # Errors
/// [`Malformed`]; `out` is left as it was.
pub fn decode_versioned(
    encoded: &[u8],
    out: &mut Vec<u8>,
) -> Result<Option<[u8; TIMESTAMP]>, Malformed> {
    let extent = measure(encoded)?;
    let suffix = encoded.get(extent.encoded_len..).unwrap_or_default();
    let timestamp = match suffix.len() {
        0 => None,
        _ => Some(suffix.try_into().map_err(|_| Malformed::Trailing)?),
    };
    decode(encoded, out)?;
    Ok(timestamp)
}

/// How far an encoding reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    raw_len: usize,
    encoded_len: usize,
}

/// Checks the encoding that `encoded` starts with.
fn measure(encoded: &[u8]) -> Result<Extent, Malformed> {
    let mut whole_groups = 0;
    let mut groups = encoded.chunks_exact(GROUP + 1);
    loop {
        let Some((marker, bytes)) = groups.next().and_then(<[u8]>::split_last) else {
            return Err(Malformed::Truncated);
        };
        if *marker == FULL {
            whole_groups += 1;
            continue;
        }
        let used = last_group_used(bytes, *marker)?;
        return Ok(Extent {
            raw_len: whole_groups * GROUP + used,
            encoded_len: (whole_groups + 1) * (GROUP + 1),
        });
    }
}

/// Raw bytes in the last group.
fn last_group_used(bytes: &[u8], marker: u8) -> Result<usize, Malformed> {
    let padding = usize::from(FULL - marker);
    let used = GROUP.checked_sub(padding).ok_or(Malformed::Marker)?;
    let padded_with_zero = bytes.iter().skip(used).all(|byte| *byte == 0);
    if padded_with_zero {
        Ok(used)
    } else {
        Err(Malformed::Padding)
    }
}

/// Raw length of `encoded`, which must be one encoding and nothing more.
pub(crate) fn measure_exact(encoded: &[u8]) -> Result<usize, Malformed> {
    let extent = measure(encoded)?;
    if extent.encoded_len != encoded.len() {
        return Err(Malformed::Trailing);
    }
    Ok(extent.raw_len)
}

/// Appends the encoding of `head` and then the raw bytes of `encoded` from `skip` on, without a
/// decoded copy in between. `encoded` has been measured and holds `raw_len` raw bytes.
pub(crate) fn splice(encoded: &[u8], raw_len: usize, skip: usize, head: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_len(head.len() + raw_len.saturating_sub(skip)));
    let mut groups = Groups::new(out);
    groups.push(head);
    let mut begin = 0;
    for group in encoded.chunks(GROUP + 1) {
        let from = skip.saturating_sub(begin).min(GROUP);
        let to = raw_len.saturating_sub(begin).min(GROUP);
        groups.push(group.get(from..to).unwrap_or_default());
        begin += GROUP;
    }
    groups.finish();
}

/// Writer of groups; remembers how full the open one is.
struct Groups<'a> {
    out: &'a mut Vec<u8>,
    open: usize,
}

impl<'a> Groups<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Groups { out, open: 0 }
    }

    fn push(&mut self, mut raw: &[u8]) {
        while !raw.is_empty() {
            let (now, later) = raw.split_at(raw.len().min(GROUP - self.open));
            self.out.extend_from_slice(now);
            self.open += now.len();
            if self.open == GROUP {
                self.out.push(FULL);
                self.open = 0;
            }
            raw = later;
        }
    }

    fn finish(self) {
        const PADDING: [(u8, &[u8]); GROUP] = [
            (FULL - 8, &[0; 8]),
            (FULL - 7, &[0; 7]),
            (FULL - 6, &[0; 6]),
            (FULL - 5, &[0; 5]),
            (FULL - 4, &[0; 4]),
            (FULL - 3, &[0; 3]),
            (FULL - 2, &[0; 2]),
            (FULL - 1, &[0; 1]),
        ];
        // `open` is below GROUP between pushes, so there is always an entry.
        if let Some((marker, padding)) = PADDING.get(self.open) {
            self.out.extend_from_slice(padding);
            self.out.push(*marker);
        }
    }
}
