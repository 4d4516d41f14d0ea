//! Phase 4, decorate: a tenant's request becomes the storage cluster's. Pure: bytes in, bytes out,
//! and an [`Exchange`] for the answer.

mod coprocessor;
mod keyless;
mod sst_file;

use mesh_keyspace::{KeyError, Keyspace, LogicalKey, Mode, Parts};
use mesh_proto::{
    At, Bounds, Form, Hook, KeyMap, Message, Nested, Range, Unhandled, Unknown, Verdict, WalkError,
    Walker,
};

use crate::exchange::{Exchange, Scope};
use crate::fault::Fault;
use crate::form::form_of;
use crate::metrics::Metrics;
use crate::physical_table_id::trace::TraceError;
use crate::scoped_name;

/// Why a request can't be decorated.
#[derive(Debug, thiserror::Error)]
pub enum DecorateError {
    /// A key or range that the tenant may not name.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A coprocessor plan that can't be served.
    #[error(transparent)]
    Plan(#[from] TraceError),
    /// A nested message that can't be decoded.
    #[error("{0}")]
    Malformed(&'static str),
    /// A request that is understood and not served.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The schema has a class or hook that this phase does not handle.
    #[error(transparent)]
    Unhandled(#[from] Unhandled),
}

impl From<WalkError<DecorateError>> for Fault {
    fn from(error: WalkError<DecorateError>) -> Fault {
        match error.map_error() {
            Some(DecorateError::Unsupported(_) | DecorateError::Plan(_)) => {
                Fault::Refused(error.to_string())
            }
            _ => Fault::BadRequest(error.to_string()),
        }
    }
}

/// Decorates `body`, a message of type `message`, onto `out`.
///
/// # Errors
/// [`Fault::BadRequest`] or [`Fault::Refused`], naming message and field, never a key.
pub fn decorate(
    walker: &mut Walker,
    scope: Scope<'_>,
    message: &'static Message,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<Exchange, Fault> {
    let Scope { keyspace, metrics } = scope;
    let mut map = Decorator {
        keyspace,
        metrics,
        exchange: Exchange::default(),
    };
    let _ = walker.rewrite(message, body, &mut map, out)?;
    Ok(map.exchange)
}

struct Decorator<'a> {
    keyspace: &'a Keyspace,
    metrics: &'a Metrics,
    exchange: Exchange,
}

impl KeyMap for Decorator<'_> {
    type Error = DecorateError;

    fn key(
        &mut self,
        _: At,
        form: Form,
        key: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Verdict, DecorateError> {
        self.keyspace
            .encode_key(form_of(form)?, LogicalKey(key), out)?;
        Ok(Verdict::Keep)
    }

    fn range(
        &mut self,
        _: At,
        range: Range<'_>,
        out: &mut Bounds,
    ) -> Result<Verdict, DecorateError> {
        let form = form_of(range.form)?;
        let (lower, upper, out_lower, out_upper) = if range.reverse {
            (range.end, range.start, &mut out.end, &mut out.start)
        } else {
            (range.start, range.end, &mut out.start, &mut out.end)
        };
        self.keyspace
            .encode_range_into(form, range.reverse, lower, upper, out_lower, out_upper)?;
        Ok(Verdict::Keep)
    }

    fn unknown(&mut self, message: &'static Message, _: u32) -> Unknown {
        self.metrics.unknown_field(message, "request");
        Unknown::Refuse
    }

    fn text(&mut self, _: At, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, DecorateError> {
        Ok(Verdict::Same)
    }

    fn scoped_name(
        &mut self,
        _: At,
        name: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Verdict, DecorateError> {
        scoped_name::scope(self.keyspace, name, out);
        Ok(Verdict::Keep)
    }

    fn table_id(&mut self, _: At, id: i64) -> Result<i64, DecorateError> {
        // Memory tables and partitions that don't exist have ids that no key holds.
        Ok(self.keyspace.encode_table_id(id).unwrap_or(id))
    }

    /// In `table` mode a context is what its table says; the other modes set fields of their own.
    fn wants(&self, hook: Hook) -> bool {
        hook != Hook::Context || self.keyspace.mode() != Mode::Table
    }

    fn hook(
        &mut self,
        hook: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<DecorateError>> {
        match hook {
            Hook::CopRequest => self.cop_request(body, nested, out),
            Hook::ResolveLock | Hook::PessimisticRollback | Hook::MvccByStartTs => {
                self.note_keyless(hook, body)?;
                nested.rewrite(body, self, out)
            }
            Hook::Flashback => {
                self.exchange.bounded_by_region = Some(keyless::region_of(body)?);
                nested.rewrite(body, self, out)
            }
            Hook::UnsafeDestroyRange => {
                self.one_part_only(body)?;
                nested.rewrite(body, self, out)
            }
            Hook::SstMeta => self.sst_meta(body, nested, out),
            other => Err(DecorateError::from(Unhandled::Hook(other)).into()),
        }
    }
}

impl Decorator<'_> {
    /// A range that is destroyed must be destroyed whole: one that crosses the seam between a
    /// tenant's two ranges would need two requests.
    fn one_part_only(&self, body: &[u8]) -> Result<(), DecorateError> {
        let (start, end) = keyless::range_of(body)?;
        let raw = mesh_keyspace::Form::Raw;
        let (mut low, mut high) = (Vec::new(), Vec::new());
        let keyspace = self.keyspace;
        let parts = keyspace.encode_range_into(raw, false, start, end, &mut low, &mut high)?;
        if parts == Parts::Two {
            return Err(DecorateError::Unsupported(
                "a range over both meta and table keys can't be destroyed at once: send two",
            ));
        }
        Ok(())
    }
}
