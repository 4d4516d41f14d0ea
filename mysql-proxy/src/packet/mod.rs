//! The MySQL protocol as far as a relay has to understand it: pure, no I/O, never panics.
//!
//! Byte layouts name the page of MySQL's protocol reference that defines them. Everything here
//! works on borrowed bytes; only the few packets of the connection phase are ever built anew.

pub mod capability;
pub mod change_user;
pub mod command;
pub mod cursor;
pub mod fault;
pub mod greeting;
pub mod login;
pub mod request;
pub mod response;
pub mod status;
pub mod walker;

/// Length of a packet header: three bytes of payload length, least significant first, and a
/// sequence number (page "MySQL Packets").
pub const HEADER: usize = 4;

/// A packet of this payload length is continued by the next one.
pub const MAX_PAYLOAD: usize = 0xff_ffff;

/// A whole packet, header included.
///
/// # Panics
/// Never; a payload above [`MAX_PAYLOAD`] is cut, and no caller builds one.
#[must_use]
pub fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len().min(MAX_PAYLOAD);
    let [low, middle, high, ..] = length.to_le_bytes();
    let mut packet = Vec::with_capacity(HEADER + length);
    packet.extend_from_slice(&[low, middle, high, sequence]);
    packet.extend_from_slice(payload.get(..length).unwrap_or_default());
    packet
}

/// Payload length and sequence number of a header.
#[must_use]
pub fn parse_header(header: [u8; HEADER]) -> (usize, u8) {
    let [low, middle, high, sequence] = header;
    let length = u32::from_le_bytes([low, middle, high, 0]);
    (length as usize, sequence)
}
