//! Coprocessor answers: rows that hold physical table ids lose the tenant's tag, and an error that a
//! store puts beside the rows loses what may be a physical key.

use mesh_proto::wire::put_bytes_field;
use mesh_proto::{Nested, Verdict, WalkError, fields};

use super::{UndecorateError, Undecorator, text};
use crate::physical_table_id::Column;
use crate::physical_table_id::rows::{patch_chunk, patch_datums};

/// `data` of coprocessor Response and StoreBatchTaskResponse.
const DATA: u32 = 1;
const BATCH_RESPONSES: u32 = 13;
/// `error` of tipb SelectResponse and StreamResponse, `msg` of Error. Warnings tell of the tenant's
/// own values, never of keys.
const ERROR: u32 = 1;
const ERROR_MSG: u32 = 2;
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
        let columns = self.exchange.columns.as_deref();
        if columns.is_none() && (self.exchange.other_data || !has_error(body)) {
            return nested.rewrite(body, self, out);
        }
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

    fn task(&self, task: &[u8], columns: Option<&[Column]>) -> Result<Vec<u8>, UndecorateError> {
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

    /// A tipb SelectResponse with its rows untagged and its error without keys.
    fn select(&self, data: &[u8], columns: Option<&[Column]>) -> Result<Vec<u8>, UndecorateError> {
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
            match (field.number, field.bytes(), columns) {
                (ERROR, Some(error), _) => {
                    put_bytes_field(ERROR, &without_keys(error)?, &mut untagged);
                }
                (CHUNKS, Some(chunk), Some(columns)) => {
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

/// Whether an answer, or one of those that came with it, has an error beside its rows: nearly none
/// has, and those pass as they are, as does what is no message and so has no error to be read.
fn has_error(body: &[u8]) -> bool {
    fields(body).map_while(Result::ok).any(|field| {
        let within = field.bytes().unwrap_or_default();
        match field.number {
            DATA => has_field(within, ERROR),
            BATCH_RESPONSES => has_error(within),
            _ => false,
        }
    })
}

fn has_field(message: &[u8], number: u32) -> bool {
    let mut known = fields(message).map_while(Result::ok);
    known.any(|field| field.number == number)
}

/// A tipb Error whose text names no key.
fn without_keys(error: &[u8]) -> Result<Vec<u8>, UndecorateError> {
    let mut clean = Vec::with_capacity(error.len());
    for field in fields(error) {
        let field = field.map_err(|_| MALFORMED)?;
        match (field.number, field.bytes()) {
            (ERROR_MSG, Some(message)) => {
                let mut told = Vec::with_capacity(message.len());
                text::scrub_keys(message, &mut told);
                put_bytes_field(ERROR_MSG, &told, &mut clean);
            }
            _ => clean.extend_from_slice(field.raw),
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use mesh_proto::types::{coprocessor, tipb};
    use prost::Message as _;

    use super::*;

    const TOLD: &str = "invalid range: [116 128 1 0 0 0 0 27 89] of [1 2]";

    fn select(msg: &'static str) -> Vec<u8> {
        let error = tipb::Error {
            code: Some(1),
            msg: Some(msg.into()),
        };
        let select = tipb::SelectResponse {
            error: Some(error),
            output_counts: vec![7],
            ..Default::default()
        };
        select.encode_to_vec()
    }

    fn message_of(select: &[u8]) -> String {
        let select = tipb::SelectResponse::decode(select).unwrap();
        assert_eq!(select.output_counts, [7]);
        String::from_utf8(select.error.unwrap().msg.unwrap().to_vec()).unwrap()
    }

    #[test]
    fn an_error_beside_rows_is_found_also_in_what_came_with_the_answer() {
        let task = coprocessor::StoreBatchTaskResponse {
            data: select(TOLD).into(),
            ..Default::default()
        };
        let mut answer = coprocessor::Response {
            batch_responses: vec![task],
            ..Default::default()
        };
        assert!(has_error(&answer.encode_to_vec()));
        answer.batch_responses.clear();
        assert!(!has_error(&answer.encode_to_vec()));
        answer.data = select(TOLD).into();
        assert!(has_error(&answer.encode_to_vec()));
    }

    #[test]
    fn an_errors_text_keeps_all_but_keys() {
        let select = select(TOLD);
        let error = fields(&select).flatten().find(|one| one.number == ERROR);
        let clean = without_keys(error.unwrap().bytes().unwrap()).unwrap();
        let mut out = Vec::new();
        put_bytes_field(ERROR, &clean, &mut out);
        out.extend(
            fields(&select)
                .flatten()
                .filter(|one| one.number != ERROR)
                .flat_map(|one| one.raw),
        );
        assert_eq!(message_of(&out), "invalid range: ? of [1 2]");
    }
}
