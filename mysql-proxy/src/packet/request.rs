//! Finds commands in what a client sends, and the ends of commands and files.

use super::command::Command;
use super::walker::{Begun, Step, Visitor};
use super::{HEADER, parse_header};

/// The command that a client's bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// What it is; `None` for a packet without payload, which the server is left to refuse.
    pub command: Option<Command>,
    /// Payload length of its first packet.
    pub length: usize,
    /// Its sequence number, zero unless the client is out of step.
    pub sequence: u8,
}

/// The command at the beginning of `bytes`, once enough of it is there.
#[must_use]
pub fn announced(bytes: &[u8]) -> Option<Announced> {
    let (header, payload) = bytes.split_first_chunk::<HEADER>()?;
    let (length, sequence) = parse_header(*header);
    let command = match length {
        0 => None,
        _ => Some(Command(*payload.first()?)),
    };
    Some(Announced {
        command,
        length,
        sequence,
    })
}

/// Stops behind one command.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneCommand {
    /// Its last byte has passed.
    pub ended: bool,
}

impl Visitor for OneCommand {
    fn begun(&mut self, _payload: Begun<'_>) {}

    fn ended(&mut self) -> Step {
        self.ended = true;
        Step::Stop
    }
}

/// Stops behind a file: packets of content up to an empty one (page "LOCAL INFILE Request").
#[derive(Debug, Clone, Copy, Default)]
pub struct OneFile {
    empty: bool,
    /// The empty packet has passed.
    pub ended: bool,
}

impl Visitor for OneFile {
    fn begun(&mut self, payload: Begun<'_>) {
        self.empty = payload.length == 0;
    }

    fn ended(&mut self) -> Step {
        self.ended = self.empty;
        if self.ended { Step::Stop } else { Step::On }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::frame;
    use crate::packet::walker::Walker;

    #[test]
    fn a_command_is_announced_by_five_bytes() {
        let packet = frame(0, b"\x03SELECT 1");
        for length in 0..5 {
            assert_eq!(announced(packet.get(..length).unwrap_or_default()), None);
        }
        let announced = announced(&packet).expect("announced");
        assert_eq!(announced.command, Some(Command::QUERY));
        assert_eq!(announced.length, 9);
    }

    #[test]
    fn an_empty_packet_is_announced_by_its_header() {
        let announced = announced(&[0, 0, 0, 0]).expect("announced");
        assert_eq!(announced.command, None);
    }

    #[test]
    fn a_walk_stops_behind_a_command_and_behind_a_file() {
        let first = frame(0, b"\x0e");
        let stream = [first.clone(), frame(0, b"\x0e")].concat();
        let (mut walker, mut command) = (Walker::default(), OneCommand::default());
        assert_eq!(walker.walk(&stream, &mut command), first.len());
        assert!(command.ended);
        let file = [frame(2, b"a,b\n"), frame(3, b"c"), frame(4, b"")].concat();
        let stream = [file.clone(), first].concat();
        let (mut walker, mut upload) = (Walker::default(), OneFile::default());
        assert_eq!(walker.walk(&stream, &mut upload), file.len());
        assert!(upload.ended);
    }
}
