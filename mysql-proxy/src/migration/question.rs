//! One command of the proxy's own on a connection between two commands of its client, answered by
//! one row at most.
//!
//! What must stay true: an answer is read to its end, however long it is, so that the connection can
//! go on; and no more of it than [`LONGEST`] is ever held.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::packet::capability::Capabilities;
use crate::packet::command::Command;
use crate::packet::cursor::Cursor;
use crate::packet::status::Status;
use crate::packet::{HEADER, MAX_PAYLOAD, frame, parse_header};

/// Longest packet of an answer that is held.
pub const LONGEST: usize = 4 * 1024 * 1024;
/// More columns than any answer has that is asked for here.
const COLUMNS: u64 = 16;

const OK: u8 = 0x00;
const EOF: u8 = 0xfe;
const ERROR: u8 = 0xff;
const NULL: u8 = 0xfb;

/// The only row of an answer; empty without rows.
pub type Asked = Vec<Option<Vec<u8>>>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The connection is gone.
    #[error(transparent)]
    Lost(#[from] io::Error),
    /// The server says no.
    #[error("{0}")]
    Refused(String),
    /// The answer has no form known here; the connection is of no further use.
    #[error("the answer can't be read")]
    Strange,
    /// Question or answer is longer than may be held. The connection can go on.
    #[error("longer than may be held")]
    TooLarge,
}

/// A payload, as far as it is held.
struct Payload {
    bytes: Vec<u8>,
    cut: bool,
}

/// Sends a command and reads its answer.
///
/// # Errors
/// [`AskError`].
pub async fn ask<W: AsyncRead + AsyncWrite + Unpin>(
    server: &mut W,
    agreed: Capabilities,
    command: Command,
    text: impl AsRef<[u8]>,
) -> Result<Asked, AskError> {
    let payload = [&[command.0], text.as_ref()].concat();
    if payload.len() >= MAX_PAYLOAD {
        return Err(AskError::TooLarge);
    }
    server.write_all(&frame(0, &payload)).await?;
    server.flush().await?;
    let first = read(server).await?;
    match first.bytes.first() {
        Some(&OK) => return Ok(Asked::new()),
        Some(&ERROR) => return Err(refused(&first.bytes)),
        _ => {}
    }
    let columns = Cursor::new(&first.bytes).lenenc();
    let columns = columns.filter(|count| *count <= COLUMNS);
    for _ in 0..columns.ok_or(AskError::Strange)? {
        read(server).await?;
    }
    let has_eof = !agreed.contain(Capabilities::DEPRECATE_EOF);
    if has_eof {
        read(server).await?;
    }
    let (mut row, mut cut) = (Asked::new(), false);
    loop {
        let payload = read(server).await?;
        match payload.bytes.first() {
            Some(&ERROR) => return Err(refused(&payload.bytes)),
            Some(&EOF) if !payload.cut => {
                return match ends(&payload.bytes, has_eof) {
                    Some(()) if cut => Err(AskError::TooLarge),
                    Some(()) => Ok(row),
                    None => Err(AskError::Strange),
                };
            }
            _ if payload.cut => cut = true,
            _ => row = values(&payload.bytes).ok_or(AskError::Strange)?,
        }
    }
}

/// Whether a payload, the only answer, says yes.
///
/// # Errors
/// [`AskError::Refused`], [`AskError::Strange`].
pub fn accepted(payload: &[u8]) -> Result<(), AskError> {
    match payload.first() {
        Some(&OK) => Ok(()),
        Some(&ERROR) => Err(refused(payload)),
        _ => Err(AskError::Strange),
    }
}

/// A result behind this one would be one more answer than was asked for.
fn ends(payload: &[u8], is_eof: bool) -> Option<()> {
    let status = if is_eof {
        Status::of_eof(payload)
    } else {
        Status::of_ok(payload)
    };
    (!status?.more_results()).then_some(())
}

/// Number, `#`, five letters of SQLSTATE, text.
fn refused(payload: &[u8]) -> AskError {
    let mut cursor = Cursor::new(payload.get(1..).unwrap_or_default());
    let code = cursor.u16().unwrap_or_default();
    let text = cursor.rest();
    let text = match text.first() {
        Some(b'#') => text.get(6..).unwrap_or_default(),
        _ => text,
    };
    AskError::Refused(format!("{} ({code})", String::from_utf8_lossy(text)))
}

fn values(mut payload: &[u8]) -> Option<Asked> {
    let mut row = Asked::new();
    while let Some((first, rest)) = payload.split_first() {
        if *first == NULL {
            row.push(None);
            payload = rest;
            continue;
        }
        let mut cursor = Cursor::new(payload);
        row.push(Some(cursor.lenenc_bytes()?.to_vec()));
        payload = cursor.rest();
    }
    Some(row)
}

async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Payload> {
    let (mut bytes, mut cut) = (Vec::new(), false);
    loop {
        let mut header = [0; HEADER];
        from.read_exact(&mut header).await?;
        let (length, _) = parse_header(header);
        let mut left = length;
        if bytes.len() + length <= LONGEST {
            let start = bytes.len();
            bytes.resize(start + length, 0);
            from.read_exact(bytes.get_mut(start..).unwrap_or_default())
                .await?;
            left = 0;
        }
        cut |= left > 0;
        skip(from, left).await?;
        if length < MAX_PAYLOAD {
            return Ok(Payload { bytes, cut });
        }
    }
}

async fn skip(from: &mut (impl AsyncRead + Unpin), mut left: usize) -> io::Result<()> {
    let mut sink = [0; 4096];
    while left > 0 {
        let room = sink.get_mut(..left.min(4096)).unwrap_or_default();
        left -= from.read_exact(room).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::cursor::put_lenenc_bytes;
    use proptest::prelude::*;

    const FORM: Capabilities = Capabilities::DEPRECATE_EOF;

    async fn answer(bytes: Vec<u8>, agreed: Capabilities) -> (Result<Asked, AskError>, usize) {
        let mut input = io::Cursor::new(bytes);
        let mut both = tokio::io::join(&mut input, tokio::io::sink());
        let outcome = ask(&mut both, agreed, Command::QUERY, "SHOW SESSION_STATES").await;
        let read = usize::try_from(input.position()).unwrap_or(usize::MAX);
        (outcome, read)
    }

    fn result(row: &[u8], with_eof: bool) -> Vec<u8> {
        let eof = frame(0, &[EOF, 0, 0, 2, 0]);
        let mut bytes = [frame(1, &[2]), frame(2, b"column"), frame(3, b"column")].concat();
        if with_eof {
            bytes.extend_from_slice(&eof);
        }
        let mut rest = row;
        while rest.len() >= MAX_PAYLOAD {
            let (packet, more) = rest.split_at(MAX_PAYLOAD);
            bytes.extend(frame(0, packet));
            rest = more;
        }
        bytes.extend(frame(0, rest));
        let end = if with_eof {
            eof
        } else {
            frame(0, &[EOF, 0, 0, 2, 0, 0, 0])
        };
        [bytes, end].concat()
    }

    #[tokio::test]
    async fn a_row_is_read_in_both_forms() {
        let mut row = Vec::new();
        put_lenenc_bytes(&mut row, b"{}");
        row.push(NULL);
        let expected = vec![Some(b"{}".to_vec()), None];
        for (agreed, with_eof) in [(FORM, false), (Capabilities::NONE, true)] {
            let bytes = result(&row, with_eof);
            let length = bytes.len();
            let (outcome, read) = answer(bytes, agreed).await;
            assert_eq!(outcome.expect("a row"), expected);
            assert_eq!(read, length);
        }
    }

    #[tokio::test]
    async fn an_error_is_told_in_the_servers_words() {
        let bytes = frame(1, b"\xff\xd2\x1f#HY000cannot migrate");
        let (outcome, _) = answer(bytes, FORM).await;
        assert_eq!(
            outcome.expect_err("refused").to_string(),
            "cannot migrate (8146)"
        );
    }

    #[tokio::test]
    async fn what_is_too_long_is_read_to_its_end_and_not_held() {
        let mut row = Vec::new();
        put_lenenc_bytes(&mut row, &vec![b'x'; MAX_PAYLOAD + 10]);
        let bytes = result(&row, false);
        let length = bytes.len();
        let (outcome, read) = answer(bytes, FORM).await;
        assert!(matches!(outcome, Err(AskError::TooLarge)), "{outcome:?}");
        assert_eq!(read, length);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runs");
            let _ = runtime.block_on(answer(bytes, FORM));
        }
    }
}
