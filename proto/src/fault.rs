//! What can be wrong with a message, said without showing any of its bytes.

use crate::{class::Class, tables::Hook, wire::Malformed};

/// A walk that ended early: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkError<E> {
    /// Full name of the message type.
    pub message: &'static str,
    /// Name of the field; empty when the fault is the message's or the field has no name.
    pub field: &'static str,
    /// Number of the field; 0 when the fault is the message's.
    pub number: u32,
    /// The fault itself.
    pub fault: Fault<E>,
}

/// Why a walk ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault<E> {
    /// Not a message at all.
    Malformed(Malformed),
    /// A known field of another wire type.
    WireType,
    /// A singular field that is there twice.
    Repeated,
    /// A second member of a oneof.
    SecondMember,
    /// A field that the tables do not know, under [`crate::Unknown::Refuse`].
    Unknown,
    /// A field that is never accepted.
    Forbidden {
        /// The schema's reason.
        why: &'static str,
    },
    /// A key that must be there is absent or empty.
    Missing,
    /// Messages within messages beyond [`crate::MAX_DEPTH`].
    TooDeep,
    /// An element would have to vanish from a list that others refer to by position.
    Positional,
    /// The key map shortened the output it was given to append to.
    Output,
    /// The key map's own error.
    Map(E),
}

/// A class or hook that a key map does not implement: it must never be passed by silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unhandled {
    /// A class without a method of its own.
    #[error("nothing handles the class {0:?}")]
    Class(Class),
    /// A hook without code.
    #[error("nothing handles the hook {0:?}")]
    Hook(Hook),
}

impl<E> Fault<E> {
    /// A stable name for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::WireType => "wire_type",
            Self::Repeated => "repeated",
            Self::SecondMember => "second_member",
            Self::Unknown => "unknown_field",
            Self::Forbidden { .. } => "forbidden_field",
            Self::Missing => "missing_key",
            Self::TooDeep => "too_deep",
            Self::Positional => "positional",
            Self::Output => "output",
            Self::Map(_) => "key_map",
        }
    }
}

impl<E> WalkError<E> {
    /// A stable name for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.fault.kind()
    }

    /// The key map's own error, if that is what ended the walk.
    pub fn map_error(&self) -> Option<&E> {
        match &self.fault {
            Fault::Map(error) => Some(error),
            _ => None,
        }
    }
}

/// Lets a hook use `?` on its own errors; the walker adds the place.
impl<E> From<E> for WalkError<E> {
    fn from(error: E) -> Self {
        Self {
            message: "",
            field: "",
            number: 0,
            fault: Fault::Map(error),
        }
    }
}

impl<E: std::fmt::Display> std::fmt::Display for WalkError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            message,
            field,
            number,
            fault,
        } = self;
        match fault {
            Fault::Malformed(malformed) if *number == 0 => write!(f, "{message} {malformed}"),
            Fault::Malformed(malformed) => write!(f, "{message}.{field} {malformed}"),
            Fault::WireType => write!(
                f,
                "{message}.{field} has another wire type than field {number}"
            ),
            Fault::Repeated => write!(f, "{message}.{field} is there more than once"),
            Fault::SecondMember => write!(f, "{message}.{field} is a second member of its oneof"),
            Fault::Unknown => write!(
                f,
                "{message} has field {number}, which this version does not know and so cannot pass: \
                 upgrade, or allow {message}.{number} by name in the operator's settings"
            ),
            Fault::Forbidden { why } => {
                write!(
                    f,
                    "{message}.{field} is not accepted: {why}; send the request without it"
                )
            }
            Fault::Missing => write!(f, "{message}.{field} is empty, which is no key"),
            Fault::TooDeep => write!(
                f,
                "{message} is nested deeper than {} levels",
                crate::MAX_DEPTH
            ),
            Fault::Positional => {
                write!(
                    f,
                    "{message}.{field} holds a foreign element that cannot be left out"
                )
            }
            Fault::Output => write!(f, "{message}.{field}: the key map took back output"),
            Fault::Map(error) if message.is_empty() => error.fmt(f),
            Fault::Map(error) if field.is_empty() => write!(f, "{message}: {error}"),
            Fault::Map(error) => write!(f, "{message}.{field}: {error}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for WalkError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Malformed(malformed) => Some(malformed),
            Fault::Map(error) => Some(error),
            _ => None,
        }
    }
}
