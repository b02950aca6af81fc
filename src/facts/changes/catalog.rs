//! Indexes and tables of BASE and of HEAD.

use crate::compare::Comparison;
use crate::facts::build;
use crate::facts::sizes::Sizes;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Index, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

#[derive(Serialize, JsonSchema)]
struct IndexChange {
    /// dropped, invalidated or created. {text | pg_index}
    change: &'static str,
    /// Table. {object | pg_index.indrelid}
    table: String,
    /// The whole definition. {text | pg_get_indexdef()}
    definition: String,
    /// Scans begun in BASE's window. {scans | pg_stat_all_indexes.idx_scan}
    base_scans: i64,
    /// Refuses duplicates. {bool | pg_index.indisunique}
    is_unique: bool,
    /// A valid index of HEAD that begins with the same columns in the same way; none when there is none. {object | pg_index}
    replaced_by: Option<String>,
    /// Size in BASE, of a new one in HEAD. {bytes | pg_relation_size()}
    bytes: i64,
}

#[derive(Serialize, JsonSchema)]
struct RelationChange {
    /// Bytes of the table, its TOAST and all partitions in BASE. {bytes | pg_relation_size()}
    base_bytes: i64,
    /// The same in HEAD. {bytes | pg_relation_size()}
    head_bytes: i64,
    /// How many times as large, 1 for an empty table that stays so. {ratio | head_bytes ÷ base_bytes}
    growth: f64,
    /// Rows in BASE, an estimate. {tuples | pg_class.reltuples}
    base_rows: i64,
    /// Rows in HEAD, an estimate. {tuples | pg_class.reltuples}
    head_rows: i64,
}

type Key<'a> = (&'a str, &'a str, &'a str);

fn key(row: &Index) -> Key<'_> {
    (&row.database, &row.schema, &row.name)
}

fn is_usable(row: &Index) -> bool {
    row.is_valid && row.is_ready && row.is_live
}

/// The one serves what the other served.
fn replaces(one: &Index, other: &Index) -> bool {
    let begins = |own: &[String], others: &[String]| own.starts_with(others);
    is_usable(one)
        && (&one.database, &one.schema, &one.table) == (&other.database, &other.schema, &other.table)
        && one.method == other.method
        && (one.is_unique || !other.is_unique)
        && begins(&one.key_columns, &other.key_columns)
        && begins(&one.operator_classes, &other.operator_classes)
        && begins(&one.collations, &other.collations)
        && one.expressions == other.expressions
        && one.predicate == other.predicate
}

fn object(row: &Index) -> Object {
    Object::in_schema(ObjectKind::Index, &row.database, &row.schema, &row.name).of_table(&row.table)
}

fn row(index: &Index, change: &'static str, head: &Snapshot) -> (Object, IndexChange) {
    let replacement = head.indexes.iter().find(|other| key(other) != key(index) && replaces(other, index));
    let change = IndexChange {
        change,
        table: Object::in_schema(ObjectKind::Table, &index.database, &index.schema, &index.table).path(),
        definition: index.definition.clone(),
        base_scans: index.scans,
        is_unique: index.is_unique,
        replaced_by: replacement.map(|other| object(other).path()),
        bytes: index.bytes,
    };
    (object(index), change)
}

/// Indexes that one side alone has, or that HEAD cannot use, of tables that both have. Those of partitions go
/// and come with their months.
pub(super) fn indexes(comparison: &Comparison) -> Table<'_> {
    let (base, head) = (&comparison.base, &comparison.head);
    let of = |snapshot: &'_ Snapshot| -> HashMap<[String; 3], usize> {
        let keys = snapshot.indexes.iter().enumerate();
        keys.map(|(at, row)| ([&row.database, &row.schema, &row.name].map(Clone::clone), at)).collect()
    };
    let (before, now) = (of(base), of(head));
    let place = |row: &Index| [&row.database, &row.schema, &row.name].map(Clone::clone);
    let table_is_in = |snapshot: &Snapshot, row: &Index| {
        snapshot
            .relations
            .iter()
            .any(|table| (&table.database, &table.schema, &table.name) == (&row.database, &row.schema, &row.table))
    };
    let mut rows = Vec::new();
    for index in base.indexes.iter().filter(|row| !row.is_partition && is_usable(row)) {
        match now.get(&place(index)).and_then(|at| head.indexes.get(*at)) {
            None if table_is_in(head, index) => rows.push(row(index, "dropped", head)),
            Some(own) if !is_usable(own) && !own.is_being_built => rows.push(row(index, "invalidated", head)),
            _ => {}
        }
    }
    for index in head.indexes.iter().filter(|row| !row.is_partition) {
        if !before.contains_key(&place(index)) && table_is_in(base, index) {
            let (object, change) = row(index, "created", head);
            rows.push((object, IndexChange { base_scans: 0, ..change }));
        }
    }
    build::table("index_changes", rows)
}

/// Tables of both sides, partitions added up.
#[allow(clippy::cast_precision_loss, reason = "a ratio")]
pub(super) fn relations(comparison: &Comparison) -> Table<'_> {
    let base = Sizes::of(&comparison.base);
    let page = comparison.head.server.block_bytes.max(1);
    let mut rows = Vec::new();
    for now in Sizes::of(&comparison.head).roots() {
        let Some(before) = base.same(now.relation) else { continue };
        let change = RelationChange {
            base_bytes: before.bytes,
            head_bytes: now.bytes,
            growth: now.bytes.max(page) as f64 / before.bytes.max(page) as f64,
            base_rows: before.rows.unwrap_or(0),
            head_rows: now.rows.unwrap_or(0),
        };
        let own = now.relation;
        rows.push((Object::in_schema(ObjectKind::Table, &own.database, &own.schema, &own.name), change));
    }
    build::table("relation_changes", rows)
}
