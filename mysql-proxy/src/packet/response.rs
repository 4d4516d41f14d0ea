//! Follows the answer to a command, packet by packet, up to its last one.
//!
//! What must stay true: following never changes a byte, and an answer of a form that isn't
//! understood is an [`Outcome::Lost`], never a guess. The relay then goes on without following.

use super::MAX_PAYLOAD;
use super::capability::Capabilities;
use super::command::{AnswerForm, Command};
use super::cursor::Cursor;
use super::status::Status;
use super::walker::{Begun, Step, Visitor};

const OK: u8 = 0x00;
const FILE_REQUEST: u8 = 0xfb;
const EOF: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// What the next packet of the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// No answer is due.
    Nothing,
    /// The only packet.
    Only,
    /// The first packet of a result.
    First,
    /// So many column definitions.
    Columns(u64),
    /// The EOF between column definitions and rows.
    ColumnsEnd,
    /// Rows, or what ends them.
    Rows,
    /// A prepared statement's OK.
    Prepared,
    /// So many definitions and EOFs of a prepared statement.
    Definitions(u32),
    /// Nothing more: the packet that passes is the last.
    Last,
    /// Anything: the answer was not understood.
    Unknown,
}

/// What became of the bytes followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer goes on.
    Open,
    /// Its last packet has passed.
    Complete,
    /// The server asks the client for a file.
    FileRequested,
    /// The answer has no form known here.
    Lost,
}

/// Follows answers of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Responses {
    expected: Expected,
    execute: bool,
    deprecate_eof: bool,
    file_requested: bool,
    failed: bool,
    status: Status,
}

impl Responses {
    /// For a connection with these capabilities agreed on.
    #[must_use]
    pub fn new(agreed: Capabilities) -> Self {
        Responses {
            expected: Expected::Nothing,
            execute: false,
            deprecate_eof: agreed.contain(Capabilities::DEPRECATE_EOF),
            file_requested: false,
            failed: false,
            status: Status::default(),
        }
    }

    /// A command goes to the server; says whether it has an answer.
    pub fn begin(&mut self, command: Command) -> bool {
        self.execute = command == Command::STMT_EXECUTE;
        self.failed = false;
        self.file_requested = false;
        self.expected = match command.answer() {
            AnswerForm::Silent => Expected::Nothing,
            AnswerForm::One => Expected::Only,
            AnswerForm::Results => Expected::First,
            AnswerForm::Columns | AnswerForm::Rows => Expected::Rows,
            AnswerForm::Prepared => Expected::Prepared,
        };
        self.expected != Expected::Nothing
    }

    /// Status flags that the server told last.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether the last answer was an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// What has become of the answer. Telling of a file request is done once.
    pub fn outcome(&mut self) -> Outcome {
        if std::mem::take(&mut self.file_requested) {
            return Outcome::FileRequested;
        }
        match self.expected {
            Expected::Nothing => Outcome::Complete,
            Expected::Unknown => Outcome::Lost,
            _ => Outcome::Open,
        }
    }

    fn next(&self, payload: Begun<'_>) -> Option<Expected> {
        let first = payload.head.first().copied();
        match self.expected {
            Expected::Nothing | Expected::Last | Expected::Unknown => None,
            Expected::Only => Some(Expected::Last),
            Expected::First => Self::after_first(payload),
            Expected::Columns(_) if first == Some(ERROR) => Some(Expected::Last),
            Expected::Columns(left) => Some(self.after_column(left.checked_sub(1)?)),
            Expected::ColumnsEnd => self.after_columns(payload),
            Expected::Rows => Some(self.after_row(payload)),
            Expected::Prepared => self.after_prepared(payload.head),
            Expected::Definitions(left) => Some(match left.checked_sub(1)? {
                0 => Expected::Last,
                left => Expected::Definitions(left),
            }),
        }
    }

    fn after_first(payload: Begun<'_>) -> Option<Expected> {
        match *payload.head.first()? {
            OK => Some(if Status::of_ok(payload.head)?.more_results() {
                Expected::First
            } else {
                Expected::Last
            }),
            ERROR => Some(Expected::Last),
            FILE_REQUEST => Some(Expected::First),
            _ => Some(Expected::Columns(Cursor::new(payload.head).lenenc()?)),
        }
    }

    fn after_column(&self, left: u64) -> Expected {
        match left {
            0 if self.deprecate_eof => Expected::Rows,
            0 => Expected::ColumnsEnd,
            left => Expected::Columns(left),
        }
    }

    /// With a cursor the rows are fetched by later commands.
    fn after_columns(&self, payload: Begun<'_>) -> Option<Expected> {
        match *payload.head.first()? {
            EOF if self.execute && Status::of_eof(payload.head)?.cursor() => Some(Expected::Last),
            EOF => Some(Expected::Rows),
            ERROR => Some(Expected::Last),
            _ => None,
        }
    }

    fn after_row(&self, payload: Begun<'_>) -> Expected {
        match self.end_of_rows(payload) {
            Some(status) if status.more_results() => Expected::First,
            Some(_) => Expected::Last,
            None if payload.head.first() == Some(&ERROR) => Expected::Last,
            None => Expected::Rows,
        }
    }

    /// A row can begin with 0xfe too, but only one of 16 MiB or more.
    fn end_of_rows(&self, payload: Begun<'_>) -> Option<Status> {
        if payload.head.first() != Some(&EOF) || payload.length >= MAX_PAYLOAD {
            return None;
        }
        if self.deprecate_eof {
            Status::of_ok(payload.head)
        } else {
            Status::of_eof(payload.head)
        }
    }

    /// Page "COM_STMT_PREPARE_OK": 0x00, statement id, columns, parameters.
    fn after_prepared(&self, head: &[u8]) -> Option<Expected> {
        let mut cursor = Cursor::new(head);
        match cursor.u8()? {
            ERROR => return Some(Expected::Last),
            OK => {}
            _ => return None,
        }
        cursor.u32()?;
        let (columns, parameters) = (u32::from(cursor.u16()?), u32::from(cursor.u16()?));
        let ends = if self.deprecate_eof {
            0
        } else {
            u32::from(columns > 0) + u32::from(parameters > 0)
        };
        Some(match columns + parameters + ends {
            0 => Expected::Last,
            packets => Expected::Definitions(packets),
        })
    }

    /// Status flags, if this packet has any.
    fn status_in(&self, payload: Begun<'_>) -> Option<Status> {
        let first = *payload.head.first()?;
        match self.expected {
            Expected::First | Expected::Only if first == OK => Status::of_ok(payload.head),
            Expected::ColumnsEnd => Status::of_eof(payload.head),
            Expected::Only | Expected::Rows => self.end_of_rows(payload),
            _ => None,
        }
    }
}

impl Visitor for Responses {
    fn begun(&mut self, payload: Begun<'_>) {
        if let Some(status) = self.status_in(payload) {
            self.status = status;
        }
        let first = payload.head.first();
        self.file_requested |= self.expected == Expected::First && first == Some(&FILE_REQUEST);
        self.failed |= first == Some(&ERROR);
        self.expected = self.next(payload).unwrap_or(Expected::Unknown);
    }

    fn ended(&mut self) -> Step {
        match self.expected {
            Expected::Last => {
                self.expected = Expected::Nothing;
                Step::Stop
            }
            Expected::Unknown => Step::Stop,
            _ if self.file_requested => Step::Stop,
            _ => Step::On,
        }
    }
}

#[cfg(test)]
mod tests;
