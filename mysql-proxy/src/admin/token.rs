//! The bearer token of the admin API.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;

/// A token; its debug form doesn't show it.
#[derive(Clone)]
pub struct Token(Arc<[u8]>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Reads a file that holds a token and nothing else.
    ///
    /// # Errors
    /// When it can't be read or is empty.
    pub fn load(path: &Path) -> io::Result<Token> {
        let text = std::fs::read_to_string(path)?;
        let text = text.trim();
        if text.is_empty() {
            let message = format!("{} holds no token", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Token(text.as_bytes().into()))
    }
}

pub(super) async fn check(State(token): State<Token>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| bool::from(given.ct_eq(&token.0))) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, "the admin token is needed\n").into_response()
}
