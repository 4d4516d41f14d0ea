//! What a statement is, by its first words.

use super::piece::{Piece, Punctuation};
use super::word::Word;

/// The class of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Kind {
    /// Comments and spaces only.
    Empty,
    /// `SELECT`, `TABLE`, `VALUES`, in brackets or behind `WITH` too.
    Select,
    /// `INSERT`
    Insert,
    /// `REPLACE`
    Replace,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
    /// `LOAD DATA` and `IMPORT INTO`.
    Load,
    /// Anything that changes schemas, bindings, policies and resource groups.
    Ddl,
    /// Users, roles, privileges and passwords.
    Account,
    /// `BEGIN` and `START TRANSACTION`.
    Begin,
    /// `COMMIT`
    Commit,
    /// `ROLLBACK`, not to a savepoint.
    Rollback,
    /// `SAVEPOINT`, `ROLLBACK TO` and `RELEASE SAVEPOINT`.
    Savepoint,
    /// `SET` of variables, names, roles and such; [`crate::assignments`] tells which.
    Set,
    /// `USE`
    Use,
    /// `SHOW` and `HELP`.
    Show,
    /// `EXPLAIN`, `DESC` and `TRACE`; [`super::Statement::runs`] tells what is run by it.
    Explain,
    /// `PREPARE`; [`crate::prepared`] tells of what.
    Prepare,
    /// `EXECUTE`
    Execute,
    /// `DEALLOCATE PREPARE` and `DROP PREPARE`.
    Deallocate,
    /// `CALL`
    Call,
    /// `DO`
    Do,
    /// `LOCK TABLES` and `UNLOCK TABLES`.
    Lock,
    /// `KILL`
    Kill,
    /// The server's and the cluster's own business: `ADMIN`, `ANALYZE`, `FLUSH`, `BACKUP` …
    Maintenance,
    /// Nothing that is known to start a statement.
    Unknown,
}

/// Finds the kind while the tokens come.
#[derive(Debug, Default)]
pub(super) struct KindFinder {
    first: Word,
    kind: Option<Kind>,
    seen: usize,
    depth: usize,
    first_depth: usize,
    analyze: bool,
    explained: bool,
    previous: Punctuation,
    in_body: bool,
    inner: Option<Box<KindFinder>>,
}

impl KindFinder {
    /// What was found, and what is run besides.
    pub(super) fn found(&self) -> (Kind, Option<Kind>) {
        let kind = match self.kind {
            Some(kind) => kind,
            None if self.seen == 0 => Kind::Empty,
            None => Kind::Unknown,
        };
        let inner = self.inner.as_ref().map(|inner| inner.found().0);
        match self.first {
            Word::Trace => (kind, Some(inner.unwrap_or(Kind::Unknown))),
            _ if self.analyze => (kind, Some(inner.unwrap_or(Kind::Unknown))),
            _ => (kind, None),
        }
    }

    pub(super) fn see(&mut self, piece: &Piece<'_>) {
        if let Some(inner) = &mut self.inner {
            inner.see(piece);
            return;
        }
        self.seen += 1;
        match piece.mark {
            Punctuation::Open => self.depth += 1,
            Punctuation::Close => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if self.first == Word::None {
            self.see_first(piece);
        } else {
            self.see_later(piece);
        }
    }

    fn see_first(&mut self, piece: &Piece<'_>) {
        if piece.mark == Punctuation::Open {
            return;
        }
        self.seen = 1;
        self.first = match piece.word {
            Word::None => Word::Other,
            word => word,
        };
        self.first_depth = self.depth;
        self.kind = by_first(self.first);
    }

    fn see_later(&mut self, piece: &Piece<'_>) {
        let second = (self.seen == 2)
            .then(|| by_second(self.first, piece.word))
            .flatten();
        self.kind = second.or(self.kind);
        self.enter_body(piece);
        match self.first {
            Word::With | Word::Batch if self.kind.is_none() && self.depth == self.first_depth => {
                self.kind = changes_rows(piece.word);
            }
            Word::Explain | Word::Desc | Word::Describe | Word::Trace | Word::Plan => {
                self.see_explained(piece);
            }
            _ => {}
        }
    }

    /// `WITH a AS (…) (SELECT …)`: a bracket right behind the last definition holds the statement.
    fn enter_body(&mut self, piece: &Piece<'_>) {
        let outside = self.depth == self.first_depth + 1;
        let opens = piece.mark == Punctuation::Open && outside;
        if opens && (self.previous == Punctuation::Close || self.in_body) {
            self.first_depth = self.depth;
            self.in_body = true;
        }
        self.previous = piece.mark;
    }

    fn see_explained(&mut self, piece: &Piece<'_>) {
        self.analyze |= piece.word == Word::Analyze;
        // `PLAN REPLAYER DUMP WITH STATS … EXPLAIN` has words of its own before.
        self.explained |= self.first != Word::Plan || piece.word == Word::Explain;
        if !self.explained {
            return;
        }
        let starts = changes_rows(piece.word).is_some()
            || matches!(
                piece.word,
                Word::With
                    | Word::Load
                    | Word::Import
                    | Word::Alter
                    | Word::Create
                    | Word::Drop
                    | Word::Set
                    | Word::Begin
                    | Word::Commit
                    | Word::Rollback
                    | Word::Execute
            );
        if starts || piece.mark == Punctuation::Open {
            let mut inner = Box::new(Self::default());
            inner.see(piece);
            self.inner = Some(inner);
        }
    }
}

/// The statements that `WITH`, `BATCH` and `EXPLAIN` can stand before.
fn changes_rows(word: Word) -> Option<Kind> {
    Some(match word {
        Word::Select | Word::Table | Word::Values => Kind::Select,
        Word::Insert => Kind::Insert,
        Word::Replace => Kind::Replace,
        Word::Update => Kind::Update,
        Word::Delete => Kind::Delete,
        _ => return None,
    })
}

fn by_first(word: Word) -> Option<Kind> {
    if let Some(kind) = changes_rows(word) {
        return Some(kind);
    }
    Some(match word {
        Word::Load | Word::Import => Kind::Load,
        Word::Create
        | Word::Alter
        | Word::Drop
        | Word::Truncate
        | Word::Rename
        | Word::Flashback
        | Word::Recover => Kind::Ddl,
        Word::Grant | Word::Revoke => Kind::Account,
        Word::Begin | Word::Start => Kind::Begin,
        Word::Commit => Kind::Commit,
        Word::Rollback => Kind::Rollback,
        Word::Savepoint | Word::Release => Kind::Savepoint,
        Word::Set => Kind::Set,
        Word::Use => Kind::Use,
        Word::Show | Word::Help => Kind::Show,
        Word::Explain | Word::Desc | Word::Describe | Word::Trace => Kind::Explain,
        Word::Prepare => Kind::Prepare,
        Word::Execute => Kind::Execute,
        Word::Deallocate => Kind::Deallocate,
        Word::Call => Kind::Call,
        Word::Do => Kind::Do,
        Word::Lock | Word::Unlock => Kind::Lock,
        Word::Kill => Kind::Kill,
        _ => return maintenance(word),
    })
}

fn maintenance(word: Word) -> Option<Kind> {
    matches!(
        word,
        Word::Admin
            | Word::Analyze
            | Word::Backup
            | Word::Binlog
            | Word::Calibrate
            | Word::Cancel
            | Word::Change
            | Word::Checksum
            | Word::Distribute
            | Word::Flush
            | Word::Optimize
            | Word::Pause
            | Word::Plan
            | Word::Purge
            | Word::Query
            | Word::Recommend
            | Word::Refresh
            | Word::Repair
            | Word::Restart
            | Word::Restore
            | Word::Resume
            | Word::Shutdown
            | Word::Split
            | Word::Stop
            | Word::Traffic
    )
    .then_some(Kind::Maintenance)
}

fn by_second(first: Word, second: Word) -> Option<Kind> {
    Some(match (first, second) {
        (Word::Create | Word::Alter | Word::Drop | Word::Rename, Word::User | Word::Role) => {
            Kind::Account
        }
        (Word::Drop, Word::Prepare) => Kind::Deallocate,
        (Word::Alter, Word::Instance) => Kind::Maintenance,
        (Word::Drop | Word::Load | Word::Lock | Word::Unlock, Word::Stats) => Kind::Maintenance,
        (Word::Set, Word::Password | Word::Default) => Kind::Account,
        (Word::Rollback, Word::To) => Kind::Savepoint,
        _ => return None,
    })
}
