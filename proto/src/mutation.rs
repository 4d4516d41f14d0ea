//! Switching table rows off in memory, for runs that prove that every row is needed.
//!
//! A mutation run disables one row, runs the checks and expects one of them to fail. What a
//! disabled row decided then goes the way of a table that does not have it: a value passes byte
//! for byte, a hook leaves its message to the table, a refused RPC is forwarded, any other RPC is
//! unknown. The walker asks once per walk whether anything is disabled at all, so the switch costs
//! nothing while it is off. Nothing in the product turns it on.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    class::Class,
    key_map::{Bounds, Range},
    table::{Field, Message, RangeFields, Route, Rpc, Step},
    tables::{self, MESSAGES, RPCS},
};

/// A decision that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Full name of the message, path of the RPC, or `walker`.
    pub owner: &'static str,
    /// Name of the field, where a field is decided about.
    pub field: Option<&'static str>,
    /// What is decided.
    pub decision: Decision,
}

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decision {
    /// What becomes of an RPC. Off: a refused one is forwarded, any other is unknown.
    Route,
    /// Code sees the whole message. Off: its table alone decides.
    Hook,
    /// The value is edited, forbidden, walked as a message, or turns a range around. Off: it passes.
    Value,
    /// The key must be there. Off: it may be absent or empty.
    Required,
    /// Elements of the list may not vanish. Off: they may.
    Positional,
    /// What the walker demands of every message.
    Check(Check),
}

/// Demands on every message, whatever its table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// A singular field comes once.
    Repeated,
    /// One member of a oneof comes.
    SecondMember,
    /// A value has its field's wire type.
    WireType,
    /// A field that the table does not have is the key map's to judge. Off: it passes.
    Unknown,
    /// Packed numbers are numbers.
    Numbers,
    /// Messages nest only so deep.
    Depth,
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 6] = [
        Check::Repeated,
        Check::SecondMember,
        Check::WireType,
        Check::Unknown,
        Check::Numbers,
        Check::Depth,
    ];
}

/// Owner of the rows that no table has.
const WALKER: &str = "walker";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            owner,
            field,
            decision,
        } = self;
        match field {
            Some(field) => write!(f, "{owner}.{field}: {decision:?}"),
            None => write!(f, "{owner}: {decision:?}"),
        }
    }
}

static ACTIVE: AtomicBool = AtomicBool::new(false);
static DISABLED: RwLock<Option<HashSet<Row>>> = RwLock::new(None);

/// Every decision whose loss must be noticed. Rows that only lead to others, because a message has a
/// message field, are not among them.
pub fn rows() -> impl Iterator<Item = Row> {
    let routes = RPCS.iter().map(|rpc| Row {
        owner: rpc.path,
        field: None,
        decision: Decision::Route,
    });
    let checks = Check::ALL.into_iter().map(check_row);
    routes
        .chain(MESSAGES.iter().flat_map(|message| rows_of(message)))
        .chain(checks)
}

/// The rows of one message.
pub fn rows_of(message: &'static Message) -> impl Iterator<Item = Row> {
    let row = |field: Option<&'static str>, decision| Row {
        owner: message.name,
        field,
        decision,
    };
    let hook = message.hook.map(move |_| row(None, Decision::Hook));
    let of_fields = message.fields.iter().flat_map(move |field| {
        let decisions = [
            decides_value(message, field).then_some(Decision::Value),
            field.required.then_some(Decision::Required),
            field.positional.then_some(Decision::Positional),
        ];
        decisions
            .into_iter()
            .flatten()
            .map(move |decision| row(Some(field.name), decision))
    });
    hook.into_iter().chain(of_fields)
}

fn decides_value(message: &Message, field: &Field) -> bool {
    let turns_range = message
        .range
        .is_some_and(|range| range.reverse == Some(field.number));
    matches!(field.step, Step::Edit | Step::Forbid) || field.class == Class::Nested || turns_range
}

fn check_row(check: Check) -> Row {
    Row {
        owner: WALKER,
        field: None,
        decision: Decision::Check(check),
    }
}

/// The row of these names, if there is such a decision.
#[must_use]
pub fn row(message: &str, field: Option<&str>, decision: Decision) -> Option<Row> {
    rows_of(tables::message(message)?).find(|row| row.field == field && row.decision == decision)
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
pub(crate) fn field_off(
    message: &'static Message,
    field: &'static Field,
    decision: Decision,
) -> bool {
    off(Row {
        owner: message.name,
        field: Some(field.name),
        decision,
    })
}

#[cold]
pub(crate) fn hook_off(message: &'static Message) -> bool {
    off(Row {
        owner: message.name,
        field: None,
        decision: Decision::Hook,
    })
}

#[cold]
pub(crate) fn check_off(check: Check) -> bool {
    off(check_row(check))
}

/// What looking an RPC up gives while its row is off. A process that mutates leaks a row per look.
#[cold]
pub(crate) fn routed(rpc: &'static Rpc) -> Option<&'static Rpc> {
    let row = Row {
        owner: rpc.path,
        field: None,
        decision: Decision::Route,
    };
    match rpc.route {
        _ if !off(row) => Some(rpc),
        Route::Forward | Route::Serve => None,
        Route::Refuse { .. } => Some(Box::leak(Box::new(Rpc {
            route: Route::Forward,
            ..*rpc
        }))),
    }
}

/// The singular fields of a message that must be there, without the disabled ones.
#[cold]
pub(crate) fn required(message: &'static Message) -> u64 {
    let demanded = message
        .fields
        .iter()
        .filter(|field| field_off(message, field, Decision::Required));
    demanded.fold(message.required, |bits, field| bits & !field.bit)
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
            .is_some_and(|field| field_off(message, field, Decision::Value))
        {
            new.clear();
            new.extend_from_slice(old);
        }
    }
}
