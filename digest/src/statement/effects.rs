//! What a statement does besides what its kind says, and what of its session it needs.

use super::piece::{Piece, Punctuation};
use super::word::Word;
use crate::token::TokenKind;

/// One thing that a router or a rule has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[repr(u8)]
pub enum Effect {
    /// `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`.
    LocksRows = 1,
    /// `INTO OUTFILE`, `INTO DUMPFILE`.
    WritesFile = 2,
    /// `:=` or `INTO @variable`.
    AssignsVariable = 4,
    /// A function that changes something: sequences, user locks, `LAST_INSERT_ID(expr)`.
    CallsSideEffect = 8,
    /// Variables and functions whose answer belongs to this session on this server.
    ReadsSession = 16,
    /// `AS OF TIMESTAMP`
    ReadsPast = 32,
    /// Functions that wait or burn time: `SLEEP`, `BENCHMARK`.
    Delays = 64,
}

const EFFECTS: [Effect; 7] = [
    Effect::LocksRows,
    Effect::WritesFile,
    Effect::AssignsVariable,
    Effect::CallsSideEffect,
    Effect::ReadsSession,
    Effect::ReadsPast,
    Effect::Delays,
];

/// A set of effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects(u8);

impl Effects {
    /// Whether `effect` is among them.
    pub fn contains(self, effect: Effect) -> bool {
        self.0 & effect as u8 != 0
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = Effect> {
        EFFECTS
            .into_iter()
            .filter(move |effect| self.contains(*effect))
    }

    fn add(&mut self, effect: Effect) {
        self.0 |= effect as u8;
    }
}

/// Finds effects while the tokens come. A function is a name before a bracket, quoted or not,
/// whatever stands between the two.
#[derive(Debug, Default)]
pub(super) struct EffectFinder {
    found: Effects,
    previous: Word,
    function: Function,
    last_insert_id: bool,
}

impl EffectFinder {
    pub(super) fn found(&self) -> Effects {
        self.found
    }

    pub(super) fn see(&mut self, piece: &Piece<'_>) {
        if std::mem::take(&mut self.last_insert_id) {
            self.found.add(match piece.mark {
                Punctuation::Close => Effect::ReadsSession,
                _ => Effect::CallsSideEffect,
            });
        }
        match piece.kind {
            TokenKind::UserVariable if self.previous == Word::Into => {
                self.found.add(Effect::AssignsVariable);
            }
            TokenKind::UserVariable | TokenKind::SystemVariable => {
                self.found.add(Effect::ReadsSession);
            }
            _ => {}
        }
        match piece.mark {
            Punctuation::Assign => self.found.add(Effect::AssignsVariable),
            Punctuation::Open => self.call(),
            _ => {}
        }
        self.words(piece.word);
        // The target of `INTO @a, @b` stays one over the comma.
        let stays = self.previous == Word::Into
            && (piece.kind == TokenKind::UserVariable || piece.mark == Punctuation::Comma);
        if !stays {
            self.previous = piece.word;
        }
        self.function = match piece.is_name() {
            true => Function::of(piece.text),
            false => Function::Other,
        };
    }

    fn words(&mut self, word: Word) {
        match (self.previous, word) {
            (Word::For, Word::Update | Word::Share) | (Word::Lock, Word::In) => {
                self.found.add(Effect::LocksRows);
            }
            (Word::Into, Word::Outfile | Word::Dumpfile) => self.found.add(Effect::WritesFile),
            // `NEXT VALUE FOR sequence`
            (Word::Value, Word::For) => self.found.add(Effect::CallsSideEffect),
            (Word::As, Word::Of) => self.found.add(Effect::ReadsPast),
            _ => {}
        }
    }

    fn call(&mut self) {
        match self.function {
            Function::Other => {}
            Function::SideEffect => self.found.add(Effect::CallsSideEffect),
            Function::Session => self.found.add(Effect::ReadsSession),
            Function::Delay => self.found.add(Effect::Delays),
            Function::LastInsertId => self.last_insert_id = true,
        }
    }
}

#[derive(Debug, Default)]
enum Function {
    #[default]
    Other,
    SideEffect,
    Session,
    Delay,
    LastInsertId,
}

impl Function {
    fn of(name: &[u8]) -> Self {
        let is = |names: &[&str]| {
            let mut names = names.iter();
            names.any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        };
        if name.len() < 5 {
            return Self::Other;
        }
        if is(&["last_insert_id"]) {
            Self::LastInsertId
        } else if is(&SIDE_EFFECTS) {
            Self::SideEffect
        } else if is(&SESSION) {
            Self::Session
        } else if is(&["sleep", "benchmark"]) {
            Self::Delay
        } else {
            Self::Other
        }
    }
}

const SIDE_EFFECTS: [&str; 7] = [
    "nextval",
    "setval",
    "get_lock",
    "release_lock",
    "release_all_locks",
    "load_file",
    "master_pos_wait",
];

const SESSION: [&str; 10] = [
    "lastval",
    "connection_id",
    "found_rows",
    "row_count",
    "current_role",
    "is_free_lock",
    "is_used_lock",
    "tidb_current_tso",
    "ps_current_thread_id",
    "current_resource_group",
];
