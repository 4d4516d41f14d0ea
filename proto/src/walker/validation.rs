//! The key map behind [`Walker::validate`](super::Walker::validate): reads everything, changes
//! nothing.

use crate::{
    At, Bounds, Form, Hook, KeyList, KeyMap, Message, Nested, Range, Unhandled, Unknown, Verdict,
    WalkError,
};

/// Asks about unknown fields and leaves everything as it is.
pub(super) struct Validation<'u> {
    pub(super) unknown: &'u mut dyn FnMut(&'static Message, u32) -> Unknown,
}

impl KeyMap for Validation<'_> {
    type Error = Unhandled;

    fn key(&mut self, _: At, _: Form, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn range(&mut self, _: At, _: Range<'_>, _: &mut Bounds) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn unknown(&mut self, message: &'static Message, number: u32) -> Unknown {
        (self.unknown)(message, number)
    }

    fn buckets(&mut self, _: At, _: &[&[u8]], _: &mut KeyList) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn text(&mut self, _: At, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn address(&mut self, _: At, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn scoped_name(&mut self, _: At, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn table_id(&mut self, _: At, id: i64) -> Result<i64, Unhandled> {
        Ok(id)
    }

    fn lease_id(&mut self, _: At, id: i64) -> Result<i64, Unhandled> {
        Ok(id)
    }

    fn region_id(&mut self, _: At, _: u64) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn key_hash(&mut self, _: At, _: Option<&[u8]>, hash: u64) -> Result<u64, Unhandled> {
        Ok(hash)
    }

    fn hook(
        &mut self,
        _: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<Unhandled>> {
        let _ = nested.rewrite(body, self, out)?;
        Ok(Verdict::Same)
    }
}
