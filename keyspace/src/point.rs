//! Point keys: the two doors between the key spaces.
//!
//! Hot path. A raw row key of `table` mode, which is nearly every key there, is checked, copied and
//! patched; everything else goes by the tenant's parts.

use crate::layout::{LOGICAL_ROW_HEAD, Part, Shape};
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
        if form == Form::Raw
            && let Some(physical) = self.row_head()
            && patch_row(key.0, LOGICAL_ROW_HEAD, physical, out)
        {
            return Ok(());
        }
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
        if form == Form::Raw
            && let Some(physical) = self.row_head()
            && patch_row(key.0, physical, LOGICAL_ROW_HEAD, out)
        {
            return Ok(());
        }
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

/// Appends a raw row key with its first three bytes exchanged; `false`, and no output, when `key`
/// does not start with `from` and a whole table id.
fn patch_row(key: &[u8], from: [u8; 3], to: [u8; 3], out: &mut Vec<u8>) -> bool {
    if key.len() < 9 || !key.starts_with(&from) {
        return false;
    }
    let at = out.len();
    out.extend_from_slice(key);
    if let Some(head) = out.get_mut(at..at + 3) {
        head.copy_from_slice(&to);
    }
    true
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
