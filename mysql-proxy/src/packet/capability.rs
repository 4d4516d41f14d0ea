//! Capability flags (page "Capabilities Flags") and what the relay can carry.

use std::ops::{BitAnd, BitOr};

/// Flags of a client, a server, or what both agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Capabilities(pub u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Capabilities {
            $($(#[$doc])* pub const $name: Capabilities = Capabilities(1 << $bit);)*
        }
    };
}

flags! {
    /// Longer password hashes.
    LONG_PASSWORD = 0;
    /// Affected rows are found rows.
    FOUND_ROWS = 1;
    /// Longer column flags.
    LONG_FLAG = 2;
    /// The login names a schema.
    CONNECT_WITH_DB = 3;
    /// zlib framing after the login.
    COMPRESS = 5;
    /// LOAD DATA LOCAL.
    LOCAL_FILES = 7;
    /// The protocol since 4.1; nothing older is relayed.
    PROTOCOL_41 = 9;
    /// `interactive_timeout` counts, not `wait_timeout`.
    INTERACTIVE = 10;
    /// The connection becomes TLS after the first packet.
    SSL = 11;
    /// Status flags are known.
    TRANSACTIONS = 13;
    /// Authentication data has a length.
    SECURE_CONNECTION = 15;
    /// Several statements in one COM_QUERY.
    MULTI_STATEMENTS = 16;
    /// Several results of one command.
    MULTI_RESULTS = 17;
    /// Authentication methods have names and can be switched.
    PLUGIN_AUTH = 19;
    /// The login carries connection attributes.
    CONNECT_ATTRS = 20;
    /// Authentication data has a length-encoded length.
    PLUGIN_AUTH_LENENC = 21;
    /// A result set's metadata isn't followed by an EOF, and an OK ends its rows.
    DEPRECATE_EOF = 24;
    /// zstd framing after the login.
    ZSTD = 26;
}

impl Capabilities {
    /// None.
    pub const NONE: Capabilities = Capabilities(0);

    /// What the relay understands. A flag that changes the form of packets and isn't here (session
    /// tracking, optional metadata, query attributes) is never offered to a client, so that it can
    /// never be agreed on.
    pub const RELAYED: Capabilities = Capabilities(
        Self::LONG_PASSWORD.0
            | Self::FOUND_ROWS.0
            | Self::LONG_FLAG.0
            | Self::CONNECT_WITH_DB.0
            | Self::LOCAL_FILES.0
            | Self::PROTOCOL_41.0
            | Self::INTERACTIVE.0
            | Self::TRANSACTIONS.0
            | Self::SECURE_CONNECTION.0
            | Self::MULTI_STATEMENTS.0
            | Self::MULTI_RESULTS.0
            | Self::PLUGIN_AUTH.0
            | Self::CONNECT_ATTRS.0
            | Self::DEPRECATE_EOF.0,
    );

    /// Flags without which a login can't be relayed.
    pub const REQUIRED: Capabilities =
        Capabilities(Self::PROTOCOL_41.0 | Self::SECURE_CONNECTION.0 | Self::PLUGIN_AUTH.0);

    /// Flags that change what both sides must send: agreed on with one side, they must hold on the
    /// other too.
    pub const FORM_OF_PACKETS: Capabilities =
        Capabilities(Self::DEPRECATE_EOF.0 | Self::COMPRESS.0 | Self::ZSTD.0);

    /// Whether all of `others` are set.
    #[must_use]
    pub fn contain(self, others: Capabilities) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether any of `others` is set.
    #[must_use]
    pub fn intersect(self, others: Capabilities) -> bool {
        self.0 & others.0 != 0
    }

    /// Without `others`.
    #[must_use]
    pub fn without(self, others: Capabilities) -> Capabilities {
        Capabilities(self.0 & !others.0)
    }
}

impl BitOr for Capabilities {
    type Output = Capabilities;

    fn bitor(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }
}

impl BitAnd for Capabilities {
    type Output = Capabilities;

    fn bitand(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & other.0)
    }
}
