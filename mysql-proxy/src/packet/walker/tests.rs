use proptest::prelude::*;

use super::*;
use crate::packet::frame;

/// What a walk saw: lengths and heads of payloads, and ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen(Vec<Option<(usize, Vec<u8>)>>);

impl Visitor for Seen {
    fn begun(&mut self, payload: Begun<'_>) {
        self.0.push(Some((payload.length, payload.head.to_vec())));
    }

    fn ended(&mut self) -> Step {
        self.0.push(None);
        Step::On
    }
}

/// Walks a stream that arrives in pieces of `cut` bytes, keeping what has not passed.
fn in_pieces(stream: &[u8], cut: usize) -> (Seen, usize) {
    let (mut walker, mut seen, mut kept, mut passed) =
        (Walker::default(), Seen::default(), Vec::new(), 0);
    for piece in stream.chunks(cut) {
        kept.extend_from_slice(piece);
        let count = walker.walk(&kept, &mut seen);
        kept.drain(..count);
        passed += count;
        assert!(kept.len() <= HEADER + HEAD, "too much is held back");
    }
    (seen, passed)
}

proptest! {
    #[test]
    fn the_same_payloads_are_seen_however_the_stream_is_cut(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..12),
        cut in 1_usize..40,
    ) {
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(7, payload)).collect();
        let (seen, passed) = in_pieces(&stream, cut);
        let expected = payloads.iter().flat_map(|payload| {
            let head = payload.iter().take(HEAD).copied().collect();
            [Some((payload.len(), head)), None]
        });
        prop_assert_eq!(seen.0, expected.collect::<Vec<_>>());
        prop_assert_eq!(passed, stream.len());
    }

    #[test]
    fn any_bytes_are_walked_the_same_byte_by_byte(stream: Vec<u8>) {
        let whole = in_pieces(&stream, stream.len().max(1));
        prop_assert_eq!(whole, in_pieces(&stream, 1));
    }
}

#[test]
fn a_payload_of_16_mib_is_one_payload_also_when_its_last_packet_is_empty() {
    let mut stream = frame(0, &vec![b'x'; MAX_PAYLOAD]);
    stream.extend(frame(1, &[]));
    stream.extend(frame(0, b"next"));
    let (seen, passed) = in_pieces(&stream, 60_000);
    let lengths: Vec<_> = seen
        .0
        .iter()
        .map(|event| event.as_ref().map(|(length, _)| *length))
        .collect();
    assert_eq!(lengths, [Some(MAX_PAYLOAD), None, Some(4), None]);
    assert_eq!(passed, stream.len());
}
