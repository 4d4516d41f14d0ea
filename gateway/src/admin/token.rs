//! The bearer token that opens the admin API.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::AdminError;

/// A bearer token. Neither printed nor compared in a way that tells how much of a guess is right.
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// The file can't be used.
    #[error("admin token file: {0}")]
    File(#[from] mesh_admin_client::ClientError),
    /// The token can be guessed.
    #[error("admin token file {0} holds fewer than {MIN_LEN} characters", MIN_LEN = Token::MIN_LEN)]
    TooShort(PathBuf),
}

impl Token {
    /// Fewest characters of a token: 16 hexadecimal ones hold 64 bits.
    pub const MIN_LEN: usize = 16;

    /// Reads the token, once: a changed file needs a restart.
    ///
    /// # Errors
    /// [`TokenFault`], never with the content.
    pub fn load(path: &Path) -> Result<Token, TokenFault> {
        let token = mesh_admin_client::read_token(path)?;
        if token.len() < Token::MIN_LEN {
            return Err(TokenFault::TooShort(path.to_owned()));
        }
        Ok(Token(token))
    }

    fn check(&self, authorization: Option<&HeaderValue>) -> Result<(), AdminError> {
        let value = authorization.ok_or(AdminError::Unauthorized)?.as_bytes();
        let (scheme, credentials) = value
            .split_at_checked("Bearer ".len())
            .ok_or(AdminError::Unauthorized)?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return Err(AdminError::Unauthorized);
        }
        if bool::from(credentials.ct_eq(self.0.as_bytes())) {
            Ok(())
        } else {
            Err(AdminError::Forbidden)
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Lets a request through if it carries the token.
pub(super) async fn require(
    State(token): State<Arc<Token>>,
    request: Request,
    next: Next,
) -> Response {
    match token.check(request.headers().get(AUTHORIZATION)) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let mut refusal = error.into_response();
            refusal
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            refusal
        }
    }
}
