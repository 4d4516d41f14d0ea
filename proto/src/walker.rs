//! One pass over wire bytes by a table.
//!
//! What must stay true: bytes that no class is about come out as they went in, in their order; a
//! field that the table does not know never passes unless the key map says so; every message
//! beneath is held to the same strictness, edited or not; and nothing is half written, since a walk
//! that fails takes back its output.
//!
//! The output is copied on write: a run of bytes is copied when an edit behind it needs it in
//! place, and a length is patched only in messages in which something was edited. See
//! [`session`] for how.

mod check;
mod descend;
mod edit;
mod lists;
mod session;
mod validation;

use crate::{
    fault::WalkError,
    key_map::{Bounds, KeyList, KeyMap, Unknown, Verdict},
    mutation,
    table::Message,
};

use self::{
    descend::Level,
    session::{Frame, Session},
    validation::Validation,
};

/// Messages within messages that are followed; deeper ones are refused.
pub const MAX_DEPTH: u32 = 64;

/// Buffers of a walk, to be kept between walks so that a walk allocates nothing.
#[derive(Debug, Default)]
pub struct Walker {
    frames: Vec<Frame>,
    bounds: Vec<Bounds>,
    bodies: Vec<Vec<u8>>,
    keys: KeyList,
    keys_same: bool,
    numbers: Vec<u8>,
}

/// What a walk did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// The whole message is not for this reader; nothing was written.
    pub dropped_whole: bool,
    /// Nothing was edited: the input is the output.
    pub unchanged: bool,
    /// Elements and messages that were left out.
    pub dropped: u32,
    /// Unknown fields that were left out.
    pub stripped: u32,
}

/// [`Walker::rewrite`] with buffers of its own.
///
/// # Errors
/// As [`Walker::rewrite`].
pub fn rewrite<M: KeyMap>(
    message: &'static Message,
    bytes: &[u8],
    map: &mut M,
    out: &mut Vec<u8>,
) -> Result<Outcome, WalkError<M::Error>> {
    Walker::new().rewrite(message, bytes, map, out)
}

impl Walker {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the rewritten message to `out`.
    ///
    /// # Errors
    /// Fails on the first byte that is not as the table says, or by the key map's will. `out` is
    /// then as it was.
    pub fn rewrite<M: KeyMap>(
        &mut self,
        message: &'static Message,
        bytes: &[u8],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, WalkError<M::Error>> {
        let outcome = self.edit(message, bytes, map, out)?;
        if outcome.unchanged {
            out.extend_from_slice(bytes);
        }
        Ok(outcome)
    }

    /// As [`Self::rewrite`], but writes nothing when nothing is edited: the caller then forwards
    /// the bytes that it has.
    ///
    /// # Errors
    /// As [`Self::rewrite`].
    pub fn edit<M: KeyMap>(
        &mut self,
        message: &'static Message,
        bytes: &[u8],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, WalkError<M::Error>> {
        self.frames.clear();
        let mut nested = Nested {
            walker: self,
            message,
            depth: 0,
            listed: false,
        };
        let walk = Walk {
            message,
            edits: &[],
            hooked: true,
        };
        nested.walk(walk, bytes, map, out)
    }

    /// Checks a message without writing anything: for messages that are then decoded.
    ///
    /// # Errors
    /// As [`Self::rewrite`], with [`Unknown::Strip`] counting as a pass.
    pub fn validate(
        &mut self,
        message: &'static Message,
        bytes: &[u8],
        unknown: &mut dyn FnMut(&'static Message, u32) -> Unknown,
    ) -> Result<(), WalkError<crate::Unhandled>> {
        let mut check = Validation { unknown };
        let _ = self.edit(message, bytes, &mut check, &mut Vec::new())?;
        Ok(())
    }
}

/// What a hook wants done to one field of its message.
#[derive(Clone, Copy, Debug)]
pub enum Edit<'e> {
    /// Pass byte for byte, without a look beneath.
    Keep,
    /// Leave out.
    Remove,
    /// Replace, or add; zero leaves the field out.
    Varint(u64),
    /// Replace, or add; empty leaves the field out.
    Bytes(&'e [u8]),
    /// Walk the bytes as this message.
    As(&'static Message),
}

/// The walker as a hook sees it.
#[derive(Debug)]
pub struct Nested<'w> {
    walker: &'w mut Walker,
    message: &'static Message,
    depth: u32,
    listed: bool,
}

struct Walk<'e> {
    message: &'static Message,
    edits: &'e [(u32, Edit<'e>)],
    hooked: bool,
}

impl Nested<'_> {
    /// The message that the hook is about.
    #[must_use]
    pub fn message(&self) -> &'static Message {
        self.message
    }

    /// Walks the hook's message by its table and appends it to `out`.
    ///
    /// # Errors
    /// As [`Walker::rewrite`].
    pub fn rewrite<M: KeyMap>(
        &mut self,
        body: &[u8],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<M::Error>> {
        self.rewrite_with(body, &[], map, out)
    }

    /// As [`Self::rewrite`], but writes nothing when nothing is edited and the verdict is
    /// [`Verdict::Same`]: the quickest answer of a hook that only looks.
    ///
    /// # Errors
    /// As [`Walker::rewrite`].
    pub fn edit<M: KeyMap>(
        &mut self,
        body: &[u8],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<M::Error>> {
        let walk = Walk {
            message: self.message,
            edits: &[],
            hooked: false,
        };
        let outcome = self.walk(walk, body, map, out)?;
        Ok(match outcome {
            Outcome {
                dropped_whole: true,
                ..
            } => Verdict::Drop,
            Outcome {
                unchanged: true, ..
            } => Verdict::Same,
            Outcome { .. } => Verdict::Keep,
        })
    }

    /// As [`Self::rewrite`], with a will of its own for some fields of this message (not beneath).
    ///
    /// # Errors
    /// As [`Walker::rewrite`].
    pub fn rewrite_with<M: KeyMap>(
        &mut self,
        body: &[u8],
        edits: &[(u32, Edit<'_>)],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<M::Error>> {
        let walk = Walk {
            message: self.message,
            edits,
            hooked: false,
        };
        self.verdict(walk, body, map, out)
    }

    /// Walks bytes as another message, whose own hook is run, and appends it to `out`.
    ///
    /// # Errors
    /// As [`Walker::rewrite`].
    pub fn rewrite_as<M: KeyMap>(
        &mut self,
        message: &'static Message,
        body: &[u8],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<M::Error>> {
        let walk = Walk {
            message,
            edits: &[],
            hooked: true,
        };
        self.verdict(walk, body, map, out)
    }

    fn verdict<M: KeyMap>(
        &mut self,
        walk: Walk<'_>,
        body: &[u8],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<M::Error>> {
        let outcome = self.walk(walk, body, map, out)?;
        if outcome.unchanged {
            out.extend_from_slice(body);
            return Ok(Verdict::Same);
        }
        Ok(if outcome.dropped_whole {
            Verdict::Drop
        } else {
            Verdict::Keep
        })
    }

    fn walk<M: KeyMap>(
        &mut self,
        walk: Walk<'_>,
        body: &[u8],
        map: &mut M,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, WalkError<M::Error>> {
        let start = out.len();
        let base = self.walker.frames.len();
        let session = Session::new(self.walker, body, map, out, mutation::active());
        let level = Level {
            table: walk.message,
            start: 0,
            end: body.len(),
            depth: self.depth,
            listed: self.listed,
            edits: walk.edits,
        };
        let outcome = session.run(&level, walk.hooked);
        self.walker.frames.truncate(base);
        match &outcome {
            Ok(outcome) if !outcome.dropped_whole && !outcome.unchanged => {}
            _ => out.truncate(start),
        }
        outcome
    }
}
