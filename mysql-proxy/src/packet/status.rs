//! Server status flags (page "SERVER_STATUS_flags_enum"), as OK and EOF packets carry them.

use super::cursor::Cursor;

/// Status flags of the last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status(pub u16);

impl Status {
    const IN_TRANSACTION: u16 = 0x0001;
    const AUTOCOMMIT: u16 = 0x0002;
    const MORE_RESULTS: u16 = 0x0008;
    const CURSOR: u16 = 0x0040;
    const LAST_ROW: u16 = 0x0080;

    /// A transaction is open.
    #[must_use]
    pub fn in_transaction(self) -> bool {
        self.0 & Self::IN_TRANSACTION != 0
    }

    /// Each statement is its own transaction.
    #[must_use]
    pub fn autocommit(self) -> bool {
        self.0 & Self::AUTOCOMMIT != 0
    }

    /// Another result follows.
    #[must_use]
    pub fn more_results(self) -> bool {
        self.0 & Self::MORE_RESULTS != 0
    }

    /// A cursor is open: rows come by COM_STMT_FETCH.
    #[must_use]
    pub fn cursor(self) -> bool {
        self.0 & Self::CURSOR != 0
    }

    /// The cursor has given its last row.
    #[must_use]
    pub fn last_row(self) -> bool {
        self.0 & Self::LAST_ROW != 0
    }

    /// A cursor has rows to give yet.
    #[must_use]
    pub fn open_cursor(self) -> bool {
        self.cursor() && !self.last_row()
    }

    /// Of an OK packet's payload, header byte (0x00 or 0xfe) included (page "OK_Packet").
    #[must_use]
    pub fn of_ok(payload: &[u8]) -> Option<Status> {
        let mut cursor = Cursor::new(payload);
        cursor.u8()?;
        cursor.lenenc()?;
        cursor.lenenc()?;
        cursor.u16().map(Status)
    }

    /// Of an EOF packet's payload (page "EOF_Packet").
    #[must_use]
    pub fn of_eof(payload: &[u8]) -> Option<Status> {
        let mut cursor = Cursor::new(payload);
        cursor.u8()?;
        cursor.u16()?;
        cursor.u16().map(Status)
    }
}
