//! Columns: what ANALYZE knows of them, and what the workload's plans look for in them by reading the table whole.

use super::build;
use super::indexes::distinct;
use super::lookup::{Key, Lookup};
use super::plans::{FullScan, full_scans, scans};
use super::relations::RelationRow;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Column, Relation, Statement};
use crate::model::table::Table;
use crate::statement::{Clause, TestedBy, conditions};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

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
}

/// What one statement reads whole and filters by one column, its partitions added up.
struct Search<'a> {
    statement: &'a Statement,
    filter: String,
    is_by_equality: bool,
    bytes: i64,
    rows: f64,
    kept: f64,
}

/// Statements by the column that would find their rows best.
type Searches<'a> = HashMap<(Key<'a>, String), Vec<Search<'a>>>;

/// The table that a partition is part of, however deep; any other table is itself.
fn root<'a>(lookup: &Lookup<'a>, relation: &'a Relation) -> &'a Relation {
    let parent = relation.parent_schema.as_deref().zip(relation.parent_name.as_deref());
    match parent.and_then(|(schema, name)| lookup.exact(schema, name)) {
        Some(parent) => root(lookup, parent),
        None => relation,
    }
}

/// The column of a filter whose index would find the rows best, and whether it is compared by `=`. Only what
/// AND joins counts, and only bare columns.
fn best_column(lookup: &Lookup<'_>, table: &Relation, alias: &str, filter: &str) -> Option<(String, bool)> {
    let columns = lookup.columns((&table.schema, &table.name));
    let rows = lookup.leaves((&table.schema, &table.name)).iter().filter_map(|leaf| leaf.estimated_rows);
    let rows = table.estimated_rows.or(rows.reduce(|sum, own| sum + own)).unwrap_or(0);
    let count = |name: &str| {
        let column = columns.iter().find(|column| column.name == name);
        column.and_then(|column| distinct(column.distinct?, rows)).unwrap_or(0.0)
    };
    let compared = conditions(filter).into_iter().filter_map(|condition| {
        let Clause::Test(test) = condition.clause else { return None };
        let is_by_equality = match test.by {
            TestedBy::Equal | TestedBy::AnyOf(_) => true,
            TestedBy::Below | TestedBy::Above => false,
            _ => return None,
        };
        let own = test.operand.filter(|operand| operand.alias == alias && !operand.is_expression)?;
        Some((own.text, is_by_equality))
    });
    compared.max_by(|a, b| a.1.cmp(&b.1).then_with(|| count(&a.0).total_cmp(&count(&b.0))).then_with(|| b.0.cmp(&a.0)))
}

/// Whether an index finds rows by this column first.
fn leads_index(lookup: &Lookup<'_>, table: Key<'_>, column: &str) -> bool {
    let leads = |first: Option<&String>| first.is_some_and(|first| first == column);
    lookup.indexes(table).iter().any(|index| index.is_valid && index.is_live && leads(index.key_columns.first()))
}

#[allow(clippy::cast_precision_loss, reason = "row counts")]
fn searches<'a>(lookup: &'a Lookup<'a>) -> Searches<'a> {
    let statements: HashMap<&str, &Statement> =
        lookup.snapshot.statements.iter().map(|statement| (statement.fingerprint.as_str(), statement)).collect();
    let mut searches: Searches<'a> = HashMap::new();
    for plan in &lookup.snapshot.plans {
        let (Some(node), Some(statement)) = (&plan.plan, statements.get(plan.fingerprint.as_str())) else { continue };
        let mut found = Vec::new();
        scans(node, false, &mut found);
        let mut own: BTreeMap<(Key<'a>, String), Search<'a>> = BTreeMap::new();
        for FullScan { relation, rows, kept, filter, alias } in full_scans(lookup, &found) {
            let table = root(lookup, relation);
            let Some((column, is_by_equality)) = best_column(lookup, table, alias, filter) else { continue };
            // Where this partition alone has an index, the planner had the choice.
            if relation.is_partition && leads_index(lookup, (&relation.schema, &relation.name), &column) {
                continue;
            }
            let place = ((table.schema.as_str(), table.name.as_str()), column);
            let search = own.entry(place).or_insert_with(|| Search {
                statement,
                filter: filter.to_owned(),
                is_by_equality,
                bytes: 0,
                rows: 0.0,
                kept: 0.0,
            });
            search.bytes += relation.bytes;
            search.rows += rows;
            search.kept += kept;
        }
        for (place, search) in own {
            searches.entry(place).or_default().push(search);
        }
    }
    searches
}

fn costliest<'s, 'a>(searches: &'s [Search<'a>]) -> Option<&'s Search<'a>> {
    searches.iter().max_by(|a, b| {
        let (one, other) = (&a.statement.counters, &b.statement.counters);
        let by_time = one.total_exec_time_ms.total_cmp(&other.total_exec_time_ms);
        by_time.then_with(|| b.statement.fingerprint.cmp(&a.statement.fingerprint))
    })
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>, relations: &'a [RelationRow<'a>]) -> Table<'a> {
    let rows: HashMap<Key<'_>, i64> = relations.iter().map(|row| (row.key(), row.row_count)).collect();
    let searches = searches(lookup);
    build::table(
        "columns",
        lookup.snapshot.columns.iter().map(move |column| {
            let table = (column.schema.as_str(), column.relation.as_str());
            let table_rows = rows.get(&table).copied().unwrap_or(0);
            let of_column = searches.get(&(table, column.name.clone())).map_or(&[][..], Vec::as_slice);
            let worst = costliest(of_column);
            let counters = worst.map(|search| &search.statement.counters);
            let object = Object::in_schema(ObjectKind::Column, &column.database, &column.schema, &column.name);
            let row = ColumnRow {
                table_rows,
                distinct_count: column.distinct.and_then(|number| distinct(number, table_rows)),
                leads_index: leads_index(lookup, table, &column.name),
                whole_scan_statements: of_column.len(),
                whole_scan_fingerprint: worst.map(|search| search.statement.fingerprint.clone()),
                whole_scan_filter: worst.map(|search| search.filter.clone()),
                whole_scan_is_by_equality: worst.is_some_and(|search| search.is_by_equality),
                whole_scan_bytes: worst.map_or(0, |search| search.bytes),
                whole_scan_kept_pct: worst.map(|search| (100.0 * search.kept / search.rows).min(100.0)),
                whole_scan_calls: counters.map_or(0, |counters| counters.calls),
                whole_scan_mean_ms: counters.map_or(0.0, |counters| counters.mean_exec_time_ms),
                whole_scan_total_ms: counters.map_or(0.0, |counters| counters.total_exec_time_ms),
                column,
            };
            (Object { column: Some(column.name.clone()), ..object.of_table(&column.relation) }, row)
        }),
    )
}
