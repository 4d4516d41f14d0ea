//! A tenant's identity across modes: mode and id together.
//!
//! Ids are counted per mode, so an id alone names up to three tenants. Whatever is kept outside
//! `ids/<mode>/` therefore uses the fixed-width form below.

use std::fmt;

use mesh_keyspace::{IdOutOfRange, Mode, TenantId};

/// Mode and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Mode.
    pub mode: Mode,
    /// Id within the mode.
    pub id: TenantId,
}

impl Scope {
    /// Pairs an id with its mode.
    ///
    /// # Errors
    /// [`IdOutOfRange`].
    pub fn new(mode: Mode, id: u32) -> Result<Scope, IdOutOfRange> {
        Ok(Scope {
            mode,
            id: TenantId::new(mode, id)?,
        })
    }

    /// Eight lower-case hexadecimal digits, an on-disk format:
    ///
    /// | digits | meaning |
    /// |---|---|
    /// | 2 | mode: `00` table, `01` keyspace, `02` prefix |
    /// | 6 | id |
    pub fn hex(self) -> String {
        format!("{:02x}{:06x}", mode_byte(self.mode), self.id.get())
    }
}

/// `<mode>/<id>`, the id in decimal: `table/1`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.mode, self.id)
    }
}

fn mode_byte(mode: Mode) -> u8 {
    match mode {
        Mode::Table => 0,
        Mode::Keyspace => 1,
        Mode::Prefix => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_pinned() {
        for (mode, id, hex, text) in [
            (Mode::Table, 1, "00000001", "table/1"),
            (Mode::Table, 32767, "00007fff", "table/32767"),
            (Mode::Keyspace, 1, "01000001", "keyspace/1"),
            (Mode::Prefix, 0xff_ffff, "02ffffff", "prefix/16777215"),
        ] {
            let scope = Scope::new(mode, id).unwrap();
            assert_eq!(scope.hex(), hex);
            assert_eq!(scope.to_string(), text);
        }
        assert!(Scope::new(Mode::Table, 0).is_err());
        assert!(Scope::new(Mode::Table, 32768).is_err());
    }
}
