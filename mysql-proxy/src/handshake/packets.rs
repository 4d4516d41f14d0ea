//! Whole packets of the connection phase: exact reads, so that no byte behind a packet is taken;
//! a TLS handshake may follow at once.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::packet::{HEADER, frame, parse_header};

/// Why a packet of the connection phase can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The socket failed or ended.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Longer than the connection phase may be.
    #[error("a packet of {0} bytes is too long for the connection phase")]
    TooLong(usize),
    /// The sequence numbers don't follow one another.
    #[error("packets out of order: got {got}, expected {expected}")]
    OutOfOrder {
        /// Sequence number read.
        got: u8,
        /// Sequence number due.
        expected: u8,
    },
}

/// One side of the connection phase. Reading can be given up and taken up again without loss.
#[derive(Debug)]
pub struct Packets<W> {
    /// The socket.
    pub wire: W,
    /// Sequence number of the next packet, of either direction.
    pub sequence: u8,
    budget: usize,
    header: [u8; HEADER],
    header_filled: usize,
    payload: Vec<u8>,
    payload_filled: usize,
}

impl<W: AsyncRead + AsyncWrite + Unpin> Packets<W> {
    /// Allows `budget` bytes of payload in all to be read.
    pub fn new(wire: W, budget: usize) -> Self {
        Packets {
            wire,
            sequence: 0,
            budget,
            header: [0; HEADER],
            header_filled: 0,
            payload: Vec::new(),
            payload_filled: 0,
        }
    }

    /// The next packet's payload.
    ///
    /// # Errors
    /// [`PacketError`]; the connection is of no use afterwards.
    pub async fn read(&mut self) -> Result<Vec<u8>, PacketError> {
        while self.header_filled < HEADER {
            let room = self
                .header
                .get_mut(self.header_filled..)
                .unwrap_or_default();
            self.header_filled += some(self.wire.read(room).await?)?;
            if self.header_filled == HEADER {
                self.begin_payload()?;
            }
        }
        while self.payload_filled < self.payload.len() {
            let room = self
                .payload
                .get_mut(self.payload_filled..)
                .unwrap_or_default();
            self.payload_filled += some(self.wire.read(room).await?)?;
        }
        (self.header_filled, self.payload_filled) = (0, 0);
        Ok(std::mem::take(&mut self.payload))
    }

    fn begin_payload(&mut self) -> Result<(), PacketError> {
        let (length, got) = parse_header(self.header);
        let expected = self.sequence;
        if got != expected {
            return Err(PacketError::OutOfOrder { got, expected });
        }
        let left = self.budget.checked_sub(length);
        self.budget = left.ok_or(PacketError::TooLong(length))?;
        self.sequence = self.sequence.wrapping_add(1);
        self.payload = vec![0; length];
        Ok(())
    }

    /// Sends a payload with the next sequence number.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let packet = frame(self.sequence, payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.wire.write_all(&packet).await?;
        self.wire.flush().await
    }
}

fn some(count: usize) -> io::Result<usize> {
    match count {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(input: Vec<u8>) -> Packets<impl AsyncRead + AsyncWrite + Unpin> {
        Packets::new(tokio::io::join(io::Cursor::new(input), Vec::new()), 64)
    }

    #[tokio::test]
    async fn nothing_behind_a_packet_is_read() {
        let mut stream = frame(0, b"one");
        stream.extend_from_slice(b"\x16\x03\x01");
        let mut packets = side(stream);
        assert_eq!(packets.read().await.expect("a packet"), b"one");
        let mut rest = Vec::new();
        packets.wire.read_to_end(&mut rest).await.expect("the rest");
        assert_eq!(rest, b"\x16\x03\x01");
    }

    #[tokio::test]
    async fn lengths_add_up_to_the_budget_and_numbers_follow() {
        let mut packets = side([frame(0, &[0; 40]), frame(1, &[0; 40])].concat());
        packets.read().await.expect("within the budget");
        assert!(matches!(
            packets.read().await,
            Err(PacketError::TooLong(40))
        ));
        let mut packets = side(frame(3, b""));
        let outcome = packets.read().await;
        assert!(matches!(
            outcome,
            Err(PacketError::OutOfOrder {
                got: 3,
                expected: 0
            })
        ));
        let mut packets = side(vec![0xff, 0xff, 0xff, 0]);
        assert!(matches!(packets.read().await, Err(PacketError::TooLong(_))));
    }
}
