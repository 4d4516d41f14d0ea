//! Phase 6, undecorate: the storage cluster's answer becomes the tenant's. The mirror of
//! [`crate::decorate`]: what that puts on, this takes off, and what is not the tenant's never
//! passes.

mod coprocessor;
mod deadlock;
pub mod text;

use mesh_keyspace::{Bound, KeyError, Keyspace, PhysicalKey, Visibility};
use mesh_proto::{
    At, Bounds, Edit, Form, Hook, KeyList, KeyMap, Message, Nested, Range, Unhandled, Unknown,
    Verdict, WalkError, Walker,
};

use crate::exchange::{Exchange, Scope};
use crate::fault::Fault;
use crate::form::form_of;
use crate::metrics::Metrics;
use crate::physical_table_id::rows::RowsError;
use crate::scoped_name;

/// Why an answer can't be handed on.
#[derive(Debug, thiserror::Error)]
pub enum UndecorateError {
    /// A key of someone else where none can be left out.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Coprocessor rows that are not what was asked for.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A nested message that can't be decoded.
    #[error("{0}")]
    Malformed(&'static str),
    /// The schema has a class or hook that this phase does not handle.
    #[error(transparent)]
    Unhandled(#[from] Unhandled),
}

impl From<WalkError<UndecorateError>> for Fault {
    fn from(error: WalkError<UndecorateError>) -> Fault {
        Fault::BadAnswer(error.to_string())
    }
}

/// Undecorates `body`, a message of type `message`, onto `out`.
///
/// # Errors
/// [`Fault::BadAnswer`], naming message and field, never a key.
pub fn undecorate(
    walker: &mut Walker,
    scope: Scope<'_>,
    exchange: &Exchange,
    message: &'static Message,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let Scope { keyspace, metrics } = scope;
    let mut map = Undecorator {
        keyspace,
        metrics,
        exchange,
    };
    let _ = walker.rewrite(message, body, &mut map, out)?;
    Ok(())
}

struct Undecorator<'a> {
    keyspace: &'a Keyspace,
    metrics: &'a Metrics,
    exchange: &'a Exchange,
}

/// `key` of errorpb.KeyNotInRegion.
const KEY_NOT_IN_REGION_KEY: u32 = 1;

impl KeyMap for Undecorator<'_> {
    type Error = UndecorateError;

    /// A foreign key fails the answer: leaving its message out could turn an error into a success.
    fn key(
        &mut self,
        _: At,
        form: Form,
        key: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Verdict, UndecorateError> {
        self.keyspace
            .decode_key(form_of(form)?, PhysicalKey(key), out)?;
        Ok(Verdict::Keep)
    }

    /// A region, or where a scan goes on: clipped to the tenant. Regions with nothing of the tenant
    /// vanish.
    fn range(
        &mut self,
        _: At,
        range: Range<'_>,
        out: &mut Bounds,
    ) -> Result<Verdict, UndecorateError> {
        let form = form_of(range.form)?;
        if form == mesh_keyspace::Form::Raw {
            self.bound(range.start, &mut out.start)?;
            self.bound(range.end, &mut out.end)?;
            return Ok(Verdict::Keep);
        }
        let seen = self.keyspace.clip_region(
            form,
            range.start,
            range.end,
            &mut out.start,
            &mut out.end,
        )?;
        match seen {
            Visibility::Visible => Ok(Verdict::Keep),
            Visibility::Invisible => Ok(Verdict::Drop),
        }
    }

    fn unknown(&mut self, message: &'static Message, _: u32) -> Unknown {
        self.metrics.unknown_field(message, "response");
        Unknown::Strip
    }

    fn buckets(
        &mut self,
        _: At,
        keys: &[&[u8]],
        out: &mut KeyList,
    ) -> Result<Verdict, UndecorateError> {
        let mut clipped = Vec::new();
        self.keyspace.clip_buckets(keys, &mut clipped)?;
        clipped.iter().for_each(|key| out.push(key));
        Ok(Verdict::Keep)
    }

    fn text(&mut self, _: At, text: &[u8], out: &mut Vec<u8>) -> Result<Verdict, UndecorateError> {
        text::scrub(text, out);
        Ok(Verdict::Keep)
    }

    fn scoped_name(
        &mut self,
        _: At,
        name: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Verdict, UndecorateError> {
        match scoped_name::unscope(self.keyspace, name) {
            Some(own) => {
                out.extend_from_slice(own);
                Ok(Verdict::Keep)
            }
            None => Ok(Verdict::Drop),
        }
    }

    fn key_hash(&mut self, _: At, key: Option<&[u8]>, _: u64) -> Result<u64, UndecorateError> {
        match key {
            None => Ok(0),
            Some(key) => deadlock::logical_hash(self.keyspace, key),
        }
    }

    fn hook(
        &mut self,
        hook: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<UndecorateError>> {
        match hook {
            Hook::CopResponse => self.cop_response(body, nested, out),
            Hook::Deadlock => self.deadlock(body, nested, out),
            Hook::WaitForEntry => self.wait_for_entry(body, nested, out),
            Hook::KeyNotInRegion => {
                // An engine key, perhaps with a timestamp behind it; clients only log it.
                let edits = [(KEY_NOT_IN_REGION_KEY, Edit::Remove)];
                nested.rewrite_with(body, &edits, self, out)
            }
            // The mark of its tenant stays on a file's uuid: ingesting it asks for it.
            Hook::SstMeta => nested.rewrite(body, self, out),
            other => Err(UndecorateError::from(Unhandled::Hook(other)).into()),
        }
    }
}

impl Undecorator<'_> {
    /// A raw bound: the least logical key at or above it; none means unbounded.
    fn bound(&self, key: &[u8], out: &mut Vec<u8>) -> Result<(), UndecorateError> {
        if key.is_empty() {
            return Ok(());
        }
        let raw = mesh_keyspace::Form::Raw;
        match self.keyspace.lower_bound(raw, PhysicalKey(key), out)? {
            Bound::Key | Bound::End => Ok(()),
        }
    }
}
