//! The command that logs in anew on a connection (page "COM_CHANGE_USER").

use super::capability::Capabilities;
use super::cursor::Cursor;
use super::login::{Login, read_attributes};

/// Reads one as the login that it stands for. What it leaves out stays as in `before`.
#[must_use]
pub fn parse(payload: &[u8], before: &Login) -> Option<Login> {
    let mut cursor = Cursor::new(payload);
    cursor.u8()?;
    let user = cursor.nul_terminated()?.to_vec();
    let length = cursor.u8()?;
    let auth = cursor.take(usize::from(length))?.to_vec();
    let schema = cursor.nul_terminated_or_rest().to_vec();
    let mut login = Login {
        user,
        auth,
        schema,
        ..before.clone()
    };
    if let Some(collation) = cursor.u16() {
        // A login has one byte for it; servers take the low byte of collations above 255 too.
        let [low, _] = collation.to_le_bytes();
        login.collation = low;
    }
    if login.capabilities.contain(Capabilities::PLUGIN_AUTH) && !cursor.rest().is_empty() {
        login.plugin = cursor.nul_terminated_or_rest().to_vec();
    }
    if login.capabilities.contain(Capabilities::CONNECT_ATTRS) && !cursor.rest().is_empty() {
        login.attributes = read_attributes(cursor.lenenc_bytes()?)?;
    }
    let with_schema = Capabilities::CONNECT_WITH_DB;
    login.capabilities = login.capabilities.without(with_schema);
    if !login.schema.is_empty() {
        login.capabilities = login.capabilities | with_schema;
    }
    Some(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> Login {
        Login {
            capabilities: Capabilities::RELAYED,
            max_packet: 1,
            collation: 45,
            user: b"alpha.root".to_vec(),
            auth: Vec::new(),
            schema: b"test".to_vec(),
            plugin: b"p".to_vec(),
            attributes: vec![(b"a".to_vec(), b"b".to_vec())],
        }
    }

    #[test]
    fn it_is_a_login_of_the_other_user() {
        let payload = b"\x11alpha.other\0\x02xydb\0\x21\x00mysql_native_password\0\x00";
        let login = parse(payload, &before()).expect("a login");
        assert_eq!(login.user, b"alpha.other");
        assert_eq!(login.auth, b"xy");
        assert_eq!(login.schema, b"db");
        assert_eq!(login.collation, 0x21);
        assert_eq!(login.plugin, b"mysql_native_password");
        assert_eq!(login.attributes, []);
    }

    #[test]
    fn what_is_left_out_stays_and_no_schema_is_none() {
        let login = parse(b"\x11u\0\0\0", &before()).expect("a login");
        assert_eq!(login.attributes, before().attributes);
        assert!(!login.capabilities.contain(Capabilities::CONNECT_WITH_DB));
        assert_eq!(parse(b"\x11u\0\x09short", &before()), None);
    }
}
