//! A key in either form, read without decoding it.
//!
//! Prefixes have at most eight bytes, so the first memcomparable group shows all of a key that any
//! decision needs. Checking is done here, once, before anything is written.

use crate::{Edge, Form, KeyError, Redacted, memcomparable};

/// Key bytes that have been checked for their form.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    form: Form,
    bytes: &'a [u8],
    raw_len: usize,
}

impl<'a> View<'a> {
    /// # Errors
    /// [`KeyError::Malformed`] when `form` is encoded and `bytes` is not exactly one encoding.
    pub(crate) fn parse(form: Form, bytes: &'a [u8]) -> Result<Self, KeyError> {
        let raw_len = match form {
            Form::Raw => bytes.len(),
            Form::Encoded => {
                memcomparable::measure_exact(bytes).map_err(|reason| KeyError::Malformed {
                    reason,
                    key: Redacted::of(bytes),
                })?
            }
        };
        Ok(View {
            form,
            bytes,
            raw_len,
        })
    }

    /// Bytes in the key's own form; one form's bytes sort as the raw keys do.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn raw_len(&self) -> usize {
        self.raw_len
    }

    /// The first raw bytes, eight if there are as many.
    pub(crate) fn head(&self) -> &'a [u8] {
        self.bytes.get(..self.raw_len.min(8)).unwrap_or_default()
    }

    pub(crate) fn starts_with(&self, prefix: &Edge) -> bool {
        self.head().starts_with(prefix)
    }

    pub(crate) fn redacted(&self) -> Redacted {
        Redacted {
            len: self.bytes.len(),
            ..Redacted::of(self.head())
        }
    }

    /// Appends the key with `new` in place of the prefix `old`, in the key's own form.
    pub(crate) fn replace_prefix(&self, old: &Edge, new: &Edge, out: &mut Vec<u8>) {
        match (self.form, old.len(), new.len()) {
            (Form::Encoded, 0, 8) => self.prepend_group(new, out),
            (Form::Encoded, 8, 0) => out.extend_from_slice(self.bytes.get(9..).unwrap_or_default()),
            (Form::Encoded, o, n) if o != n => {
                memcomparable::splice(self.bytes, self.raw_len, o, new, out);
            }
            // Raw, or a patch inside the first group: the bytes after the prefix stay as they are.
            (_, o, n) => {
                let rest = self.bytes.get(o..).unwrap_or_default();
                out.reserve(n + rest.len());
                out.extend_from_slice(new);
                out.extend_from_slice(rest);
            }
        }
    }

    /// Eight bytes are a whole group: what follows keeps its own grouping.
    fn prepend_group(&self, prefix: &Edge, out: &mut Vec<u8>) {
        out.reserve(9 + self.bytes.len());
        out.extend_from_slice(prefix);
        out.push(0xFF);
        out.extend_from_slice(self.bytes);
    }
}
