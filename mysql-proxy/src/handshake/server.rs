//! The server's half: connection, greeting, and the login in the client's place.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::packets::{PacketError, Packets};
use crate::fleet::{Backend, Dialling};
use crate::packet::capability::Capabilities;
use crate::packet::fault::is_error;
use crate::packet::greeting::Greeting;
use crate::packet::login::{Login, tls_request};
use crate::proxy_header;
use crate::tls::Verified;
use crate::wire::Wire;

/// A method that no user has: the server then asks for the user's own, with its own salt.
const NOBODYS_PLUGIN: &[u8] = b"mesh_ask_the_client";

/// Bytes that a server may send before the login is complete.
const LOGIN_BYTES: usize = 1024 * 1024;

/// A server that has greeted.
#[derive(Debug)]
pub struct Greeted {
    /// The address, for verifying who it is.
    address: String,
    tls: Option<Verified>,
    under_tls: bool,
    /// The connection.
    pub packets: Packets<Wire>,
    /// What it said.
    pub greeting: Greeting,
}

/// Why a server didn't greet.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// It can't be reached.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It didn't answer in time.
    #[error("no greeting in time")]
    Timeout,
    /// It sent something else.
    #[error("the greeting can't be read")]
    NoGreeting,
    /// It is to be spoken to by TLS, and has none.
    #[error("it offers no TLS")]
    NoTls,
    /// It refused at once, in its own words.
    #[error("it refused to greet")]
    Refused(Vec<u8>),
}

impl From<PacketError> for DialError {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Io(error) => DialError::Io(error),
            PacketError::TooLong(_) | PacketError::OutOfOrder { .. } => DialError::NoGreeting,
        }
    }
}

/// Connects and reads the greeting; tells the backend how it went.
///
/// # Errors
/// [`DialError`].
pub async fn greet(
    backend: &Backend,
    dialling: &Dialling,
    from: Option<SocketAddr>,
    within: Duration,
) -> Result<Greeted, DialError> {
    let outcome = timeout(within, connect(&backend.address, dialling, from)).await;
    match outcome.unwrap_or(Err(DialError::Timeout)) {
        Ok(greeted) => {
            backend.greeted(&greeted.greeting);
            Ok(greeted)
        }
        Err(error) => {
            backend.failed();
            Err(error)
        }
    }
}

async fn connect(
    address: &str,
    dialling: &Dialling,
    from: Option<SocketAddr>,
) -> Result<Greeted, DialError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    if dialling.proxy_protocol {
        // A probe speaks for itself.
        let from = from.map_or_else(|| stream.local_addr(), Ok)?;
        let header = proxy_header::write(from, stream.peer_addr()?);
        stream.write_all(&header).await?;
    }
    let mut packets = Packets::new(Wire::Plain(stream), LOGIN_BYTES);
    let payload = packets.read().await?;
    if is_error(&payload) {
        return Err(DialError::Refused(payload));
    }
    let greeting = Greeting::parse(&payload).ok_or(DialError::NoGreeting)?;
    if dialling.tls.is_some() && !greeting.capabilities.contain(Capabilities::SSL) {
        return Err(DialError::NoTls);
    }
    Ok(Greeted {
        address: address.to_owned(),
        tls: dialling.tls.clone(),
        under_tls: false,
        packets,
        greeting,
    })
}

impl Greeted {
    /// Begins TLS where it is on, ahead of the login.
    ///
    /// # Errors
    /// The socket's, and that of a server that can't be verified.
    pub async fn begin_tls(&mut self, login: &Login) -> io::Result<()> {
        if let Some(tls) = self.tls.take() {
            let capabilities = login.capabilities | Capabilities::SSL;
            let request = tls_request(capabilities, login.max_packet, login.collation);
            self.packets.write(&request).await?;
            self.packets.wire.connect_tls(&tls, &self.address).await?;
            self.under_tls = true;
        }
        Ok(())
    }

    /// Begins TLS where it is on and hasn't begun, and sends the login.
    ///
    /// # Errors
    /// The socket's, and that of a server that can't be verified.
    pub async fn log_in(&mut self, login: &Login) -> io::Result<()> {
        self.begin_tls(login).await?;
        let mut login = login.clone();
        login.capabilities = login.capabilities.without(Capabilities::SSL);
        if self.under_tls {
            login.capabilities = login.capabilities | Capabilities::SSL;
        }
        self.packets.write(&login.payload()).await
    }
}

/// Whether this server can serve what was agreed on with the client.
#[must_use]
pub fn serves(greeting: &Greeting, client: Capabilities) -> bool {
    let needed = (client & Capabilities::FORM_OF_PACKETS) | Capabilities::REQUIRED;
    greeting.capabilities.contain(needed)
}

/// The login that the server gets in the place of the client's.
#[must_use]
pub fn login_for(
    login: &Login,
    user: &[u8],
    greeting: &Greeting,
    about: &[(&str, String)],
) -> Login {
    let mut own = login.clone();
    user.clone_into(&mut own.user);
    own.plugin = NOBODYS_PLUGIN.to_vec();
    let always = Capabilities::REQUIRED | Capabilities::CONNECT_ATTRS;
    own.capabilities = (login.capabilities | always) & greeting.capabilities;
    let about = about
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    own.attributes.extend(about);
    own
}
