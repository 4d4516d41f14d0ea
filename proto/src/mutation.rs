//! Switching table rows off in memory, for runs that prove that every row is needed.
//!
//! A mutation run disables one row, runs the tests and expects a failure. A disabled row's value
//! passes byte for byte; a disabled hook leaves its message to the table. The walker asks once per
//! walk whether anything is disabled at all, so the switch costs nothing while it is off. Nothing in
//! the product turns it on.

use std::{
    collections::HashSet,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    key_map::{Bounds, Range},
    table::{Field, Message, RangeFields, Step},
    tables::{self, MESSAGES},
};

/// A decision that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Full name of the message.
    pub message: &'static str,
    /// Name of the field, or `None` for the message's hook.
    pub field: Option<&'static str>,
}

static ACTIVE: AtomicBool = AtomicBool::new(false);
static DISABLED: RwLock<Option<HashSet<Row>>> = RwLock::new(None);

/// Every row whose loss must be noticed: edits, refusals and hooks. Rows that only lead to others
/// are not among them.
pub fn rows() -> impl Iterator<Item = Row> {
    MESSAGES.iter().flat_map(|message| {
        let hook = message.hook.map(|_| Row {
            message: message.name,
            field: None,
        });
        let edited = |field: &&Field| matches!(field.step, Step::Edit | Step::Forbid);
        let fields = message.fields.iter().filter(edited);
        hook.into_iter().chain(fields.map(|field| Row {
            message: message.name,
            field: Some(field.name),
        }))
    })
}

/// The row of these names, if there is such a decision.
#[must_use]
pub fn row(message: &str, field: Option<&str>) -> Option<Row> {
    let table = tables::message(message)?;
    rows()
        .filter(|row| row.message == table.name)
        .find(|row| row.field == field)
}

/// Switches exactly these rows off, in the whole process. An empty list switches all on again.
pub fn disable(rows: impl IntoIterator<Item = Row>) {
    let rows: HashSet<Row> = rows.into_iter().collect();
    let active = !rows.is_empty();
    *DISABLED.write().unwrap_or_else(PoisonError::into_inner) = Some(rows);
    ACTIVE.store(active, Ordering::Release);
}

#[inline]
pub(crate) fn active() -> bool {
    ACTIVE.load(Ordering::Acquire)
}

fn off(row: Row) -> bool {
    let disabled = DISABLED.read().unwrap_or_else(PoisonError::into_inner);
    disabled.as_ref().is_some_and(|rows| rows.contains(&row))
}

#[cold]
pub(crate) fn row_off(message: &'static Message, field: &'static Field) -> bool {
    off(Row {
        message: message.name,
        field: Some(field.name),
    })
}

#[cold]
pub(crate) fn hook_off(message: &'static Message) -> bool {
    off(Row {
        message: message.name,
        field: None,
    })
}

/// The ends of a range are decided together; a disabled one keeps what came.
#[cold]
pub(crate) fn keep_ends_of_disabled_rows(
    message: &'static Message,
    range: &RangeFields,
    came: Range<'_>,
    bounds: &mut Bounds,
) {
    let ends = [
        (range.start, came.start, &mut bounds.start),
        (range.end, came.end, &mut bounds.end),
    ];
    for (number, old, new) in ends {
        if message
            .field(number)
            .is_some_and(|field| row_off(message, field))
        {
            new.clear();
            new.extend_from_slice(old);
        }
    }
}
