//! Tokens for sessions whose server can't make one any more, signed with the tenant's key.
//!
//! What must stay true: a token is made for the user that logged in on the client's own connection,
//! and for no other; and the signature is over the very bytes that TiDB makes of the token's fields.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SigningKey;

use crate::tls::TlsError;

/// TiDB takes no token that is signed longer ago.
const LIFETIME: Duration = Duration::from_secs(60);

/// A tenant's signing key.
#[derive(Clone)]
pub struct Signer(Arc<dyn SigningKey>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    /// Reads an Ed25519 key, as PEM.
    ///
    /// # Errors
    /// [`TlsError`], also for a key of another kind.
    pub fn load(path: &Path) -> Result<Signer, TlsError> {
        let unreadable = |cause: String| TlsError::File {
            path: path.into(),
            cause,
        };
        let key =
            PrivateKeyDer::from_pem_file(path).map_err(|cause| unreadable(cause.to_string()))?;
        let PrivateKeyDer::Pkcs8(key) = key else {
            return Err(unreadable("it isn't a PKCS #8 key".to_owned()));
        };
        let key = rustls::crypto::ring::sign::any_eddsa_type(&key);
        let key = key.map_err(|_| unreadable("it isn't an Ed25519 key".to_owned()))?;
        Ok(Signer(key))
    }

    /// A token for a user, good for a minute from `now`; `None` for a name that isn't UTF-8, and when
    /// the key refuses.
    #[must_use]
    pub fn token(&self, user: &[u8], now: SystemTime) -> Option<Vec<u8>> {
        let fields = fields(std::str::from_utf8(user).ok()?, now);
        let signer = self.0.choose_scheme(&[SignatureScheme::ED25519])?;
        let signature = signer.sign(format!("{{{fields}}}").as_bytes()).ok()?;
        let signature = STANDARD.encode(signature);
        Some(format!("{{{fields},\"signature\":\"{signature}\"}}").into_bytes())
    }
}

/// As Go writes them: whole seconds have no fraction.
fn fields(user: &str, now: SystemTime) -> String {
    let second = |time| humantime::format_rfc3339_seconds(time);
    format!(
        r#""username":{},"sign-time":"{}","expire-time":"{}""#,
        quoted(user),
        second(now),
        second(now + LIFETIME)
    )
}

/// As Go's encoder quotes a text: with letters escaped that mean something in HTML or JavaScript.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_go_writes_them() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(
            fields("a<b>&\"\\\u{1}ä", now),
            "\"username\":\"a\\u003cb\\u003e\\u0026\\\"\\\\\\u0001ä\",\
             \"sign-time\":\"2023-11-14T22:13:20Z\",\"expire-time\":\"2023-11-14T22:14:20Z\""
        );
    }
}
