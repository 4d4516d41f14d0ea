//! Follows `_tidb_tid` through a DAG's executors to the columns of the answer, and puts the
//! tenant's tag into constants that it is compared with.

use mesh_keyspace::Keyspace;
use mesh_proto::types::tipb::{
    Aggregation, ColumnInfo, DagRequest, ExecType, Executor, Expr, ExprType,
};

use super::{COLUMN_ID, Column, Columns, Width};

/// A DAG in which a tagged id can't be made right.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The executor or expression can't be followed.
    #[error("_tidb_tid below {0} can't be served in table mode")]
    Unsupported(&'static str),
    /// The DAG contradicts itself.
    #[error("the DAG is malformed: {0}")]
    Malformed(&'static str),
}

/// A column inside the plan.
#[derive(Clone, Copy)]
struct Source {
    column: Column,
    /// Ids that carry the tag: read from a key, not from a global index's value.
    tagged: bool,
}

/// What [`trace`] found.
pub struct Traced {
    /// Columns of the answer when one of them holds physical table ids.
    pub columns: Option<Columns>,
    /// Whether constants of the DAG were changed, so that it must be encoded again.
    pub changed: bool,
}

/// Follows the column and tags constants that it is compared with.
///
/// # Errors
/// [`TraceError`].
pub fn trace(dag: &mut DagRequest, keyspace: &Keyspace) -> Result<Traced, TraceError> {
    if !dag
        .executors
        .iter()
        .chain(dag.root_executor.as_ref())
        .any(|root| reads_table_id(root, 0))
    {
        return Ok(Traced {
            columns: None,
            changed: false,
        });
    }
    let mut tracer = Tracer {
        keyspace,
        changed: false,
    };
    let mut columns: Vec<Source> = Vec::new();
    if let Some(root) = dag.root_executor.as_mut() {
        columns = tracer.tree(root, 0)?;
    } else {
        for executor in &mut dag.executors {
            columns = tracer.apply(executor, columns)?;
        }
    }
    let output = dag.output_offsets.iter().map(|offset| {
        let source = columns.get(*offset as usize).map(|source| source.column);
        source.ok_or(TraceError::Malformed(
            "an output offset beyond the last column",
        ))
    });
    let output = output.collect::<Result<Columns, _>>()?;
    let holds_ids = output.iter().any(|column| column.table_id);
    Ok(Traced {
        columns: holds_ids.then_some(output),
        changed: tracer.changed,
    })
}

/// Executor trees of real plans are a handful of nodes deep.
const DEPTH: usize = 64;

struct Tracer<'a> {
    keyspace: &'a Keyspace,
    changed: bool,
}

impl Tracer<'_> {
    fn tree(&mut self, executor: &mut Executor, depth: usize) -> Result<Vec<Source>, TraceError> {
        if depth > DEPTH {
            return Err(TraceError::Malformed("executors are nested too deep"));
        }
        let child = child_of(executor);
        let input = match child {
            Some(child) => self.tree(child, depth + 1)?,
            None => Vec::new(),
        };
        self.apply(executor, input)
    }

    fn apply(
        &mut self,
        executor: &mut Executor,
        input: Vec<Source>,
    ) -> Result<Vec<Source>, TraceError> {
        let missing = TraceError::Malformed("an executor without its body");
        match executor.tp() {
            ExecType::TypeTableScan => Ok(scan_columns(
                &executor.tbl_scan.as_ref().ok_or(missing)?.columns,
                true,
            )),
            ExecType::TypePartitionTableScan => {
                let scan = executor.partition_table_scan.as_ref().ok_or(missing)?;
                Ok(scan_columns(&scan.columns, true))
            }
            ExecType::TypeIndexScan => Ok(scan_columns(
                &executor.idx_scan.as_ref().ok_or(missing)?.columns,
                false,
            )),
            ExecType::TypeSelection => {
                let selection = executor.selection.as_mut().ok_or(missing)?;
                for condition in &mut selection.conditions {
                    self.condition(condition, &input)?;
                }
                Ok(input)
            }
            // Order and equality of tagged ids are those of the untagged ones.
            ExecType::TypeLimit | ExecType::TypeTopN => Ok(input),
            ExecType::TypeAggregation | ExecType::TypeStreamAgg => {
                aggregate(executor.aggregation.as_ref().ok_or(missing)?, &input)
            }
            ExecType::TypeProjection => {
                let projection = executor.projection.as_ref().ok_or(missing)?;
                projection
                    .exprs
                    .iter()
                    .map(|expr| project(expr, &input))
                    .collect()
            }
            _ => Err(TraceError::Unsupported("an executor that combines rows")),
        }
    }

    /// Comparisons of the column with constants get tagged constants; any other expression over a
    /// tagged id is refused.
    fn condition(&mut self, expr: &mut Expr, input: &[Source]) -> Result<(), TraceError> {
        if !mentions(expr, input) {
            return Ok(());
        }
        if is_logic(expr) {
            return expr
                .children
                .iter_mut()
                .try_for_each(|child| self.condition(child, input));
        }
        let comparable = expr
            .children
            .iter()
            .all(|child| is_tagged_column(child, input) || is_integer(child));
        if !comparable || !is_comparison(expr) {
            return Err(TraceError::Unsupported(
                "an expression that is not a comparison",
            ));
        }
        for child in expr.children.iter_mut().filter(|child| is_integer(child)) {
            self.tag(child)?;
        }
        Ok(())
    }

    fn tag(&mut self, constant: &mut Expr) -> Result<(), TraceError> {
        let value = integer(constant).ok_or(TraceError::Malformed("an integer constant"))?;
        let Ok(tagged) = self.keyspace.encode_table_id(value) else {
            // Not an id of a table: no key can hold it, so the comparison is right as it is.
            return Ok(());
        };
        let bits = if constant.tp() == ExprType::Int64 {
            tagged as u64 ^ SIGN
        } else {
            tagged as u64
        };
        constant.val = Some(bits.to_be_bytes().to_vec().into());
        self.changed = true;
        Ok(())
    }
}

const SIGN: u64 = 1 << 63;

/// The single child of an executor in tree form.
fn child(executor: &Executor) -> Option<&Executor> {
    let selection = executor
        .selection
        .as_ref()
        .and_then(|body| body.child.as_deref());
    let aggregation = executor
        .aggregation
        .as_ref()
        .and_then(|body| body.child.as_deref());
    let top_n = executor
        .top_n
        .as_ref()
        .and_then(|body| body.child.as_deref());
    let limit = executor
        .limit
        .as_ref()
        .and_then(|body| body.child.as_deref());
    let projection = executor
        .projection
        .as_ref()
        .and_then(|body| body.child.as_deref());
    selection.or(aggregation).or(top_n).or(limit).or(projection)
}

/// [`child`], to be changed.
fn child_of(executor: &mut Executor) -> Option<&mut Executor> {
    if let Some(selection) = executor.selection.as_mut() {
        return selection.child.as_deref_mut();
    }
    if let Some(aggregation) = executor.aggregation.as_mut() {
        return aggregation.child.as_deref_mut();
    }
    if let Some(top_n) = executor.top_n.as_mut() {
        return top_n.child.as_deref_mut();
    }
    if let Some(limit) = executor.limit.as_mut() {
        return limit.child.as_deref_mut();
    }
    executor
        .projection
        .as_mut()
        .and_then(|projection| projection.child.as_deref_mut())
}

/// Whether a scan at or below `executor` asks for the column.
fn reads_table_id(executor: &Executor, depth: usize) -> bool {
    let asks =
        |columns: &[ColumnInfo]| columns.iter().any(|column| column.column_id() == COLUMN_ID);
    let own = executor
        .tbl_scan
        .as_ref()
        .is_some_and(|scan| asks(&scan.columns))
        || executor
            .idx_scan
            .as_ref()
            .is_some_and(|scan| asks(&scan.columns))
        || executor
            .partition_table_scan
            .as_ref()
            .is_some_and(|scan| asks(&scan.columns));
    own || depth < DEPTH && child(executor).is_some_and(|child| reads_table_id(child, depth + 1))
}

fn scan_columns(columns: &[ColumnInfo], from_key: bool) -> Vec<Source> {
    let source = |column: &ColumnInfo| {
        let table_id = column.column_id() == COLUMN_ID;
        Source {
            column: Column {
                width: Width::of_type(column.tp()),
                table_id,
            },
            tagged: table_id && from_key,
        }
    };
    columns.iter().map(source).collect()
}

fn project(expr: &Expr, input: &[Source]) -> Result<Source, TraceError> {
    if let Some(source) = column_of(expr, input) {
        return Ok(source);
    }
    if mentions(expr, input) {
        return Err(TraceError::Unsupported("a projection that computes"));
    }
    Ok(plain(expr))
}

fn plain(expr: &Expr) -> Source {
    let width = expr
        .field_type
        .as_ref()
        .map_or(Width::Variable, |field| Width::of_type(field.tp()));
    Source {
        column: Column {
            width,
            table_id: false,
        },
        tagged: false,
    }
}

/// Output of an aggregation: the functions' columns, then the groups'.
fn aggregate(aggregation: &Aggregation, input: &[Source]) -> Result<Vec<Source>, TraceError> {
    let mut output = Vec::new();
    for function in &aggregation.agg_func {
        let kind = function.tp();
        let argument = function
            .children
            .first()
            .and_then(|child| column_of(child, input));
        match kind {
            ExprType::Min | ExprType::Max | ExprType::First if argument.is_some() => {
                output.extend(argument);
            }
            ExprType::Count => output.push(COUNT),
            _ if mentions(function, input) => {
                return Err(TraceError::Unsupported("an aggregate that computes"));
            }
            ExprType::Avg => output.extend([COUNT, plain(function)]),
            _ => output.push(plain(function)),
        }
    }
    for group in &aggregation.group_by {
        output.push(project(group, input)?);
    }
    Ok(output)
}

const COUNT: Source = Source {
    column: Column {
        width: Width::Fixed(8),
        table_id: false,
    },
    tagged: false,
};

fn mentions(expr: &Expr, input: &[Source]) -> bool {
    is_tagged_column(expr, input) || expr.children.iter().any(|child| mentions(child, input))
}

fn is_tagged_column(expr: &Expr, input: &[Source]) -> bool {
    column_of(expr, input).is_some_and(|source| source.tagged)
}

fn column_of(expr: &Expr, input: &[Source]) -> Option<Source> {
    if expr.tp() != ExprType::ColumnRef {
        return None;
    }
    let offset = usize::try_from(integer(expr)?).ok()?;
    input.get(offset).copied()
}

fn is_integer(expr: &Expr) -> bool {
    matches!(expr.tp(), ExprType::Int64 | ExprType::Uint64)
}

/// Value of an integer constant or column reference: eight bytes, big endian, the sign bit flipped
/// unless unsigned.
fn integer(expr: &Expr) -> Option<i64> {
    let bytes = expr.val.as_ref()?.first_chunk::<8>()?;
    let bits = u64::from_be_bytes(*bytes);
    let signed = expr.tp() != ExprType::Uint64;
    Some(if signed {
        (bits ^ SIGN) as i64
    } else {
        bits as i64
    })
}

/// Numbers of tipb `ScalarFuncSig` that compare two integers, or one with a list.
const COMPARISONS: [i32; 8] = [
    100,  // LTInt
    110,  // LEInt
    120,  // GTInt
    130,  // GEInt
    140,  // EQInt
    150,  // NEInt
    160,  // NullEQInt
    4001, // InInt
];

/// `LogicalAnd`, `LogicalOr`, `UnaryNotInt`: each child is a condition of its own.
const LOGIC: [i32; 3] = [3101, 3102, 3104];

fn is_comparison(expr: &Expr) -> bool {
    expr.tp() == ExprType::ScalarFunc && COMPARISONS.contains(&expr.sig.unwrap_or(0))
}

fn is_logic(expr: &Expr) -> bool {
    expr.tp() == ExprType::ScalarFunc && LOGIC.contains(&expr.sig.unwrap_or(0))
}
