//! KILL and COM_PROCESS_KILL by the id that the proxy greeted with.
//!
//! What must stay true: a session is found only by clients of the same tenant and the same user;
//! for anybody else the id is passed on as it is, and TiDB doesn't know it.

use super::Session;
use crate::packet::command::Command;
use crate::packet::{HEADER, frame};

/// A KILL with the id taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kill<'a> {
    words: &'a str,
    id: u32,
}

impl Session {
    /// Lets the command go on, with the server's id in the place of ours.
    pub(super) fn kill(&mut self) {
        let packet = self.relay.told_packet().to_vec();
        let payload = packet.get(HEADER..).unwrap_or_default();
        let sequence = packet.get(HEADER - 1).copied().unwrap_or_default();
        let translated = parse(payload).and_then(|kill| {
            let connection = self.connection_of(kill.id)?;
            let text = format!("{} {connection}", kill.words);
            let payload = [&[Command::QUERY.0], text.as_bytes()].concat();
            Some(frame(sequence, &payload))
        });
        self.relay.send_instead(&translated.unwrap_or(packet));
    }

    fn connection_of(&self, id: u32) -> Option<u32> {
        let target = self.proxy.sessions.get(id)?;
        let own = &self.registered.entry;
        let user = own.seat.lock().user.clone();
        let seat = target.seat.lock();
        (target.tenant == own.tenant && seat.user == user).then_some(seat.connection)
    }
}

/// `KILL [TIDB] [CONNECTION | QUERY] id`, or COM_PROCESS_KILL, which TiDB itself doesn't know.
fn parse(payload: &[u8]) -> Option<Kill<'_>> {
    let (command, rest) = payload.split_first()?;
    if Command(*command) == Command::PROCESS_KILL {
        let id = u32::from_le_bytes(*rest.first_chunk()?);
        return Some(Kill {
            words: "KILL CONNECTION",
            id,
        });
    }
    let text = std::str::from_utf8(rest).ok()?;
    let text = text
        .trim_end_matches(['\0', ';', ' ', '\t', '\r', '\n'])
        .trim_start();
    let (words, id) = text.rsplit_once(|letter: char| letter.is_ascii_whitespace())?;
    let known = |word: &str| {
        ["KILL", "TIDB", "CONNECTION", "QUERY"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    };
    let words = words.trim_end();
    if !words.split_ascii_whitespace().all(known) {
        return None;
    }
    Some(Kill {
        words,
        id: id.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_kill_are_known() {
        let kill = |words, id| Some(Kill { words, id });
        assert_eq!(parse(b"\x03KILL 7"), kill("KILL", 7));
        assert_eq!(parse(b"\x03 kill query  7 ;\n"), kill("kill query", 7));
        assert_eq!(
            parse(b"\x03KILL TIDB CONNECTION 7\0"),
            kill("KILL TIDB CONNECTION", 7)
        );
        assert_eq!(parse(b"\x0c\x07\0\0\0"), kill("KILL CONNECTION", 7));
        for other in [
            "\x03SELECT 1",
            "\x03KILL",
            "\x03KILL 7, 8",
            "\x03KILL 99999999999",
            "\x03",
        ] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }
}
