//! Why a session doesn't come about: what the client is told, and the label in metrics.

use std::io;

use crate::handshake::packets::PacketError;
use crate::packet::fault::ErrorPacket;
use crate::route::Refusal;

/// A login that failed for a reason that isn't TiDB's.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The client went away.
    #[error("the client went away: {0}")]
    ClientGone(#[source] io::Error),
    /// The client's TLS handshake failed.
    #[error("TLS with the client failed: {0}")]
    ClientTls(#[source] io::Error),
    /// The client doesn't use TLS.
    #[error("connections without TLS are not let in")]
    TlsRequired,
    /// A packet that can't be one of a login.
    #[error("{0}")]
    BadPacket(#[source] PacketError),
    /// A first packet that is no login.
    #[error("the client's login can't be read")]
    NotALogin,
    /// The client lacks something that the relay needs.
    #[error("the client must support protocol 4.1 and pluggable authentication")]
    OldClient,
    /// TiDB's own means of moving sessions, which no client may use.
    #[error("authentication by session token is not for clients")]
    SessionToken,
    /// No tenant, or two.
    #[error(transparent)]
    Route(#[from] Refusal),
    /// The process has all the sessions that it may have.
    #[error("the proxy has no room for more connections")]
    ProxyFull,
    /// The tenant has all the sessions that it may have.
    #[error("tenant {0} has no room for more connections")]
    TenantFull(String),
    /// No TiDB server took the session.
    #[error("no TiDB server of tenant {0} can be reached")]
    NoServer(String),
    /// The server lacks what the client was told it has.
    #[error("the TiDB server lacks what this connection has agreed on; connect again")]
    Incompatible,
    /// The server broke off, or said what no server says in a login.
    #[error("the TiDB server broke off the login")]
    ServerLost,
    /// The login took too long.
    #[error("the login took too long")]
    Timeout,
    /// The server refused, and the client has been told in the server's words.
    #[error("the TiDB server refused the login")]
    Refused,
}

impl Fault {
    /// What the client is told; nothing when it is gone or has been told.
    #[must_use]
    pub fn packet(&self) -> Option<ErrorPacket> {
        let (code, state) = match self {
            Fault::ClientGone(_) | Fault::ClientTls(_) | Fault::Refused => return None,
            Fault::TlsRequired => (3159, "HY000"),
            Fault::BadPacket(PacketError::Io(_)) => return None,
            Fault::BadPacket(PacketError::TooLong(_)) => (1153, "08S01"),
            Fault::BadPacket(PacketError::OutOfOrder { .. }) => (1156, "08S01"),
            Fault::NotALogin => (1043, "08S01"),
            Fault::OldClient => (1251, "08004"),
            Fault::SessionToken | Fault::Route(_) => (1045, "28000"),
            Fault::ProxyFull | Fault::TenantFull(_) => (1040, "08004"),
            Fault::NoServer(_) | Fault::Incompatible | Fault::ServerLost => (1105, "HY000"),
            Fault::Timeout => (1159, "08S01"),
        };
        Some(ErrorPacket::new(code, state, format!("mesh: {self}")))
    }

    /// A closed set for metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Fault::ClientGone(_) => "client_gone",
            Fault::ClientTls(_) => "client_tls",
            Fault::TlsRequired => "tls_required",
            Fault::BadPacket(_) => "bad_packet",
            Fault::NotALogin => "not_a_login",
            Fault::OldClient => "old_client",
            Fault::SessionToken => "session_token",
            Fault::Route(_) => "route",
            Fault::ProxyFull => "proxy_full",
            Fault::TenantFull(_) => "tenant_full",
            Fault::NoServer(_) => "no_server",
            Fault::Incompatible => "incompatible",
            Fault::ServerLost => "server_lost",
            Fault::Timeout => "timeout",
            Fault::Refused => "refused",
        }
    }
}

impl From<PacketError> for Fault {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Io(error) => Fault::ClientGone(error),
            error => Fault::BadPacket(error),
        }
    }
}
