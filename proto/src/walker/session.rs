//! Copy-on-write output of one walk.
//!
//! `src[copied..]` is not in the output yet. An edit first flushes up to itself, so everything
//! between two edits is one copy. Each message that the walk is inside of has a [`Frame`]; a flush
//! that carries a frame's length into the output notes where it landed ("opens" it), and a message
//! whose frame is open when the walk leaves it gets its length patched, if it changed. A message
//! without an edit is never opened and costs nothing.
//!
//! Leaving something out after parts of it were written is a return to a [`Mark`]: the output is
//! only ever appended to behind it.

use crate::{
    fault::{Fault, WalkError},
    key_map::{KeyMap, Verdict},
    mutation,
    table::{Field, Message},
    tables::Hook,
    walker::{Nested, Outcome, Walker, descend::Level},
    wire::{Cursor, Malformed, patch_len},
};

/// The length of a message that the walk is inside of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    len_at: usize,
    width: usize,
    len: usize,
    out_at: usize,
}

/// A state to return to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    out_len: usize,
    copied: usize,
    opened: usize,
    frames: usize,
    edited: bool,
}

/// What became of a message or field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Kept,
    Dropped,
}

pub(super) type Walked<M> = Result<Flow, WalkError<<M as KeyMap>::Error>>;

pub(super) struct Session<'s, 'w, M> {
    pub(super) src: &'s [u8],
    pub(super) out: &'s mut Vec<u8>,
    pub(super) map: &'s mut M,
    pub(super) walker: &'w mut Walker,
    pub(super) mutated: bool,
    pub(super) dropped: u32,
    pub(super) stripped: u32,
    /// Everything before it is in the output or left out.
    copied: usize,
    /// Frames of this session that are open; they are the outermost ones.
    opened: usize,
    /// Frames of the sessions around this one.
    base: usize,
    edited: bool,
}

impl<'s, 'w, M: KeyMap> Session<'s, 'w, M> {
    pub(super) fn new(
        walker: &'w mut Walker,
        src: &'s [u8],
        map: &'s mut M,
        out: &'s mut Vec<u8>,
        mutated: bool,
    ) -> Self {
        let base = walker.frames.len();
        Self {
            src,
            out,
            map,
            walker,
            mutated,
            dropped: 0,
            stripped: 0,
            copied: 0,
            opened: 0,
            base,
            edited: false,
        }
    }

    pub(super) fn run(
        mut self,
        level: &Level<'_>,
        hooked: bool,
    ) -> Result<Outcome, WalkError<M::Error>> {
        let flow = match Some(level.table)
            .filter(|_| hooked)
            .and_then(|table| self.wanted_hook(table))
        {
            Some(hook) => self.top_hook(level, hook)?,
            None => self.message(level)?,
        };
        let dropped_whole = flow == Flow::Dropped;
        if self.edited && !dropped_whole {
            self.flush(self.src.len());
        }
        Ok(Outcome {
            dropped_whole,
            unchanged: !self.edited && !dropped_whole,
            dropped: self.dropped,
            stripped: self.stripped,
        })
    }

    /// The hook that is to see the message, if any.
    #[inline]
    pub(super) fn wanted_hook(&self, table: &'static Message) -> Option<Hook> {
        let hook = table.hook?;
        let off = self.mutated && mutation::hook_off(table);
        (!off && self.map.wants(hook)).then_some(hook)
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark {
            out_len: self.out.len(),
            copied: self.copied,
            opened: self.opened,
            frames: self.walker.frames.len(),
            edited: self.edited,
        }
    }

    pub(super) fn restore(&mut self, mark: Mark) {
        self.out.truncate(mark.out_len);
        self.copied = mark.copied;
        self.opened = mark.opened;
        self.walker.frames.truncate(mark.frames);
        self.edited = mark.edited;
    }

    /// Brings the output up to a position of the source.
    #[inline]
    pub(super) fn flush(&mut self, upto: usize) {
        if !self.edited {
            self.edited = true;
            self.out.reserve(self.src.len() + self.src.len() / 8 + 64);
        }
        let first = self.base + self.opened;
        let (out_len, copied) = (self.out.len(), self.copied);
        if let Some(fresh) = self.walker.frames.get_mut(first..) {
            for frame in fresh {
                frame.out_at = out_len + (frame.len_at - copied);
                self.opened += 1;
            }
        }
        self.out
            .extend_from_slice(self.src.get(self.copied..upto).unwrap_or_default());
        self.copied = upto;
    }

    /// Leaves out a stretch of the source.
    #[inline]
    pub(super) fn cut(&mut self, start: usize, end: usize) {
        self.flush(start);
        self.copied = end;
    }

    /// The source is represented in the output up to here.
    #[inline]
    pub(super) fn skip_to(&mut self, upto: usize) {
        self.copied = upto;
    }

    #[inline]
    pub(super) fn enter(&mut self, len_at: usize, body_at: usize, len: usize) {
        self.walker.frames.push(Frame {
            len_at,
            width: body_at - len_at,
            len,
            out_at: 0,
        });
    }

    /// Leaves the innermost message, which ends at `end`.
    #[inline]
    pub(super) fn leave(&mut self, end: usize) {
        let Some(frame) = self.walker.frames.pop() else {
            return;
        };
        let left = self.walker.frames.len() - self.base;
        if left >= self.opened {
            return;
        }
        self.opened = left;
        let pending = end - self.copied;
        let len = self.out.len() - (frame.out_at + frame.width) + pending;
        if len != frame.len {
            patch_len(self.out, frame.out_at, frame.width, len);
        }
    }

    /// Lets the hook's code write the body of the message that was just entered.
    ///
    /// It writes into a buffer of its own: most hooks look and change nothing, and then nothing was
    /// flushed for them.
    pub(super) fn hook(&mut self, level: &Level<'_>, hook: Hook) -> Walked<M> {
        let mut written = self.walker.bodies.pop().unwrap_or_default();
        written.clear();
        let verdict = self.ask(level, hook, &mut written);
        if let Ok(Verdict::Keep) = verdict {
            self.flush(level.start);
            self.out.extend_from_slice(&written);
            self.skip_to(level.end);
        }
        self.walker.bodies.push(written);
        Ok(match verdict? {
            Verdict::Keep | Verdict::Same => Flow::Kept,
            Verdict::Drop => Flow::Dropped,
        })
    }

    /// As [`Self::hook`], for the walk's first message: nothing is around it, so the hook writes
    /// straight into the output.
    fn top_hook(&mut self, level: &Level<'_>, hook: Hook) -> Walked<M> {
        let out = std::mem::take(self.out);
        let before = out.len();
        let mut written = out;
        let verdict = self.ask(level, hook, &mut written);
        let taken_back = written.len() < before;
        *self.out = written;
        if taken_back {
            return Err(fault(level.table, None, Fault::Output));
        }
        Ok(match verdict? {
            Verdict::Keep => {
                self.edited = true;
                self.skip_to(level.end);
                Flow::Kept
            }
            Verdict::Same => Flow::Kept,
            Verdict::Drop => Flow::Dropped,
        })
    }

    fn ask(
        &mut self,
        level: &Level<'_>,
        hook: Hook,
        written: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<M::Error>> {
        let body = self.src.get(level.start..level.end).unwrap_or_default();
        let frames = self.walker.frames.len();
        let mut nested = Nested {
            walker: &mut *self.walker,
            message: level.table,
            depth: level.depth,
            listed: level.listed,
        };
        let verdict = self.map.hook(hook, body, &mut nested, written);
        self.walker.frames.truncate(frames);
        verdict.map_err(|error| locate(error, level.table, None))
    }
}

#[cold]
pub(super) fn fault<E>(
    message: &'static Message,
    field: Option<&'static Field>,
    fault: Fault<E>,
) -> WalkError<E> {
    let (field, number) = field.map_or(("", 0), |field| (field.name, field.number));
    WalkError {
        message: message.name,
        field,
        number,
        fault,
    }
}

#[cold]
pub(super) fn malformed<E>(message: &'static Message, error: Malformed) -> WalkError<E> {
    fault(message, None, Fault::Malformed(error))
}

/// Adds the place to an error that a key map or hook raised without one.
#[cold]
pub(super) fn locate<E>(
    mut error: WalkError<E>,
    message: &'static Message,
    field: Option<&'static Field>,
) -> WalkError<E> {
    if error.message.is_empty() {
        error.message = message.name;
        (error.field, error.number) = field.map_or(("", 0), |field| (field.name, field.number));
    }
    error
}

impl<'s, M: KeyMap> Session<'s, '_, M> {
    /// Reads the source from one position on, up to where the message ends.
    #[inline]
    pub(super) fn cursor(&self, start: usize, end: usize) -> Cursor<'s> {
        Cursor {
            bytes: self.src.get(..end).unwrap_or_default(),
            pos: start,
        }
    }
}
