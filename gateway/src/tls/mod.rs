//! TLS on both sides: tenants' clients towards the gateway, the gateway towards PD and the stores.
//!
//! With TLS a tenant is known by its client certificate, not by a port: see
//! `docs/decisions/0004-tls-identity.md`. What must stay true:
//! - every connection of a tenant presents a certificate that the configured authority signed; no
//!   request is read before that;
//! - the certificate, the name that was called, the port and `:authority` are each a statement
//!   about the tenant; two that differ, or none, mean refusal;
//! - where TLS is configured nothing is ever sent in the clear, and the other side's certificate
//!   and name are verified;
//! - files that change are taken over for new handshakes without touching a connection; files that
//!   can't be used change nothing.

mod client;
mod files;
mod handshake;
mod identity;
mod reload;
mod server;

pub use client::StorageTls;
pub use files::TlsFault;
pub use handshake::{Refusal, Secured};
pub use identity::Names;
pub use reload::follow;
pub use server::ListenTls;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use crate::config::Config;

/// Protocols that clients and PD speak on one address.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Reads every file that the configuration names, as a start would.
///
/// # Errors
/// [`TlsFault`], naming the file and what is wrong with it.
pub fn check(config: &Config) -> Result<(), TlsFault> {
    if let Some(tls) = &config.listen.tls {
        ListenTls::load(tls)?;
    }
    if let Some(tls) = &config.storage.tls {
        StorageTls::load(tls)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
