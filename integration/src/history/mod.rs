//! What clients were told while servers failed, and whether one database that loses nothing could
//! have told it to them.
//!
//! A checker knows only what clients sent and what came back. What must stay true: what was
//! acknowledged counts as done, what was refused before its commit as not done, and everything
//! whose end nobody was told may have happened or not, but wholly.

pub mod append;
pub mod bank;

/// What a client knows of a transaction that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its commit was acknowledged.
    Acknowledged,
    /// It can't have been committed.
    Failed,
    /// The answer to its commit was lost, or said nothing.
    Unknown,
}
