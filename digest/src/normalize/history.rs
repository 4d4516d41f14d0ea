//! The tokens of the normalized form so far, as much as the rules ask of them.

/// A token: where its text starts, and what the rules see in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: usize,
    /// Of a comma: the nearest token that isn't a comma when walking back in steps of two.
    before_commas: Option<usize>,
    mark: Mark,
    role: Role,
}

impl Entry {
    pub(super) const ONE: Self = Self::new(Mark::None, Role::One);
    pub(super) const LIST: Self = Self::new(Mark::None, Role::List);

    pub(super) const fn new(mark: Mark, role: Role) -> Self {
        Self {
            start: 0,
            before_commas: None,
            mark,
            role,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A word or an operator: its text means what it says.
    Syntax,
    /// Any other token, whose text may look like syntax.
    Quoted,
    /// `?`
    One,
    /// `...`
    List,
}

/// The texts that rules compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Open,
    Close,
    Comma,
    Sign,
    Comparison,
    Star,
    Select,
    By,
    OrderOrGroup,
    Index,
    IndexVerb,
}

impl Mark {
    pub(super) fn of(lower: &[u8]) -> Self {
        match lower {
            b"(" => Self::Open,
            b")" => Self::Close,
            b"," => Self::Comma,
            b"+" | b"-" => Self::Sign,
            b">=" | b"<=" | b"=" | b"<" | b">" | b"is" => Self::Comparison,
            b"*" => Self::Star,
            b"select" => Self::Select,
            b"by" => Self::By,
            b"order" | b"group" => Self::OrderOrGroup,
            b"index" => Self::Index,
            b"use" | b"force" | b"ignore" => Self::IndexVerb,
            _ => Self::None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct History {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

impl History {
    pub(super) fn clear(&mut self, retained_bytes: usize) {
        self.text.clear();
        self.text.shrink_to(retained_bytes);
        self.entries.clear();
        self.entries.shrink_to(retained_bytes / size_of::<Entry>());
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn push(&mut self, mut entry: Entry, parts: [&[u8]; 3]) {
        entry.start = self.text.len();
        if entry.mark == Mark::Comma {
            entry.before_commas = self.before_commas_at(self.entries.len());
        }
        if !self.entries.is_empty() {
            self.text.push(b' ');
        }
        for part in parts {
            self.text.extend_from_slice(part);
        }
        self.entries.push(entry);
    }

    pub(super) fn push_literal(&mut self, entry: Entry) {
        let text: &[u8] = if entry.role == Role::List {
            b"..."
        } else {
            b"?"
        };
        self.push(entry, [b"", text, b""]);
    }

    /// Takes back the last `count` tokens.
    pub(super) fn pop(&mut self, count: usize) {
        let kept = self.entries.len().saturating_sub(count);
        if let Some(first) = self.entries.get(kept) {
            self.text.truncate(first.start);
        }
        self.entries.truncate(kept);
    }

    pub(super) fn last_mark(&self) -> Option<Mark> {
        self.mark_back(1)
    }

    pub(super) fn last_is_word(&self) -> bool {
        self.back(1).is_some_and(|entry| entry.role == Role::Syntax)
    }

    /// Whether a sign before a number belongs to the number.
    pub(super) fn ends_with_sign(&self) -> bool {
        self.last_mark() == Some(Mark::Sign)
            && matches!(
                self.mark_back(2),
                None | Some(
                    Mark::Open | Mark::Comma | Mark::Sign | Mark::Comparison | Mark::Select
                )
            )
    }

    /// `? ,` of length 2, `? ) , (` of length 4: one more literal makes, or stays, a list.
    pub(super) fn ends_with_list(&self, length: usize) -> bool {
        let literal = self.back(length).map(|entry| entry.role);
        let rest = match length {
            2 => self.mark_back(1) == Some(Mark::Comma),
            _ => {
                self.mark_back(3) == Some(Mark::Close)
                    && self.mark_back(2) == Some(Mark::Comma)
                    && self.mark_back(1) == Some(Mark::Open)
            }
        };
        rest && matches!(literal, Some(Role::One | Role::List))
    }

    /// Whether that list's commas and brackets are such.
    pub(super) fn list_is_syntax(&self, length: usize) -> bool {
        (1..length).all(|back| {
            self.back(back)
                .is_some_and(|entry| entry.role == Role::Syntax)
        })
    }

    /// Whether the next token stands in `order by 1, 2` or `group by (1, 2)`, where numbers name
    /// columns.
    pub(super) fn is_in_order_or_group_by(&self) -> bool {
        let Some(mut at) = self.entries.len().checked_sub(1) else {
            return false;
        };
        if self.mark_at(at) == Some(Mark::Comma) {
            match self.entries.get(at).and_then(|comma| comma.before_commas) {
                Some(before) => at = before,
                None => return false,
            }
        }
        if self.mark_at(at) == Some(Mark::Open) {
            match at.checked_sub(1) {
                Some(before) => at = before,
                None => return false,
            }
        }
        let Some(before) = at.checked_sub(1) else {
            return false;
        };
        self.mark_at(at) == Some(Mark::By) && self.mark_at(before) == Some(Mark::OrderOrGroup)
    }

    fn before_commas_at(&self, comma: usize) -> Option<usize> {
        let before = comma.checked_sub(2)?;
        match self.entries.get(before) {
            Some(entry) if entry.mark == Mark::Comma => entry.before_commas,
            _ => Some(before),
        }
    }

    fn back(&self, distance: usize) -> Option<&Entry> {
        self.entries.get(self.entries.len().checked_sub(distance)?)
    }

    fn mark_back(&self, distance: usize) -> Option<Mark> {
        self.back(distance).map(|entry| entry.mark)
    }

    fn mark_at(&self, at: usize) -> Option<Mark> {
        self.entries.get(at).map(|entry| entry.mark)
    }
}
