//! The tables, views, sequences and schemas that a statement names.
//!
//! Tokens know no grammar, so this is a guess in one direction: where a name may stand for an
//! object, it is one. A common table expression, a column behind `FROM` inside an unusual
//! function or a schema in `SHOW … FROM` is told as an object too; a real one is not left out in
//! the statements that the tests list.

use super::piece::{Piece, Punctuation};
use super::word::Word;
use crate::lowercase::append_lowercase;

/// The name of a table, view, sequence or schema, in lower case, as TiDB compares names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// What stands before the dot.
    pub schema: Option<String>,
    /// The name, or `*` in grants.
    pub name: String,
}

pub(crate) fn name_of(text: &[u8]) -> String {
    let mut lower = Vec::with_capacity(text.len());
    append_lowercase(text, &mut lower);
    String::from_utf8(lower).unwrap_or_default()
}

/// One bit for each depth of brackets. Deeper ones share the last bit.
#[derive(Debug, Default)]
struct DepthSet(u64);

impl DepthSet {
    fn set(&mut self, depth: usize, on: bool) {
        let bit = 1 << depth.min(63);
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }

    fn has(&self, depth: usize) -> bool {
        self.0 & (1 << depth.min(63)) != 0
    }
}

/// Finds objects while the tokens come.
#[derive(Debug, Default)]
pub(super) struct ObjectFinder {
    found: Vec<ObjectName>,
    partial: Option<ObjectName>,
    after_dot: bool,
    expecting: bool,
    depth: usize,
    /// Depths at which a comma leads to the next object.
    lists: DepthSet,
    /// Depths inside `TRIM(…)` and the like, where `FROM` is a separator.
    separators: DepthSet,
    first: Word,
    previous: Word,
    previous_function: Function,
    verb_seen: bool,
    on_index: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Function {
    #[default]
    None,
    /// `FROM` separates its arguments.
    Separating,
    /// Its argument is a sequence.
    OfSequence,
}

impl ObjectFinder {
    pub(super) fn found(&mut self) -> Vec<ObjectName> {
        self.finish();
        std::mem::take(&mut self.found)
    }

    pub(super) fn see(&mut self, piece: &Piece<'_>) {
        if self.continue_name(piece) {
            return;
        }
        let taken = self.expecting && self.expected(piece);
        if !taken {
            self.brackets(piece);
            self.trigger(piece);
        }
        if self.first == Word::None && piece.mark != Punctuation::Open {
            self.first = match piece.word {
                Word::None => Word::Other,
                word => word,
            };
        }
        self.previous = piece.word;
        self.previous_function = function(piece);
    }

    /// Takes the parts of a name that has begun.
    fn continue_name(&mut self, piece: &Piece<'_>) -> bool {
        let Some(partial) = &mut self.partial else {
            return false;
        };
        if piece.mark == Punctuation::Dot {
            self.after_dot = true;
            return true;
        }
        if self.after_dot && (piece.is_name() || piece.mark == Punctuation::Star) {
            self.after_dot = false;
            let name = name_of(piece.text);
            partial.schema = Some(std::mem::replace(&mut partial.name, name));
            return true;
        }
        self.finish();
        false
    }

    fn finish(&mut self) {
        self.after_dot = false;
        if let Some(object) = self.partial.take()
            && !self.found.contains(&object)
        {
            self.found.push(object);
        }
    }

    /// Where an object's name may come. `false`: the token has to be looked at further.
    fn expected(&mut self, piece: &Piece<'_>) -> bool {
        if piece.mark == Punctuation::Open && self.previous != Word::Using {
            self.depth += 1;
            self.lists.set(self.depth, true);
            self.separators.set(self.depth, false);
            return true;
        }
        if piece.mark == Punctuation::Dot || is_modifier(piece.word) {
            return true;
        }
        self.expecting = false;
        let name = piece.is_name() && !starts_something_else(piece.word)
            || piece.mark == Punctuation::Star;
        if name {
            self.partial = Some(ObjectName {
                schema: None,
                name: name_of(piece.text),
            });
        }
        name
    }

    fn brackets(&mut self, piece: &Piece<'_>) {
        match piece.mark {
            Punctuation::Open => {
                self.depth += 1;
                self.lists.set(self.depth, false);
                self.separators
                    .set(self.depth, self.previous_function == Function::Separating);
                self.expecting = self.previous_function == Function::OfSequence;
            }
            Punctuation::Close => self.depth = self.depth.saturating_sub(1),
            Punctuation::Comma => self.expecting = self.lists.has(self.depth),
            _ => {}
        }
    }

    fn trigger(&mut self, piece: &Piece<'_>) {
        let word = piece.word;
        if self.leads_to_list(word) {
            self.lists.set(self.depth, true);
            self.expecting = true;
        } else if self.leads_to_one(word) {
            self.expecting = true;
        } else if ends_list(word) {
            self.lists.set(self.depth, false);
        }
        self.verb_seen |= is_verb(word);
        self.on_index |= matches!(self.first, Word::Create | Word::Drop)
            && matches!(word, Word::Index | Word::Stats);
    }

    fn leads_to_list(&self, word: Word) -> bool {
        match word {
            Word::From => !self.separators.has(self.depth),
            Word::Join | Word::StraightJoin => true,
            // `ALTER TABLE` goes on with a list of changes.
            Word::Table | Word::Tables => self.first != Word::Alter,
            Word::Update => !matches!(self.previous, Word::For | Word::Key | Word::On),
            Word::Delete => self.previous != Word::On,
            Word::Using => self.first == Word::Delete,
            Word::View | Word::Sequence => self.is_ddl(),
            _ => false,
        }
    }

    fn leads_to_one(&self, word: Word) -> bool {
        let starts = self.first == Word::None;
        match word {
            Word::Into | Word::References | Word::Table => true,
            Word::Insert | Word::Replace => !self.verb_seen,
            Word::Database | Word::Schema => self.is_ddl(),
            Word::Desc
            | Word::Describe
            | Word::Explain
            | Word::Use
            | Word::Truncate
            | Word::Call => starts,
            Word::On => {
                self.depth == 0
                    && (matches!(self.first, Word::Grant | Word::Revoke) || self.on_index)
            }
            Word::Like => self.first == Word::Create,
            Word::To => matches!(self.first, Word::Rename | Word::Alter | Word::Flashback),
            Word::In => self.first == Word::Show,
            Word::For => self.previous == Word::Value,
            _ => false,
        }
    }

    fn is_ddl(&self) -> bool {
        matches!(
            self.first,
            Word::Create | Word::Alter | Word::Drop | Word::Show | Word::Flashback | Word::Recover
        )
    }
}

fn function(piece: &Piece<'_>) -> Function {
    if !piece.is_name() {
        return Function::None;
    }
    let is = |name: &str| piece.text.eq_ignore_ascii_case(name.as_bytes());
    if ["trim", "extract", "substring", "substr", "mid"]
        .into_iter()
        .any(is)
    {
        Function::Separating
    } else if ["nextval", "lastval", "setval"].into_iter().any(is) {
        Function::OfSequence
    } else {
        Function::None
    }
}

/// Words between the one that announces an object and the object.
fn is_modifier(word: Word) -> bool {
    matches!(
        word,
        Word::Delayed
            | Word::Exists
            | Word::From
            | Word::HighPriority
            | Word::If
            | Word::Ignore
            | Word::Into
            | Word::Lateral
            | Word::Lock
            | Word::LowPriority
            | Word::Not
            | Word::Only
            | Word::Quick
            | Word::Table
            | Word::Tables
            | Word::Temporary
    )
}

/// Words that can't be an object's name unless quoted, or aren't in practice.
fn starts_something_else(word: Word) -> bool {
    matches!(
        word,
        Word::Analyze
            | Word::Column
            | Word::Delete
            | Word::Dumpfile
            | Word::For
            | Word::Index
            | Word::Insert
            | Word::Key
            | Word::Like
            | Word::Outfile
            | Word::Replace
            | Word::Select
            | Word::Set
            | Word::Timestamp
            | Word::Update
            | Word::Values
            | Word::Where
            | Word::With
    )
}

/// Words after which a comma no longer leads to an object.
fn ends_list(word: Word) -> bool {
    matches!(
        word,
        Word::Where
            | Word::Group
            | Word::Order
            | Word::Having
            | Word::Limit
            | Word::Set
            | Word::Values
            | Word::Value
            | Word::Select
            | Word::Union
            | Word::Except
            | Word::Intersect
            | Word::Window
            | Word::For
            | Word::Into
    )
}

/// Words after which `INSERT` and `REPLACE` are functions.
fn is_verb(word: Word) -> bool {
    matches!(
        word,
        Word::Select
            | Word::Insert
            | Word::Replace
            | Word::Update
            | Word::Delete
            | Word::Set
            | Word::Create
            | Word::Alter
            | Word::Do
            | Word::Call
            | Word::Values
    )
}
