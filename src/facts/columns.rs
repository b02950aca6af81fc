//! Columns: what ANALYZE knows of them, and what the workload's plans look for in them.

use super::asked::{Asked, leads_index};
use super::build;
use super::indexes::distinct;
use super::lookup::{Key, Lookup};
use super::relations::RelationRow;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::Column;
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

#[derive(Serialize, JsonSchema)]
struct ColumnRow<'a> {
    #[serde(flatten)]
    column: &'a Column,
    /// Rows of its table. {tuples | n_live_tup, reltuples}
    table_rows: i64,
    /// Distinct values, an estimate; none without statistics. {values | pg_stats.n_distinct}
    distinct_count: Option<f64>,
    /// A valid index has it as its first column. {bool | pg_index}
    leads_index: bool,
    /// Statements whose generic plan reads the table whole, where an index of this column would find the rows best: compared by `=`, else by range, with the most distinct values. {statements | EXPLAIN Seq Scan}
    whole_scan_statements: usize,
    /// The costliest of them, by its fingerprint; none when there is none. {text | pg_query fingerprint}
    whole_scan_fingerprint: Option<String>,
    /// What it filters by. {text | EXPLAIN Filter}
    whole_scan_filter: Option<String>,
    /// It compares the column by `=`, not by range. {bool | EXPLAIN Filter}
    whole_scan_is_by_equality: bool,
    /// Bytes of the table, or of those partitions, that it reads whole. {bytes | pg_relation_size()}
    whole_scan_bytes: i64,
    /// Share of the rows that its filter keeps, by the planner's estimate. {pct | EXPLAIN Plan Rows ÷ reltuples}
    whole_scan_kept_pct: Option<f64>,
    /// Executions of it. {calls | pg_stat_statements.calls}
    whole_scan_calls: i64,
    /// Mean execution of it. {ms | pg_stat_statements.mean_exec_time}
    whole_scan_mean_ms: f64,
    /// Time executing it. {ms | pg_stat_statements.total_exec_time}
    whole_scan_total_ms: f64,
    /// Statements whose generic plan reads the table whole and sorts it by a distance from this column, for the few nearest rows. {statements | EXPLAIN Sort Key, Limit}
    nearest_statements: usize,
    /// The costliest of them, by its fingerprint; none when there is none. {text | pg_query fingerprint}
    nearest_fingerprint: Option<String>,
    /// What it sorts by: `(i.embedding <=> $1)`. {text | EXPLAIN Sort Key}
    nearest_sort_key: Option<String>,
    /// Rows that it sorts, by the planner's estimate, partitions added up. {tuples | EXPLAIN Plan Rows}
    nearest_rows: f64,
    /// Executions of it. {calls | pg_stat_statements.calls}
    nearest_calls: i64,
    /// Mean execution of it. {ms | pg_stat_statements.mean_exec_time}
    nearest_mean_ms: f64,
    /// Time executing it. {ms | pg_stat_statements.total_exec_time}
    nearest_total_ms: f64,
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>, relations: &'a [RelationRow<'a>]) -> Table<'a> {
    let rows: HashMap<Key<'_>, i64> = relations.iter().map(|row| (row.key(), row.row_count)).collect();
    let asked = Asked::of(lookup);
    build::table(
        "columns",
        lookup.snapshot.columns.iter().map(move |column| {
            let object = Object::in_schema(ObjectKind::Column, &column.database, &column.schema, &column.name);
            let table = (column.schema.as_str(), column.relation.as_str());
            let row = row(lookup, &asked, column, rows.get(&table).copied().unwrap_or(0));
            (Object { column: Some(column.name.clone()), ..object.of_table(&column.relation) }, row)
        }),
    )
}

fn row<'a>(lookup: &'a Lookup<'a>, asked: &Asked<'a>, column: &'a Column, table_rows: i64) -> ColumnRow<'a> {
    let table = (column.schema.as_str(), column.relation.as_str());
    let (filtered, nearest) = (asked.filtered(table, &column.name), asked.nearest(table, &column.name));
    let (filter, distance) = (filtered.first(), nearest.first());
    let filtering = filter.map(|search| &search.statement.counters);
    let sorting = distance.map(|search| &search.statement.counters);
    ColumnRow {
        table_rows,
        distinct_count: column.distinct.and_then(|number| distinct(number, table_rows)),
        leads_index: leads_index(lookup, table, &column.name),
        whole_scan_statements: filtered.len(),
        whole_scan_fingerprint: filter.map(|search| search.statement.fingerprint.clone()),
        whole_scan_filter: filter.map(|search| search.by.clone()),
        whole_scan_is_by_equality: filter.is_some_and(|search| search.is_by_equality),
        whole_scan_bytes: filter.map_or(0, |search| search.bytes),
        whole_scan_kept_pct: filter.map(|search| (100.0 * search.kept / search.rows).min(100.0)),
        whole_scan_calls: filtering.map_or(0, |counters| counters.calls),
        whole_scan_mean_ms: filtering.map_or(0.0, |counters| counters.mean_exec_time_ms),
        whole_scan_total_ms: filtering.map_or(0.0, |counters| counters.total_exec_time_ms),
        nearest_statements: nearest.len(),
        nearest_fingerprint: distance.map(|search| search.statement.fingerprint.clone()),
        nearest_sort_key: distance.map(|search| search.by.clone()),
        nearest_rows: distance.map_or(0.0, |search| search.kept),
        nearest_calls: sorting.map_or(0, |counters| counters.calls),
        nearest_mean_ms: sorting.map_or(0.0, |counters| counters.mean_exec_time_ms),
        nearest_total_ms: sorting.map_or(0.0, |counters| counters.total_exec_time_ms),
        column,
    }
}
