//! The client's login (page "Protocol::HandshakeResponse41") and its request for TLS
//! (page "Protocol::SSLRequest").

use super::capability::Capabilities;
use super::cursor::{Cursor, put_lenenc, put_lenenc_bytes, put_nul_terminated};

/// Payload length of a request for TLS: the first fields of a login.
pub const TLS_REQUEST: usize = 32;

/// A login without the authentication method's secrets in its debug form.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// What the client can do, as far as the relay offered it.
    pub capabilities: Capabilities,
    /// Largest packet that the client takes.
    pub max_packet: u32,
    /// Collation.
    pub collation: u8,
    /// User as the client wrote it, tenant included.
    pub user: Vec<u8>,
    /// First answer of the authentication method.
    pub auth: Vec<u8>,
    /// Schema, empty for none.
    pub schema: Vec<u8>,
    /// Authentication method.
    pub plugin: Vec<u8>,
    /// Connection attributes in their order.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("capabilities", &self.capabilities)
            .field("user", &String::from_utf8_lossy(&self.user))
            .field("schema", &String::from_utf8_lossy(&self.schema))
            .field("plugin", &String::from_utf8_lossy(&self.plugin))
            .finish_non_exhaustive()
    }
}

/// Capabilities that the first packet of a client names; `None` if it is too short.
#[must_use]
pub fn capabilities(payload: &[u8]) -> Option<Capabilities> {
    Cursor::new(payload).u32().map(Capabilities)
}

/// A request for TLS.
#[must_use]
pub fn tls_request(capabilities: Capabilities, max_packet: u32, collation: u8) -> Vec<u8> {
    let mut payload = Vec::with_capacity(TLS_REQUEST);
    payload.extend_from_slice(&capabilities.0.to_le_bytes());
    payload.extend_from_slice(&max_packet.to_le_bytes());
    payload.push(collation);
    payload.extend_from_slice(&[0; 23]);
    payload
}

impl Login {
    /// Reads one from a client that was offered `offered`; what it claims beyond that is ignored,
    /// as servers do. `None` when it isn't a login.
    #[must_use]
    pub fn parse(payload: &[u8], offered: Capabilities) -> Option<Login> {
        let mut cursor = Cursor::new(payload);
        let claimed = Capabilities(cursor.u32()?);
        let (max_packet, collation) = (cursor.u32()?, cursor.u8()?);
        cursor.take(23)?;
        let user = cursor.nul_terminated()?.to_vec();
        let auth = read_auth(&mut cursor, claimed)?.to_vec();
        let mut login = Login {
            capabilities: claimed & offered,
            max_packet,
            collation,
            user,
            auth,
            schema: Vec::new(),
            plugin: Vec::new(),
            attributes: Vec::new(),
        };
        // Clients leave out what is empty at the end.
        if claimed.contain(Capabilities::CONNECT_WITH_DB) {
            login.schema = cursor.nul_terminated_or_rest().to_vec();
        }
        if claimed.contain(Capabilities::PLUGIN_AUTH) {
            login.plugin = cursor.nul_terminated_or_rest().to_vec();
        }
        if claimed.contain(Capabilities::CONNECT_ATTRS) && !cursor.rest().is_empty() {
            login.attributes = read_attributes(cursor.lenenc_bytes()?)?;
        }
        Some(login)
    }

    /// Its payload. Authentication data that has no room in one byte of length is left out, unless
    /// the capabilities allow more: a server that is given a client's login asks again, because it is
    /// always given a method that isn't the user's.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = tls_request(self.capabilities, self.max_packet, self.collation);
        put_nul_terminated(&mut payload, &self.user);
        if self.capabilities.contain(Capabilities::PLUGIN_AUTH_LENENC) {
            put_lenenc_bytes(&mut payload, &self.auth);
        } else {
            put_short(&mut payload, &self.auth);
        }
        if self.capabilities.contain(Capabilities::CONNECT_WITH_DB) {
            put_nul_terminated(&mut payload, &self.schema);
        }
        if self.capabilities.contain(Capabilities::PLUGIN_AUTH) {
            put_nul_terminated(&mut payload, &self.plugin);
        }
        if self.capabilities.contain(Capabilities::CONNECT_ATTRS) {
            put_attributes(&mut payload, &self.attributes);
        }
        payload
    }

    /// A connection attribute's value.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_slice())
    }
}

fn read_auth<'a>(cursor: &mut Cursor<'a>, claimed: Capabilities) -> Option<&'a [u8]> {
    if claimed.contain(Capabilities::PLUGIN_AUTH_LENENC) {
        cursor.lenenc_bytes()
    } else if claimed.contain(Capabilities::SECURE_CONNECTION) {
        let length = cursor.u8()?;
        cursor.take(usize::from(length))
    } else {
        cursor.nul_terminated()
    }
}

fn put_short(payload: &mut Vec<u8>, auth: &[u8]) {
    let (length, auth) = match u8::try_from(auth.len()) {
        Ok(length) => (length, auth),
        Err(_) => (0, &[][..]),
    };
    payload.push(length);
    payload.extend_from_slice(auth);
}

/// Names and values of connection attributes.
pub(super) fn read_attributes(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut cursor, mut attributes) = (Cursor::new(bytes), Vec::new());
    while !cursor.rest().is_empty() {
        let name = cursor.lenenc_bytes()?.to_vec();
        attributes.push((name, cursor.lenenc_bytes()?.to_vec()));
    }
    Some(attributes)
}

fn put_attributes(payload: &mut Vec<u8>, attributes: &[(Vec<u8>, Vec<u8>)]) {
    let mut bytes = Vec::new();
    for (name, value) in attributes {
        put_lenenc_bytes(&mut bytes, name);
        put_lenenc_bytes(&mut bytes, value);
    }
    put_lenenc(payload, bytes.len() as u64);
    payload.extend_from_slice(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(1_u8.., 0..40)
    }

    proptest! {
        #[test]
        fn a_login_reads_back(
            user in text(), schema in text(), plugin in text(),
            auth in prop::collection::vec(any::<u8>(), 0..255),
            attributes in prop::collection::vec((text(), text()), 0..5),
            max_packet: u32, collation: u8, long: bool,
        ) {
            let mut auth = auth;
            let mut capabilities = Capabilities::RELAYED;
            if long {
                auth.resize(auth.len() + 300, 1);
                capabilities = capabilities | Capabilities::PLUGIN_AUTH_LENENC;
            }
            let login = Login {
                capabilities,
                max_packet, collation, user, auth, schema, plugin, attributes,
            };
            let read = Login::parse(&login.payload(), capabilities);
            prop_assert_eq!(read, Some(login));
        }

        #[test]
        fn any_bytes_are_a_login_or_not(bytes: Vec<u8>) {
            let _ = Login::parse(&bytes, Capabilities::RELAYED);
        }
    }

    #[test]
    fn what_was_not_offered_is_not_agreed_on() {
        let mut payload = tls_request(Capabilities(u32::MAX), 0, 0);
        payload.extend_from_slice(b"u\0\0\0p\0\0");
        let login = Login::parse(&payload, Capabilities::PROTOCOL_41).expect("a login");
        assert_eq!(login.capabilities, Capabilities::PROTOCOL_41);
    }

    #[test]
    fn a_login_is_shown_without_its_secret() {
        let mut payload = tls_request(Capabilities::RELAYED, 0, 0);
        payload.extend_from_slice(b"u\0\x06secret\0p\0");
        let login = Login::parse(&payload, Capabilities::RELAYED).expect("a login");
        assert_eq!(login.auth, b"secret");
        assert!(!format!("{login:?}").contains("secret"));
    }
}
