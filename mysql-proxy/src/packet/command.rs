//! Commands (page "Command Phase") and the form of their answers.

/// The first byte of a command's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command(pub u8);

/// How the answer to a command is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// Nothing is answered.
    Silent,
    /// One packet, whatever it is.
    One,
    /// OK, error, a file request, or result sets.
    Results,
    /// Column definitions up to an EOF.
    Columns,
    /// A prepared statement: its OK, then parameters and columns.
    Prepared,
    /// Rows up to an EOF.
    Rows,
}

impl Command {
    /// COM_QUIT.
    pub const QUIT: Command = Command(0x01);
    /// COM_INIT_DB.
    pub const INIT_DB: Command = Command(0x02);
    /// COM_QUERY.
    pub const QUERY: Command = Command(0x03);
    /// COM_FIELD_LIST.
    pub const FIELD_LIST: Command = Command(0x04);
    /// COM_PROCESS_KILL.
    pub const PROCESS_KILL: Command = Command(0x0c);
    /// COM_CHANGE_USER.
    pub const CHANGE_USER: Command = Command(0x11);
    /// COM_STMT_PREPARE.
    pub const STMT_PREPARE: Command = Command(0x16);
    /// COM_STMT_EXECUTE.
    pub const STMT_EXECUTE: Command = Command(0x17);
    /// COM_STMT_SEND_LONG_DATA.
    pub const STMT_SEND_LONG_DATA: Command = Command(0x18);
    /// COM_STMT_CLOSE.
    pub const STMT_CLOSE: Command = Command(0x19);
    /// COM_STMT_RESET.
    pub const STMT_RESET: Command = Command(0x1a);
    /// COM_STMT_FETCH.
    pub const STMT_FETCH: Command = Command(0x1c);
    /// COM_RESET_CONNECTION.
    pub const RESET_CONNECTION: Command = Command(0x1f);

    /// The form of its answer. A command that nobody here knows is relayed too; the servers answer
    /// it with one error packet.
    #[must_use]
    pub fn answer(self) -> AnswerForm {
        match self {
            Self::QUIT | Self::STMT_SEND_LONG_DATA | Self::STMT_CLOSE => AnswerForm::Silent,
            Self::QUERY | Self::STMT_EXECUTE => AnswerForm::Results,
            Self::FIELD_LIST => AnswerForm::Columns,
            Self::STMT_PREPARE => AnswerForm::Prepared,
            Self::STMT_FETCH => AnswerForm::Rows,
            _ => AnswerForm::One,
        }
    }

    /// Its name for people and metrics; a closed set.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0x01 => "Quit",
            0x02 => "InitDB",
            0x03 => "Query",
            0x04 => "FieldList",
            0x09 => "Statistics",
            0x0c => "ProcessKill",
            0x0e => "Ping",
            0x11 => "ChangeUser",
            0x12 => "BinlogDump",
            0x16 => "StmtPrepare",
            0x17 => "StmtExecute",
            0x18 => "StmtSendLongData",
            0x19 => "StmtClose",
            0x1a => "StmtReset",
            0x1b => "SetOption",
            0x1c => "StmtFetch",
            0x1f => "ResetConnection",
            _ => "Other",
        }
    }
}
