//! The connection phase (page "Connection Phase"): greeting, login, relayed authentication.
//!
//! The client is greeted before its tenant is known, with a salt of the proxy's. The server is then
//! given an authentication method that no user has, so that it asks the client anew with its own
//! salt and the method of the user; from there on packets are relayed, whatever the method is and
//! however many rounds it takes. No password and no hash is ever known here.

pub mod authenticate;
pub mod client;
pub mod packets;
pub mod server;
