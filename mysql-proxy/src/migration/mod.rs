//! Takes a session from one TiDB server of its tenant to another, between two commands of its client.
//!
//! What must stay true:
//! - the client notices nothing but a pause: no byte of a command is sent before the move has ended,
//!   one way or the other;
//! - TiDB decides whether a session can be taken away: `SHOW SESSION_STATES` refuses what can't be;
//! - a session that can't be moved stays, as it was, and says why;
//! - a token is made by the session's own server, or for a dead one with its tenant's key, always for
//!   the session's own user, and is kept nowhere.

pub mod question;
pub mod roles;
pub mod state;
pub mod token;

use std::time::Duration;

use tokio::time::timeout;

use crate::handshake::client::SESSION_TOKEN;
use crate::handshake::server::{self, Greeted};
use crate::obstacle::Obstacle;
use crate::packet::capability::Capabilities;
use crate::packet::command::Command;
use crate::packet::login::Login;
use crate::wire::Wire;
use question::{AskError, ask};
use state::State;

/// Time that the new server gets to take the session; its client waits for so long at most, if its
/// own server answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest state that is kept for a session that stays.
const KEPT: usize = 64 * 1024;

/// Who moves.
#[derive(Debug, Clone, Copy)]
pub struct Mover<'a> {
    /// What the client logged in with.
    pub login: &'a Login,
    /// The user as TiDB knows it.
    pub user: &'a [u8],
    /// Attributes of the connection that the proxy adds.
    pub about: &'a [(&'a str, String)],
    /// What client and server have agreed on.
    pub agreed: Capabilities,
}

/// Why a session isn't on the new server.
#[derive(Debug)]
pub enum Failure {
    /// It is where it was.
    Stays(Obstacle),
    /// Its server is gone in the middle of a question.
    Lost(std::io::Error),
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        Failure::Stays(obstacle)
    }
}

/// Moves what `mover` has on `old` to the server that has greeted, and gives the connection to it.
///
/// # Errors
/// [`Failure`]; only after [`Failure::Stays`] is `old` of further use.
pub async fn migrate(
    mover: Mover<'_>,
    old: &mut Wire,
    greeted: &mut Greeted,
) -> Result<(), Failure> {
    let state = ask_state(mover.agreed, old).await?;
    let outcome = settle(mover, old, greeted, &state).await;
    if matches!(outcome, Err(Failure::Stays(_))) {
        give_back(mover.agreed, old, &state).await?;
    }
    outcome
}

async fn settle(
    mover: Mover<'_>,
    old: &mut Wire,
    greeted: &mut Greeted,
    state: &State,
) -> Result<(), Failure> {
    within(enter(mover, greeted, state.token()?)).await?;
    let roles = ask_roles(mover.agreed, old, state).await?;
    let luggage = Luggage(state.statements(roles)?);
    within(unpack(mover, greeted, &luggage)).await?;
    Ok(())
}

async fn ask_state(agreed: Capabilities, old: &mut Wire) -> Result<State, Failure> {
    let shown = ask(old, agreed, Command::QUERY, "SHOW SESSION_STATES").await;
    Ok(State::read(&shown.map_err(of_own)?)?)
}

async fn ask_roles(agreed: Capabilities, old: &mut Wire, state: &State) -> Result<String, Failure> {
    let roles = ask(old, agreed, Command::QUERY, "SELECT CURRENT_ROLE()").await;
    Ok(roles::statement(&roles.map_err(of_own)?, state)?)
}

async fn unpack(
    mover: Mover<'_>,
    greeted: &mut Greeted,
    luggage: &Luggage,
) -> Result<(), Obstacle> {
    let new = &mut greeted.packets.wire;
    for statement in &luggage.0 {
        let taken = ask(new, mover.agreed, Command::QUERY, statement).await;
        taken.map_err(of_other)?;
    }
    Ok(())
}

/// The statements that make a fresh session what another one was.
pub struct Luggage(Vec<String>);

impl std::fmt::Debug for Luggage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Luggage").finish_non_exhaustive()
    }
}

/// Asks a session that stays what it would take along; `None` when that is too much to be kept.
///
/// # Errors
/// [`Failure`]; only after [`Failure::Stays`] is `old` of further use.
pub async fn pack(agreed: Capabilities, old: &mut Wire) -> Result<Option<Luggage>, Failure> {
    let state = ask_state(agreed, old).await?;
    let roles = ask_roles(agreed, old, &state).await;
    if !matches!(roles, Err(Failure::Lost(_))) {
        give_back(agreed, old, &state).await?;
    }
    state.check()?;
    let luggage = Luggage(state.statements(roles?)?);
    let length: usize = luggage.0.iter().map(String::len).sum();
    Ok((length <= KEPT).then_some(luggage))
}

/// Builds a session whose server is gone on the one that has greeted.
///
/// # Errors
/// What the other server says.
pub async fn revive(
    mover: Mover<'_>,
    greeted: &mut Greeted,
    token: Vec<u8>,
    luggage: &Luggage,
) -> Result<(), Obstacle> {
    within(async {
        enter(mover, greeted, token).await?;
        unpack(mover, greeted, luggage).await
    })
    .await
}

/// Logs in by the token, and makes the session ready for the state.
async fn enter(mover: Mover<'_>, greeted: &mut Greeted, token: Vec<u8>) -> Result<(), Obstacle> {
    let mut login = server::login_for(mover.login, mover.user, &greeted.greeting, mover.about);
    login.plugin = SESSION_TOKEN.to_vec();
    login.auth = token;
    login.schema.clear();
    login.capabilities = login.capabilities.without(Capabilities::CONNECT_WITH_DB)
        | Capabilities::PLUGIN_AUTH_LENENC;
    let lost = |_| Obstacle::OtherServerLost;
    greeted.log_in(&login).await.map_err(lost)?;
    let answer = greeted.packets.read().await;
    let answer = answer.map_err(|_| Obstacle::OtherServerLost)?;
    question::accepted(&answer).map_err(of_other)?;
    let new = &mut greeted.packets.wire;
    if !mover.login.schema.is_empty() {
        // What COM_RESET_CONNECTION goes back to. It may be gone, and isn't needed for the state.
        let schema = ask(new, mover.agreed, Command::INIT_DB, &mover.login.schema).await;
        if let Err(AskError::Lost(_)) = schema {
            return Err(Obstacle::OtherServerLost);
        }
    }
    Ok(())
}

/// The questions have changed what a few functions tell of the statement before.
async fn give_back(agreed: Capabilities, old: &mut Wire, state: &State) -> Result<(), Failure> {
    let Some(statement) = state.of_last_statement() else {
        return Ok(());
    };
    match ask(old, agreed, Command::QUERY, &statement).await {
        Err(AskError::Lost(error)) => Err(Failure::Lost(error)),
        _ => Ok(()),
    }
}

async fn within<T>(step: impl Future<Output = Result<T, Obstacle>>) -> Result<T, Obstacle> {
    let outcome = timeout(PATIENCE, step).await;
    outcome.unwrap_or(Err(Obstacle::OtherServerLost))
}

fn of_own(error: AskError) -> Failure {
    match error {
        AskError::Lost(error) => Failure::Lost(error),
        AskError::Refused(text) => Failure::Stays(Obstacle::Server(text)),
        AskError::Strange => Failure::Lost(std::io::ErrorKind::InvalidData.into()),
        AskError::TooLarge => Failure::Stays(Obstacle::TooLarge),
    }
}

fn of_other(error: AskError) -> Obstacle {
    match error {
        AskError::Refused(text) => Obstacle::OtherServer(text),
        AskError::Lost(_) | AskError::Strange => Obstacle::OtherServerLost,
        AskError::TooLarge => Obstacle::TooLarge,
    }
}
