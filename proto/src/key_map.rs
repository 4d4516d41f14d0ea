//! What a caller of the walker decides: how keys, names and ids become others.
//!
//! The walker knows where things are; a [`KeyMap`] knows what becomes of them. Keys and ranges must
//! be answered. Every other class has a method that refuses until it is implemented, so a class
//! that a schema change brings into play cannot pass by silence.

use crate::{
    class::{Class, Form},
    fault::{Unhandled, WalkError},
    table::{Field, Message},
    tables::Hook,
    walker::Nested,
};

/// Where in the schema a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The message that owns the field.
    pub message: &'static Message,
    /// The field; for a range its start.
    pub field: &'static Field,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The output replaces it.
    Keep,
    /// It stays byte for byte; what was appended to the output is forgotten.
    Same,
    /// It is not for this reader: the nearest enclosing element of a list vanishes, or, where
    /// nothing above is in a list, the message that holds it.
    Drop,
}

/// What becomes of a field that the tables do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The walk fails.
    Refuse,
    /// The field is left out.
    Strip,
    /// The field passes byte for byte.
    Pass,
}

/// A range as it came. An end that is absent on the wire is empty here.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// How both ends are written.
    pub form: Form,
    /// `start` is the upper exclusive bound and `end` the lower inclusive one.
    pub reverse: bool,
    /// The message's start field.
    pub start: &'a [u8],
    /// The message's end field.
    pub end: &'a [u8],
}

/// The range that goes out. Both ends are empty when a map gets it; an empty end is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// New start field.
    pub start: Vec<u8>,
    /// New end field.
    pub end: Vec<u8>,
}

/// A list of keys in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyList {
    /// Appends a key.
    pub fn push(&mut self, key: &[u8]) {
        self.push_with(|out| out.extend_from_slice(key));
    }

    /// Appends a key that `write` appends to the buffer it gets.
    pub fn push_with<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let answer = write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        answer
    }

    /// The keys in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Decides about every value that is not opaque. Methods that get `out` append the new value.
pub trait KeyMap: Sized {
    /// What the caller reports; it must be able to say that a class is not handled.
    type Error: From<Unhandled>;

    /// A key that is not empty.
    ///
    /// # Errors
    /// Ends the walk.
    fn key(
        &mut self,
        at: At,
        form: Form,
        key: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Verdict, Self::Error>;

    /// A range, once per message that owns one, whether or not its ends are on the wire.
    ///
    /// # Errors
    /// Ends the walk.
    fn range(&mut self, at: At, range: Range<'_>, out: &mut Bounds)
    -> Result<Verdict, Self::Error>;

    /// What becomes of a field that the tables do not know; also the place to count it.
    fn unknown(&mut self, message: &'static Message, number: u32) -> Unknown {
        let _ = (message, number);
        Unknown::Refuse
    }

    /// A region's bucket boundaries, all of them at once.
    ///
    /// # Errors
    /// Ends the walk.
    fn buckets(
        &mut self,
        at: At,
        keys: &[&[u8]],
        out: &mut KeyList,
    ) -> Result<Verdict, Self::Error> {
        let _ = (keys, out);
        Err(unhandled(at))
    }

    /// Text for people that is not empty.
    ///
    /// # Errors
    /// Ends the walk.
    fn text(&mut self, at: At, text: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Self::Error> {
        let _ = (text, out);
        Err(unhandled(at))
    }

    /// An address that is not empty.
    ///
    /// # Errors
    /// Ends the walk.
    fn address(
        &mut self,
        at: At,
        address: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Verdict, Self::Error> {
        let _ = (address, out);
        Err(unhandled(at))
    }

    /// A shared name that is not empty.
    ///
    /// # Errors
    /// Ends the walk.
    fn scoped_name(
        &mut self,
        at: At,
        name: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Verdict, Self::Error> {
        let _ = (name, out);
        Err(unhandled(at))
    }

    /// A physical table id, to be replaced by the answer.
    ///
    /// # Errors
    /// Ends the walk.
    fn table_id(&mut self, at: At, id: i64) -> Result<i64, Self::Error> {
        let _ = id;
        Err(unhandled(at))
    }

    /// An etcd lease id, to be replaced by the answer.
    ///
    /// # Errors
    /// Ends the walk.
    fn lease_id(&mut self, at: At, id: i64) -> Result<i64, Self::Error> {
        let _ = id;
        Err(unhandled(at))
    }

    /// A region id. It is never replaced: the verdict says whether it may stay.
    ///
    /// # Errors
    /// Ends the walk.
    fn region_id(&mut self, at: At, id: u64) -> Result<Verdict, Self::Error> {
        let _ = id;
        Err(unhandled(at))
    }

    /// The fingerprint of `key`, which is the message's raw key as it came (`None` where the schema
    /// cannot tell which one), to be replaced by the answer.
    ///
    /// # Errors
    /// Ends the walk.
    fn key_hash(&mut self, at: At, key: Option<&[u8]>, hash: u64) -> Result<u64, Self::Error> {
        let _ = (key, hash);
        Err(unhandled(at))
    }

    /// Whether [`Self::hook`] has anything to say about this hook's messages; if not, they are walked
    /// by their table like any other, which is quicker than a hook that only passes them on.
    fn wants(&self, hook: Hook) -> bool {
        let _ = hook;
        true
    }

    /// A message whose fields decide about each other. `nested` walks it, or parts of it, by the
    /// tables; what is appended to `out` becomes the message's body.
    ///
    /// # Errors
    /// Ends the walk.
    fn hook(
        &mut self,
        hook: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<Self::Error>> {
        let _ = (body, nested, out);
        Err(WalkError::from(Self::Error::from(Unhandled::Hook(hook))))
    }
}

fn unhandled<E: From<Unhandled>>(at: At) -> E {
    let class: Class = at.field.class;
    E::from(Unhandled::Class(class))
}
