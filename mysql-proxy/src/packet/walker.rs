//! Walks packet boundaries over the bytes of one direction.
//!
//! What must stay true: bytes are never changed, moved or kept; whatever way the stream is cut into
//! reads, the same packets are seen; and what [`Walker::walk`] calls passed may be sent on at once.
//! At most [`HEADER`] + [`HEAD`] bytes at the end of a read are left for the next one, and no peer
//! can use them earlier: they are a part of a packet.

use super::{HEADER, MAX_PAYLOAD, parse_header};

/// Bytes of a payload that decide what a packet is: the longest OK packet up to its status flags.
pub const HEAD: usize = 23;

/// Where in a packet the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Walker {
    /// Payload bytes still to come of the packet begun.
    remaining: usize,
    /// The next packet continues a payload of 16 MiB or more.
    continued: bool,
}

/// What is known of a payload when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun<'a> {
    /// Length of its first packet; [`MAX_PAYLOAD`] when more follow.
    pub length: usize,
    /// Its first bytes, [`HEAD`] at most.
    pub head: &'a [u8],
}

/// Whether to walk on behind a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To the next one.
    On,
    /// Stop here.
    Stop,
}

/// Who is told what passes.
pub trait Visitor {
    /// A payload begins: its first packet's header and head have been read.
    fn begun(&mut self, payload: Begun<'_>);

    /// Its last byte has passed.
    fn ended(&mut self) -> Step;
}

impl Walker {
    /// Whether the stream stands between two payloads.
    #[must_use]
    pub fn between(self) -> bool {
        self.remaining == 0 && !self.continued
    }

    /// Walks over `bytes` and tells `visitor`. Returns how many bytes have passed.
    pub fn walk(&mut self, bytes: &[u8], visitor: &mut impl Visitor) -> usize {
        let mut rest = bytes;
        loop {
            if self.remaining > 0 {
                let passing = self.remaining.min(rest.len());
                rest = rest.get(passing..).unwrap_or_default();
                self.remaining -= passing;
                if self.remaining > 0 || self.ends(visitor) == Step::Stop {
                    break;
                }
            }
            let Some((header, payload)) = rest.split_first_chunk::<HEADER>() else {
                break;
            };
            let (length, _) = parse_header(*header);
            let Some(head) = payload.get(..length.min(HEAD)) else {
                break;
            };
            rest = payload;
            self.begins(length, head, visitor);
            // A packet without payload has passed with its header.
            if length == 0 && self.ends(visitor) == Step::Stop {
                break;
            }
        }
        bytes.len() - rest.len()
    }

    fn begins(&mut self, length: usize, head: &[u8], visitor: &mut impl Visitor) {
        let continuation = self.continued;
        self.remaining = length;
        self.continued = length == MAX_PAYLOAD;
        if !continuation {
            visitor.begun(Begun { length, head });
        }
    }

    fn ends(&self, visitor: &mut impl Visitor) -> Step {
        if self.between() {
            visitor.ended()
        } else {
            Step::On
        }
    }
}

#[cfg(test)]
mod tests;
