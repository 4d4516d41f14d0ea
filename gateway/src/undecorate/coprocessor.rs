//! Coprocessor answers: rows that hold physical table ids lose the tenant's tag.

use mesh_proto::wire::put_bytes_field;
use mesh_proto::{Nested, Verdict, WalkError, fields};

use super::{UndecorateError, Undecorator};
use crate::physical_table_id::Column;
use crate::physical_table_id::rows::{patch_chunk, patch_datums};

/// `data` of coprocessor Response and StoreBatchTaskResponse.
const DATA: u32 = 1;
const BATCH_RESPONSES: u32 = 13;
/// `chunks` and `encode_type` of tipb SelectResponse, `rows_data` of Chunk.
const CHUNKS: u32 = 3;
const ENCODE_TYPE: u32 = 9;
const ROWS_DATA: u32 = 3;

/// Rows in tipb's encodings.
const TYPE_DEFAULT: u64 = 0;
const TYPE_CHUNK: u64 = 1;

const MALFORMED: UndecorateError = UndecorateError::Malformed("a coprocessor answer");

impl Undecorator<'_> {
    pub(super) fn cop_response(
        &mut self,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<UndecorateError>> {
        let Some(columns) = &self.exchange.columns else {
            return nested.rewrite(body, self, out);
        };
        let mut untagged = Vec::with_capacity(body.len());
        for field in fields(body) {
            let field = field.map_err(|_| MALFORMED)?;
            match (field.number, field.bytes()) {
                (DATA, Some(data)) => {
                    put_bytes_field(DATA, &self.select(data, columns)?, &mut untagged);
                }
                (BATCH_RESPONSES, Some(task)) => {
                    put_bytes_field(BATCH_RESPONSES, &self.task(task, columns)?, &mut untagged);
                }
                _ => untagged.extend_from_slice(field.raw),
            }
        }
        // The walker's verdict is about the untagged body: it must be written out either way.
        match nested.rewrite(&untagged, self, out)? {
            Verdict::Drop => Ok(Verdict::Drop),
            Verdict::Keep | Verdict::Same => Ok(Verdict::Keep),
        }
    }

    fn task(&self, task: &[u8], columns: &[Column]) -> Result<Vec<u8>, UndecorateError> {
        let mut untagged = Vec::with_capacity(task.len());
        for field in fields(task) {
            let field = field.map_err(|_| MALFORMED)?;
            match (field.number, field.bytes()) {
                (DATA, Some(data)) => {
                    put_bytes_field(DATA, &self.select(data, columns)?, &mut untagged);
                }
                _ => untagged.extend_from_slice(field.raw),
            }
        }
        Ok(untagged)
    }

    /// A tipb SelectResponse with its rows untagged.
    fn select(&self, data: &[u8], columns: &[Column]) -> Result<Vec<u8>, UndecorateError> {
        let mut encoding = TYPE_DEFAULT;
        for field in fields(data) {
            let field = field.map_err(|_| MALFORMED)?;
            if field.number == ENCODE_TYPE {
                encoding = field.varint().ok_or(MALFORMED)?;
            }
        }
        let mut untagged = Vec::with_capacity(data.len());
        for field in fields(data) {
            let field = field.map_err(|_| MALFORMED)?;
            match (field.number, field.bytes()) {
                (CHUNKS, Some(chunk)) => {
                    let chunk = self.chunk(chunk, encoding, columns)?;
                    put_bytes_field(CHUNKS, &chunk, &mut untagged);
                }
                _ => untagged.extend_from_slice(field.raw),
            }
        }
        Ok(untagged)
    }

    fn chunk(
        &self,
        chunk: &[u8],
        encoding: u64,
        columns: &[Column],
    ) -> Result<Vec<u8>, UndecorateError> {
        let mut untagged = Vec::with_capacity(chunk.len());
        for field in fields(chunk) {
            let field = field.map_err(|_| MALFORMED)?;
            match (field.number, field.bytes()) {
                (ROWS_DATA, Some(rows)) => {
                    let rows = self.rows(rows, encoding, columns)?;
                    put_bytes_field(ROWS_DATA, &rows, &mut untagged);
                }
                _ => untagged.extend_from_slice(field.raw),
            }
        }
        Ok(untagged)
    }

    fn rows(
        &self,
        rows: &[u8],
        encoding: u64,
        columns: &[Column],
    ) -> Result<Vec<u8>, UndecorateError> {
        match encoding {
            TYPE_CHUNK => {
                let mut untagged = rows.to_vec();
                patch_chunk(&mut untagged, columns, self.keyspace)?;
                Ok(untagged)
            }
            TYPE_DEFAULT => {
                let mut untagged = Vec::with_capacity(rows.len());
                patch_datums(rows, columns, self.keyspace, &mut untagged)?;
                Ok(untagged)
            }
            _ => Err(UndecorateError::Malformed("rows in an encoding of TiFlash")),
        }
    }
}
