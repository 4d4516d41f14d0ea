//! Names in a namespace that all tenants of the storage share (resource groups): the tenant's
//! scope is put in front and taken off.
//!
//! `default` is every group-less request's group and stays: a store that finds no group of a name
//! takes it, too.

use mesh_keyspace::Keyspace;

const DEFAULT: &[u8] = b"default";

/// `t1_`: mode letter, id, separator. Resource group names are identifiers of at most 32
/// characters, so the scope is short.
fn prefix(keyspace: &Keyspace) -> String {
    format!(
        "{}{}_",
        char::from(mode_letter(keyspace)),
        keyspace.id().get()
    )
}

/// Ids are unique within a mode only, so every mark of a tenant says its mode.
pub fn mode_letter(keyspace: &Keyspace) -> u8 {
    match keyspace.mode() {
        mesh_keyspace::Mode::Table => b't',
        mesh_keyspace::Mode::Keyspace => b'k',
        mesh_keyspace::Mode::Prefix => b'p',
    }
}

/// Appends the shared name of a tenant's `name`.
pub fn scope(keyspace: &Keyspace, name: &[u8], out: &mut Vec<u8>) {
    if name != DEFAULT {
        out.extend_from_slice(prefix(keyspace).as_bytes());
    }
    out.extend_from_slice(name);
}

/// The tenant's name for a shared one; `None` when it is another tenant's.
pub fn unscope<'a>(keyspace: &Keyspace, name: &'a [u8]) -> Option<&'a [u8]> {
    if name == DEFAULT {
        return Some(name);
    }
    name.strip_prefix(prefix(keyspace).as_bytes())
}
