//! Point keys: the two doors between the key spaces.
//!
//! Hot path. A table-mode `t` key costs two prefix checks and one copy.

use crate::layout::{Part, Shape};
use crate::view::View;
use crate::{Edge, Form, KeyError, Keyspace, LogicalKey, PhysicalKey};

impl Keyspace {
    /// Appends the physical key of `key` to `out`.
    ///
    /// # Errors
    /// [`KeyError::Empty`], [`KeyError::NotAKey`] for a shape that TiDB never writes (`table` mode),
    /// [`KeyError::Malformed`]. `out` is then left as it was.
    pub fn encode_key(
        &self,
        form: Form,
        key: LogicalKey<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), KeyError> {
        let view = View::parse(form, key.0)?;
        if view.raw_len() == 0 {
            return Err(KeyError::Empty);
        }
        let part = self
            .parts()
            .find(|part| part.admits(&view, &part.logical))
            .ok_or_else(|| KeyError::NotAKey {
                key: view.redacted(),
            })?;
        view.replace_prefix(&part.logical, &part.physical, out);
        Ok(())
    }

    /// Appends the logical key of `key` to `out`.
    ///
    /// # Errors
    /// [`KeyError::Empty`], [`KeyError::Foreign`] for a key that is not the tenant's,
    /// [`KeyError::NotAKey`] for one in the tenant's range that [`Keyspace::encode_key`] never
    /// makes, [`KeyError::Malformed`]. `out` is then left as it was.
    pub fn decode_key(
        &self,
        form: Form,
        key: PhysicalKey<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), KeyError> {
        let view = View::parse(form, key.0)?;
        if view.raw_len() == 0 {
            return Err(KeyError::Empty);
        }
        let part = self
            .parts()
            .find(|part| view.starts_with(&part.physical))
            .ok_or(KeyError::Foreign)?;
        if !part.admits(&view, &part.physical) {
            return Err(KeyError::NotAKey {
                key: view.redacted(),
            });
        }
        view.replace_prefix(&part.physical, &part.logical, out);
        Ok(())
    }
}

impl Part {
    /// Whether `key` is `prefix` followed by what point keys of the part continue with.
    fn admits(&self, key: &View<'_>, prefix: &Edge) -> bool {
        let rest = key.raw_len().saturating_sub(prefix.len());
        key.starts_with(prefix)
            && match self.shape {
                Shape::Any => rest > 0,
                Shape::Meta => key
                    .head()
                    .get(prefix.len())
                    .is_some_and(|c| matches!(c, b' '..=b'~')),
                Shape::Table => rest >= 6,
            }
    }
}
