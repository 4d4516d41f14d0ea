use mesh_keyspace::{Keyspace, Mode, TenantId};
use mesh_proto::types::tipb::{
    Aggregation, ColumnInfo, DagRequest, ExecType, Executor, Expr, ExprType, FieldType, IndexScan,
    Selection, TableScan,
};
use proptest::prelude::*;

use super::rows::{patch_chunk, patch_datums};
use super::trace::trace;
use super::{COLUMN_ID, COLUMN_ID_VARINT, Column, Width};

const LONGLONG: i32 = 8;
const VARCHAR: i32 = 15;

fn alpha() -> Keyspace {
    Keyspace::new(Mode::Table, TenantId::new(Mode::Table, 3).unwrap()).unwrap()
}

fn tagged(id: i64) -> i64 {
    id | (3 << 48)
}

fn column(id: i64, tp: i32) -> ColumnInfo {
    ColumnInfo {
        column_id: Some(id),
        tp: Some(tp),
        ..Default::default()
    }
}

fn table_scan(columns: Vec<ColumnInfo>) -> Executor {
    Executor {
        tp: Some(ExecType::TypeTableScan as i32),
        tbl_scan: Some(TableScan {
            columns,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn selection(condition: Expr) -> Executor {
    Executor {
        tp: Some(ExecType::TypeSelection as i32),
        selection: Some(Box::new(Selection {
            conditions: vec![condition],
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn integer(tp: ExprType, value: i64) -> Expr {
    let bits = (value as u64) ^ (1 << 63);
    Expr {
        tp: Some(tp as i32),
        val: Some(bits.to_be_bytes().to_vec().into()),
        ..Default::default()
    }
}

fn compare(sig: i32, column: i64, constants: &[i64]) -> Expr {
    let mut children = vec![integer(ExprType::ColumnRef, column)];
    children.extend(
        constants
            .iter()
            .map(|value| integer(ExprType::Int64, *value)),
    );
    Expr {
        tp: Some(ExprType::ScalarFunc as i32),
        sig: Some(sig),
        children,
        ..Default::default()
    }
}

#[test]
fn the_marker_is_the_columns_varint() {
    let mut encoded = Vec::new();
    mesh_proto::wire::put_varint(COLUMN_ID as u64, &mut encoded);
    assert_eq!(encoded, COLUMN_ID_VARINT);
}

#[test]
fn a_scans_column_is_followed_to_its_output_offset() {
    let mut dag = DagRequest {
        executors: vec![table_scan(vec![
            column(1, VARCHAR),
            column(COLUMN_ID, LONGLONG),
        ])],
        output_offsets: vec![1, 0],
        ..Default::default()
    };
    let traced = trace(&mut dag, &alpha()).unwrap();
    let columns = traced.columns.unwrap();
    assert_eq!(
        columns.iter().map(|c| c.table_id).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(columns[1].width, Width::Variable);
    assert!(!traced.changed);
}

#[test]
fn a_plan_without_the_column_is_left_alone_whatever_else_it_holds() {
    let mut dag = DagRequest {
        executors: vec![table_scan(vec![column(1, VARCHAR)]), Executor::default()],
        output_offsets: vec![7],
        ..Default::default()
    };
    assert!(trace(&mut dag, &alpha()).unwrap().columns.is_none());
}

#[test]
fn constants_compared_with_a_key_derived_id_get_the_tag() {
    let scan = table_scan(vec![column(COLUMN_ID, LONGLONG)]);
    let mut dag = DagRequest {
        executors: vec![scan, selection(compare(4001, 0, &[112, 113]))],
        output_offsets: vec![0],
        ..Default::default()
    };
    assert!(trace(&mut dag, &alpha()).unwrap().changed);
    let condition = &dag.executors[1].selection.as_ref().unwrap().conditions[0];
    assert_eq!(condition.children[1], integer(ExprType::Int64, tagged(112)));
    assert_eq!(condition.children[2], integer(ExprType::Int64, tagged(113)));
}

#[test]
fn constants_compared_with_an_id_from_a_global_index_stay() {
    let scan = Executor {
        tp: Some(ExecType::TypeIndexScan as i32),
        idx_scan: Some(IndexScan {
            columns: vec![column(COLUMN_ID, LONGLONG)],
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut dag = DagRequest {
        executors: vec![scan, selection(compare(4001, 0, &[112]))],
        output_offsets: vec![0],
        ..Default::default()
    };
    let traced = trace(&mut dag, &alpha()).unwrap();
    assert!(!traced.changed);
    assert!(traced.columns.unwrap()[0].table_id);
}

#[test]
fn arithmetic_over_a_key_derived_id_is_refused() {
    let scan = table_scan(vec![column(COLUMN_ID, LONGLONG)]);
    let plus = compare(203, 0, &[1]);
    let mut dag = DagRequest {
        executors: vec![scan, selection(plus)],
        output_offsets: vec![0],
        ..Default::default()
    };
    assert!(trace(&mut dag, &alpha()).is_err());
}

#[test]
fn groups_and_extremes_of_the_id_are_ids() {
    let max = Expr {
        tp: Some(ExprType::Max as i32),
        children: vec![integer(ExprType::ColumnRef, 1)],
        ..Default::default()
    };
    let average = Expr {
        tp: Some(ExprType::Avg as i32),
        children: vec![integer(ExprType::ColumnRef, 0)],
        field_type: Some(FieldType {
            tp: Some(246),
            ..Default::default()
        }),
        ..Default::default()
    };
    let aggregation = Executor {
        tp: Some(ExecType::TypeAggregation as i32),
        aggregation: Some(Box::new(Aggregation {
            agg_func: vec![average, max],
            group_by: vec![integer(ExprType::ColumnRef, 1)],
            ..Default::default()
        })),
        ..Default::default()
    };
    let scan = table_scan(vec![column(1, LONGLONG), column(COLUMN_ID, LONGLONG)]);
    let mut dag = DagRequest {
        executors: vec![scan, aggregation],
        output_offsets: vec![0, 1, 2, 3],
        ..Default::default()
    };
    let columns = trace(&mut dag, &alpha()).unwrap().columns.unwrap();
    let ids: Vec<bool> = columns.iter().map(|column| column.table_id).collect();
    assert_eq!(ids, [false, false, true, true]);
    assert_eq!(columns[1].width, Width::Fixed(40));
}

fn id_column() -> Column {
    Column {
        width: Width::Fixed(8),
        table_id: true,
    }
}

fn text_column() -> Column {
    Column {
        width: Width::Variable,
        table_id: false,
    }
}

/// Chunk encoding of a nullable text column and an id column.
fn chunk(rows: &[(Option<&str>, i64)]) -> Vec<u8> {
    let nulls = rows.iter().filter(|(text, _)| text.is_none()).count();
    let mut out = Vec::new();
    out.extend((rows.len() as u32).to_le_bytes());
    out.extend((nulls as u32).to_le_bytes());
    if nulls > 0 {
        out.extend(vec![0xff; rows.len().div_ceil(8)]);
    }
    let (mut offset, mut data) = (0i64, Vec::<u8>::new());
    out.extend(offset.to_le_bytes());
    for (text, _) in rows {
        data.extend(text.unwrap_or_default().as_bytes());
        offset = data.len() as i64;
        out.extend(offset.to_le_bytes());
    }
    out.extend(data);
    out.extend((rows.len() as u32).to_le_bytes());
    out.extend(0u32.to_le_bytes());
    rows.iter().for_each(|(_, id)| out.extend(id.to_le_bytes()));
    out
}

proptest! {
    #[test]
    fn chunk_rows_lose_the_tag_and_nothing_else(
        rows in prop::collection::vec((prop::option::of("[a-z]{0,20}"), 0i64..1 << 47), 0..20),
    ) {
        let with = |f: fn(i64) -> i64| -> Vec<u8> {
            let rows: Vec<_> = rows.iter().map(|(t, id)| (t.as_deref(), f(*id))).collect();
            let mut twice = chunk(&rows);
            twice.extend(chunk(&rows));
            twice
        };
        let mut patched = with(tagged);
        patch_chunk(&mut patched, &[text_column(), id_column()], &alpha()).unwrap();
        prop_assert_eq!(patched, with(|id| id));
    }

    #[test]
    fn rows_of_any_bytes_are_patched_or_refused_and_never_panic(
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let columns = [text_column(), id_column()];
        let _ = patch_datums(&data, &columns, &alpha(), &mut Vec::new());
        let _ = patch_chunk(&mut data.clone(), &columns, &alpha());
    }

    #[test]
    fn datum_rows_lose_the_tag_whatever_stands_beside_it(
        id in 0i64..1 << 47, text in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let row = |id: i64| {
            let mut row = vec![2];
            mesh_proto::wire::put_varint((text.len() as u64) << 1, &mut row);
            row.extend(&text);
            row.push(8);
            mesh_proto::wire::put_varint((id << 1) as u64, &mut row);
            row.push(3);
            row.extend(((id as u64) ^ (1 << 63)).to_be_bytes());
            row
        };
        let columns = [text_column(), id_column(), id_column()];
        let mut patched = Vec::new();
        patch_datums(&row(tagged(id)), &columns, &alpha(), &mut patched).unwrap();
        prop_assert_eq!(patched, row(id));
    }
}

#[test]
fn an_id_with_another_tenants_tag_is_refused() {
    let mut foreign = chunk(&[(Some("x"), 112 | (4 << 48))]);
    assert!(patch_chunk(&mut foreign, &[text_column(), id_column()], &alpha()).is_err());
}
