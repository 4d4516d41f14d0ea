//! Coprocessor requests: ranges are the tables' business; what `data` holds depends on `tp`.

use memchr::memmem;
use mesh_keyspace::Mode;
use mesh_proto::types::tipb;
use mesh_proto::{Edit, Nested, Verdict, WalkError, fields};
use prost::Message;

use super::{DecorateError, Decorator};
use crate::physical_table_id::{COLUMN_ID_VARINT, trace::trace};

/// Request types of the coprocessor (`pkg/kv/kv.go` of TiDB).
mod request_type {
    pub(super) const DAG: u64 = 103;
    pub(super) const ANALYZE: u64 = 104;
    pub(super) const CHECKSUM: u64 = 105;
}

const TP: u32 = 2;
const DATA: u32 = 3;
const RANGES: u32 = 4;
/// First field of tipb `Executor` that this version of the gateway does not know to leave alone.
const EXECUTOR_INDEX_LOOKUP: u32 = 24;
const DAG_EXECUTORS: u32 = 2;

impl Decorator<'_> {
    pub(super) fn cop_request(
        &mut self,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<DecorateError>> {
        if self.keyspace.mode() == Mode::Prefix {
            return Err(DecorateError::Unsupported(
                "mode prefix serves no coprocessor requests: the stores can't read its keys",
            )
            .into());
        }
        let request = Parts::read(body)?;
        self.exchange.other_data = request.tp != request_type::DAG;
        let data = match request.tp {
            request_type::DAG => self.dag(request.data)?,
            request_type::ANALYZE => None,
            request_type::CHECKSUM => Some(self.checksum(&request)?),
            _ => return Err(DecorateError::Unsupported("an unknown coprocessor type").into()),
        };
        match data {
            None => nested.rewrite(body, self, out),
            Some(data) => nested.rewrite_with(body, &[(DATA, Edit::Bytes(&data))], self, out),
        }
    }

    /// The DAG when it must change.
    fn dag(&mut self, data: &[u8]) -> Result<Option<Vec<u8>>, DecorateError> {
        if self.keyspace.mode() != Mode::Table {
            return Ok(None);
        }
        if has_index_lookup(data)? {
            return Err(DecorateError::Unsupported("IndexLookUp pushdown"));
        }
        // The column is rare, and its id can't be missed: a DAG without these bytes has none.
        if memmem::find(data, &COLUMN_ID_VARINT).is_none() {
            return Ok(None);
        }
        let malformed = |_| DecorateError::Malformed("a DAG that can't be decoded");
        let mut dag = tipb::DagRequest::decode(data).map_err(malformed)?;
        let traced = trace(&mut dag, self.keyspace)?;
        self.exchange.columns = traced.columns;
        Ok(traced.changed.then(|| dag.encode_to_vec()))
    }

    /// A checksum covers whole physical keys; its rule makes the store compute it over the keys as
    /// the tenant knows them: `new_prefix` (physical, at the key's head) is read as `old_prefix`.
    fn checksum(&mut self, request: &Parts<'_>) -> Result<Vec<u8>, DecorateError> {
        let malformed = |_| DecorateError::Malformed("a checksum request that can't be decoded");
        let mut checksum = tipb::ChecksumRequest::decode(request.data).map_err(malformed)?;
        let mut rule = checksum.rule.take().unwrap_or_default();
        if rule.new_prefix().is_empty() {
            let head = request.range_head()?;
            rule.old_prefix = Some(head.to_vec().into());
            rule.new_prefix = Some(head.to_vec().into());
        }
        let mut physical = Vec::new();
        let logical = mesh_keyspace::LogicalKey(rule.new_prefix());
        self.keyspace
            .encode_key(mesh_keyspace::Form::Raw, logical, &mut physical)?;
        rule.new_prefix = Some(physical.into());
        checksum.rule = Some(rule);
        Ok(checksum.encode_to_vec())
    }
}

/// The fields that decide about each other.
struct Parts<'a> {
    tp: u64,
    data: &'a [u8],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(body: &'a [u8]) -> Result<Parts<'a>, DecorateError> {
        let mut parts = Parts {
            tp: 0,
            data: &[],
            body,
        };
        for field in fields(body) {
            let field = field.map_err(|_| DecorateError::Malformed("a coprocessor request"))?;
            match field.number {
                TP => parts.tp = field.varint().unwrap_or(0),
                DATA => parts.data = field.bytes().unwrap_or_default(),
                _ => {}
            }
        }
        Ok(parts)
    }

    /// `t` and table id that all ranges of a checksum begin with.
    fn range_head(&self) -> Result<&'a [u8], DecorateError> {
        let mut head: Option<&[u8]> = None;
        for range in fields(self.body)
            .flatten()
            .filter(|field| field.number == RANGES)
        {
            let range = range.bytes().unwrap_or_default();
            let start = fields(range).flatten().find(|field| field.number == 1);
            let start = start
                .and_then(|start| start.bytes())
                .and_then(|start| start.get(..9));
            let start = start.ok_or(DecorateError::Malformed("a checksum range of no table"))?;
            if head.is_some_and(|head| head != start) {
                return Err(DecorateError::Unsupported("a checksum over several tables"));
            }
            head = Some(start);
        }
        head.ok_or(DecorateError::Malformed("a checksum without ranges"))
    }
}

fn has_index_lookup(dag: &[u8]) -> Result<bool, DecorateError> {
    for executor in fields(dag) {
        let executor = executor.map_err(|_| DecorateError::Malformed("a DAG"))?;
        if executor.number != DAG_EXECUTORS {
            continue;
        }
        for field in fields(executor.bytes().unwrap_or_default()) {
            let field = field.map_err(|_| DecorateError::Malformed("an executor"))?;
            if field.number == EXECUTOR_INDEX_LOOKUP {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
