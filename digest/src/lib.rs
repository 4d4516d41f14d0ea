//! What a proxy can know of a SQL text without parsing it: TiDB's digest, the statement's class,
//! whether a firewall lets it pass, and which statements cost most.
//!
//! Pure: bytes in, answers out; no clock, no file, no socket. Nothing panics on any input. The
//! lexer below everything is TiDB's, oddities included, because a digest must equal the server's
//! and because a firewall that reads otherwise than the server can be led past.
//!
//! | wanted | ask |
//! |---|---|
//! | the digest TiDB shows | [`Digester`] |
//! | statements, kinds, effects, tables, hints | [`Classifier`] |
//! | what a `SET` assigns, what a `PREPARE` holds | [`assignments`], [`prepared`] |
//! | pass or block | [`Firewall`] |
//! | the most expensive statements in fixed memory | [`TopSql`] |
#![forbid(unsafe_code)]

mod dialect;
mod digest;
mod firewall;
mod keywords;
mod lexer;
mod lowercase;
mod normalize;
mod statement;
mod token;
mod top;

pub use dialect::{Charset, Dialect};
pub use digest::{Digest, Digester, ParseDigestError};
pub use firewall::{
    Action, Decision, Firewall, Inspector, Learned, Mode, ObjectPattern, Policy, PolicyError,
    Reason, Recorder, Request, Rule, Verdict,
};
pub use statement::{
    Assignment, Classifier, Effect, Effects, Hint, Kind, ObjectName, PreparedSource,
    PreparedStatement, Scope, Statement, Unreadable, assignments, prepared, split,
};
pub use top::{Observation, TopLimits, TopSql, TopStatement};
