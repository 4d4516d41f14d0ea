//! The client's half: greeting, and its login.

use std::sync::Arc;

use rand::Rng as _;
use rustls::ServerConfig;

use crate::fault::Fault;
use crate::handshake::packets::Packets;
use crate::packet::capability::Capabilities;
use crate::packet::greeting::{Greeting, SALT};
use crate::packet::login::{self, Login};
use crate::wire::Wire;

/// Method that old and new connectors know; what counts is the one that TiDB asks for.
const PLUGIN: &[u8] = b"mysql_native_password";
/// TiDB's own means of moving sessions.
pub const SESSION_TOKEN: &[u8] = b"tidb_session_token";
const AUTOCOMMIT: u16 = 2;
/// `utf8mb4_bin`, as TiDB greets.
const COLLATION: u8 = 46;

/// What the greeting says.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Version of a server behind.
    pub version: Vec<u8>,
    /// Id of the session.
    pub session: u32,
    /// What every server behind can do, and the relay too.
    pub capabilities: Capabilities,
    /// What TLS is served with.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether there is no way in without TLS.
    pub require_tls: bool,
}

impl Offer {
    fn greeting(&self) -> Greeting {
        Greeting {
            version: self.version.clone(),
            connection: self.session,
            salt: salt(),
            capabilities: self.capabilities,
            collation: COLLATION,
            status: AUTOCOMMIT,
            plugin: PLUGIN.to_vec(),
        }
    }
}

/// Printable bytes only: some connectors end the salt at a zero byte.
fn salt() -> Vec<u8> {
    let mut random = rand::rng();
    (0..SALT).map(|_| random.random_range(0x23..0x7f)).collect()
}

/// Greets, and reads the login.
///
/// # Errors
/// [`Fault`], for the client's eyes.
pub async fn greet(client: &mut Packets<Wire>, offer: &Offer) -> Result<Login, Fault> {
    let greeting = offer.greeting().payload();
    client.write(&greeting).await.map_err(Fault::ClientGone)?;
    let mut payload = client.read().await?;
    if let Some(config) = wants_tls(&payload, offer) {
        client
            .wire
            .accept_tls(config)
            .await
            .map_err(Fault::ClientTls)?;
        payload = client.read().await?;
    } else if offer.require_tls {
        return Err(Fault::TlsRequired);
    }
    let login = Login::parse(&payload, offer.capabilities);
    accept(login.ok_or(Fault::NotALogin)?, &payload)
}

/// A request for TLS is the first part of a login, alone.
fn wants_tls(payload: &[u8], offer: &Offer) -> Option<Arc<ServerConfig>> {
    let config = offer.tls.as_ref()?;
    let claimed = login::capabilities(payload)?;
    let asked = payload.len() == login::TLS_REQUEST && claimed.contain(Capabilities::SSL);
    asked.then(|| Arc::clone(config))
}

/// Refuses what can't be relayed, or must not be.
///
/// # Errors
/// [`Fault::OldClient`], [`Fault::SessionToken`].
fn accept(login: Login, payload: &[u8]) -> Result<Login, Fault> {
    let claimed = login::capabilities(payload).unwrap_or(Capabilities::NONE);
    if !claimed.contain(Capabilities::REQUIRED) {
        return Err(Fault::OldClient);
    }
    refuse_token(&login)?;
    Ok(login)
}

/// A client that had another session's token could take that session's place.
///
/// # Errors
/// [`Fault::SessionToken`].
pub fn refuse_token(login: &Login) -> Result<(), Fault> {
    if login.plugin.eq_ignore_ascii_case(SESSION_TOKEN) {
        return Err(Fault::SessionToken);
    }
    Ok(())
}
