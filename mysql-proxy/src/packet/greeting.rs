//! The server's first packet (page "Protocol::HandshakeV10").

use super::capability::Capabilities;
use super::cursor::{Cursor, put_nul_terminated};

/// Length of the salt: eight bytes, then twelve.
pub const SALT: usize = 20;

const PROTOCOL_VERSION: u8 = 10;

/// A greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Version of the server, free text.
    pub version: Vec<u8>,
    /// Id of the connection.
    pub connection: u32,
    /// Random bytes for authentication.
    pub salt: Vec<u8>,
    /// What the server can do.
    pub capabilities: Capabilities,
    /// Default collation.
    pub collation: u8,
    /// Status flags.
    pub status: u16,
    /// Authentication method that the server would like.
    pub plugin: Vec<u8>,
}

impl Greeting {
    /// Reads one; `None` when it isn't one.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Greeting> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8()? != PROTOCOL_VERSION {
            return None;
        }
        let version = cursor.nul_terminated()?.to_vec();
        let connection = cursor.u32()?;
        let mut salt = cursor.take(8)?.to_vec();
        cursor.take(1)?;
        let low = cursor.u16()?;
        let (collation, status, high) = (cursor.u8()?, cursor.u16()?, cursor.u16()?);
        let [low, high] = [low, high].map(u32::from);
        let salt_length = usize::from(cursor.u8()?);
        cursor.take(10)?;
        let second = salt_length.saturating_sub(8).max(13);
        let second = cursor.take(second)?;
        salt.extend_from_slice(second.strip_suffix(&[0]).unwrap_or(second));
        Some(Greeting {
            version,
            connection,
            salt,
            capabilities: Capabilities(low | high << 16),
            collation,
            status,
            plugin: cursor.nul_terminated_or_rest().to_vec(),
        })
    }

    /// Its payload.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let [low, low_high, high, highest] = self.capabilities.0.to_le_bytes();
        let (first, second) = self.salt.split_at_checked(8).unwrap_or((&self.salt, &[]));
        let mut payload = vec![PROTOCOL_VERSION];
        put_nul_terminated(&mut payload, &self.version);
        payload.extend_from_slice(&self.connection.to_le_bytes());
        payload.extend_from_slice(first);
        payload.extend_from_slice(&[0, low, low_high, self.collation]);
        payload.extend_from_slice(&self.status.to_le_bytes());
        let salt_length = u8::try_from(self.salt.len().saturating_add(1)).unwrap_or(u8::MAX);
        payload.extend_from_slice(&[high, highest, salt_length]);
        payload.extend_from_slice(&[0; 10]);
        payload.extend_from_slice(second);
        payload.push(0);
        put_nul_terminated(&mut payload, &self.plugin);
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_greeting_reads_back(
            version in "[ -~]{0,40}", connection: u32, capabilities: u32, collation: u8, status: u16,
            salt in prop::collection::vec(1_u8.., SALT), plugin in "[a-z_]{1,30}",
        ) {
            let greeting = Greeting {
                version: version.into_bytes(),
                connection,
                salt,
                capabilities: Capabilities(capabilities),
                collation,
                status,
                plugin: plugin.into_bytes(),
            };
            prop_assert_eq!(Greeting::parse(&greeting.payload()), Some(greeting));
        }

        #[test]
        fn any_bytes_are_a_greeting_or_not(bytes: Vec<u8>) {
            let mut payload = vec![PROTOCOL_VERSION];
            payload.extend(bytes);
            let _ = Greeting::parse(&payload);
        }
    }
}
