//! Why a session stays on its server: told to operators word by word, counted by label.

use crate::handshake::server::DialError;

/// What keeps a session where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Its answers are no longer followed.
    #[error("what its server sends is no longer followed")]
    Blind,
    /// A command runs.
    #[error("a command is running")]
    Command,
    /// A transaction is open.
    #[error("a transaction is open")]
    Transaction,
    /// A cursor is open.
    #[error("a cursor is open")]
    Cursor,
    /// There is nowhere to go.
    #[error("its tenant has no other server that takes sessions")]
    NoServer,
    /// States are understood by servers of the same or a later version only.
    #[error("every other server is older than its own")]
    OlderServers,
    /// What client and server agreed on can't be had elsewhere.
    #[error("the other server lacks what this connection has agreed on")]
    Incompatible,
    /// The other server didn't greet.
    #[error("the other server can't be reached: {0}")]
    Unreachable(String),
    /// Its server doesn't give its state away; in TiDB's words.
    #[error("its server says: {0}")]
    Server(String),
    /// Its server signs no tokens.
    #[error("its server signs no session tokens (security.session-token-signing-cert)")]
    NoToken,
    /// What its server told of its state has no form known here.
    #[error("its state can't be read")]
    State,
    /// The state is too large to be held.
    #[error("its state is larger than 4 MiB")]
    TooLarge,
    /// The state's text is in another encoding than it must be sent in.
    #[error("its state has been given in {0}, not in UTF-8")]
    Encoding(String),
    /// A role's name can't be told from SQL.
    #[error("its roles have names that can't be repeated: {0}")]
    Roles(String),
    /// The other server refuses its token, its roles or its state; in TiDB's words.
    #[error("the other server says: {0}")]
    OtherServer(String),
    /// The other server broke off or took too long.
    #[error("the other server broke off")]
    OtherServerLost,
}

impl Obstacle {
    /// A closed set for metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Obstacle::Blind => "blind",
            Obstacle::Command => "command",
            Obstacle::Transaction => "transaction",
            Obstacle::Cursor => "cursor",
            Obstacle::NoServer => "no_server",
            Obstacle::OlderServers => "older_servers",
            Obstacle::Incompatible => "incompatible",
            Obstacle::Unreachable(_) => "unreachable",
            Obstacle::Server(_) => "server",
            Obstacle::NoToken => "no_token",
            Obstacle::State => "state",
            Obstacle::TooLarge => "too_large",
            Obstacle::Encoding(_) => "encoding",
            Obstacle::Roles(_) => "roles",
            Obstacle::OtherServer(_) => "other_server",
            Obstacle::OtherServerLost => "other_server_lost",
        }
    }
}

impl From<DialError> for Obstacle {
    fn from(error: DialError) -> Self {
        Obstacle::Unreachable(error.to_string())
    }
}
