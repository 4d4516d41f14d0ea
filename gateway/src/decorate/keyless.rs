//! Requests that name no key: what they touch is bounded by their region alone, so the region is
//! noted for the phase that may ask PD about it.

use mesh_proto::{Hook, RawField, WalkError, fields};

use super::{DecorateError, Decorator};
use crate::exchange::RegionRef;

/// `keys` of ResolveLockRequest and PessimisticRollbackRequest.
const RESOLVE_LOCK_KEYS: u32 = 5;
const PESSIMISTIC_ROLLBACK_KEYS: u32 = 4;
/// `context`, in every request that a region serves.
const CONTEXT: u32 = 1;

impl Decorator<'_> {
    pub(super) fn note_keyless(
        &mut self,
        hook: Hook,
        body: &[u8],
    ) -> Result<(), WalkError<DecorateError>> {
        let keys = match hook {
            Hook::ResolveLock => Some(RESOLVE_LOCK_KEYS),
            Hook::PessimisticRollback => Some(PESSIMISTIC_ROLLBACK_KEYS),
            _ => None,
        };
        let named = keys.is_some_and(|number| fields(body).flatten().any(|f| f.number == number));
        if !named {
            self.exchange.bounded_by_region = Some(region_of(body)?);
        }
        Ok(())
    }
}

/// Start and end of an UnsafeDestroyRangeRequest.
pub(super) fn range_of(body: &[u8]) -> Result<(&[u8], &[u8]), DecorateError> {
    let (mut start, mut end) = (&[][..], &[][..]);
    for field in fields(body) {
        let field = field.map_err(|_| DecorateError::Malformed("a range that can't be decoded"))?;
        match (field.number, field.bytes()) {
            (2, Some(bytes)) => start = bytes,
            (3, Some(bytes)) => end = bytes,
            _ => {}
        }
    }
    Ok((start, end))
}

/// Region id and epoch of a request's context.
pub(super) fn region_of(body: &[u8]) -> Result<RegionRef, DecorateError> {
    let context = field(body, CONTEXT)?.and_then(|context| context.bytes());
    let context = context.ok_or(DecorateError::Malformed("a request without a context"))?;
    let id = number(context, 1)?;
    let epoch = field(context, 2)?
        .and_then(|epoch| epoch.bytes())
        .unwrap_or_default();
    Ok(RegionRef {
        id,
        conf_ver: number(epoch, 1)?,
        version: number(epoch, 2)?,
    })
}

fn number(body: &[u8], number: u32) -> Result<u64, DecorateError> {
    Ok(field(body, number)?
        .and_then(|field| field.varint())
        .unwrap_or(0))
}

fn field(body: &[u8], number: u32) -> Result<Option<RawField<'_>>, DecorateError> {
    for field in fields(body) {
        let field =
            field.map_err(|_| DecorateError::Malformed("a context that can't be decoded"))?;
        if field.number == number {
            return Ok(Some(field));
        }
    }
    Ok(None)
}
