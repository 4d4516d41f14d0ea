//! Callers that are known by a bearer token.

use std::path::{Path, PathBuf};

use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use subtle::{Choice, ConstantTimeEq};

use super::AdminError;
use super::identity::{Authenticator, Identity, Role};
use crate::config;

/// A bearer token. Neither printed nor compared in a way that tells how much of a guess is right.
struct Token(String);

/// Everybody who has a token.
pub struct Tokens(Vec<(Token, Identity)>);

/// Why tokens can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// The file can't be used.
    #[error("admin token file: {0}")]
    File(#[from] mesh_admin_client::ClientError),
    /// The token can be guessed.
    #[error("admin token file {0} holds fewer than {MIN_LEN} characters", MIN_LEN = Tokens::MIN_LEN)]
    TooShort(PathBuf),
    /// Two callers with one token could not be told apart.
    #[error("admin token file {0} holds the token of another caller")]
    Twice(PathBuf),
}

impl Tokens {
    /// Fewest characters of a token: 16 hexadecimal ones hold 64 bits.
    pub const MIN_LEN: usize = 16;
    /// What the audit log calls who has the first token.
    const OPERATOR: &str = "operator";

    /// Reads all token files, once: a changed file needs a restart. `token_file` is an operator's.
    ///
    /// # Errors
    /// [`TokenFault`], never with the content.
    pub fn load(admin: &config::Admin) -> Result<Tokens, TokenFault> {
        let operator = Identity {
            name: Tokens::OPERATOR.to_owned(),
            role: Role::Operator,
            tenants: None,
        };
        let mut known = Tokens(Vec::new());
        known.add(&admin.token_file, operator)?;
        for caller in &admin.callers {
            let identity = Identity {
                name: caller.name.clone(),
                role: caller.role,
                tenants: caller.tenants.clone(),
            };
            known.add(&caller.token_file, identity)?;
        }
        Ok(known)
    }

    fn add(&mut self, path: &Path, identity: Identity) -> Result<(), TokenFault> {
        let token = mesh_admin_client::read_token(path)?;
        if token.len() < Tokens::MIN_LEN {
            return Err(TokenFault::TooShort(path.to_owned()));
        }
        if self.whose(token.as_bytes()).is_some() {
            return Err(TokenFault::Twice(path.to_owned()));
        }
        self.0.push((Token(token), identity));
        Ok(())
    }

    /// Looks at every token, whichever fits.
    fn whose(&self, credentials: &[u8]) -> Option<&Identity> {
        let mut found = None;
        for (token, identity) in &self.0 {
            let fits: Choice = credentials.ct_eq(token.0.as_bytes());
            if bool::from(fits) {
                found = Some(identity);
            }
        }
        found
    }
}

impl Authenticator for Tokens {
    fn identify(&self, head: &Parts) -> Result<Identity, AdminError> {
        let authorization: Option<&HeaderValue> = head.headers.get(AUTHORIZATION);
        let value = authorization.ok_or(AdminError::Unauthorized)?.as_bytes();
        let (scheme, credentials) = value
            .split_at_checked("Bearer ".len())
            .ok_or(AdminError::Unauthorized)?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return Err(AdminError::Unauthorized);
        }
        let known = self.whose(credentials);
        known.cloned().ok_or(AdminError::Forbidden)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.iter().map(|(_, identity)| &identity.name);
        f.debug_list().entries(names).finish()
    }
}
