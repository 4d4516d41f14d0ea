//! Relays authentication between a client and a server that has been sent the login.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::fault::Fault;
use crate::handshake::packets::Packets;
use crate::packet::fault::respell;

const OK: u8 = 0x00;
const ERROR: u8 = 0xff;

/// The user's two names.
#[derive(Debug, Clone, Copy)]
pub struct Spelling<'a> {
    /// As the server was given it.
    pub given: &'a str,
    /// As the client wrote it.
    pub written: &'a str,
}

/// Carries packets either way, with each side's own sequence numbers, until the server says OK.
/// Nothing is assumed of whose turn it is: methods differ.
///
/// # Errors
/// [`Fault::Refused`] when the server said no and the client has been told.
pub async fn authenticate<C, S>(
    client: &mut Packets<C>,
    server: &mut Packets<S>,
    user: Spelling<'_>,
) -> Result<(), Fault>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            biased;
            from_server = server.read() => {
                let payload = from_server.map_err(|_| Fault::ServerLost)?;
                let kind = payload.first().copied();
                let payload = match kind {
                    Some(ERROR) => respell(payload, user.given, user.written),
                    _ => payload,
                };
                client.write(&payload).await.map_err(Fault::ClientGone)?;
                match kind {
                    Some(OK) => return Ok(()),
                    Some(ERROR) => return Err(Fault::Refused),
                    _ => {}
                }
            }
            from_client = client.read() => {
                let payload = from_client?;
                server.write(&payload).await.map_err(|_| Fault::ServerLost)?;
            }
        }
    }
}
