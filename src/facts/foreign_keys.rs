//! Foreign keys, and whether an index finds the referencing rows.

use super::build;
use super::indexes::serves;
use super::lookup::{Key, Lookup};
use super::relations::RelationRow;
use crate::model::object::{Object, ObjectKind, identifier};
use crate::model::snapshot::{ForeignKey, RelationKind, Statement, StatementKind};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

#[derive(Serialize, JsonSchema)]
struct ForeignKeyRow<'a> {
    #[serde(flatten)]
    key: &'a ForeignKey,
    /// A valid index of the referencing table leads with its columns. {bool | pg_index}
    is_indexed: bool,
    /// The referencing table and the columns an index should lead with, as SQL. {text | pg_constraint.conkey}
    wanted_index: String,
    /// The referencing table is partitioned. {bool | pg_class.relkind}
    table_is_partitioned: bool,
    /// Size of the referencing table. {bytes | pg_relation_size()}
    table_bytes: i64,
    /// Rows of the referencing table. {tuples | n_live_tup, reltuples}
    table_rows: i64,
    /// Rows inserted, updated and deleted in the referencing table. {tuples | n_tup_ins + n_tup_upd + n_tup_del}
    table_writes: i64,
    /// Rows deleted and updated in the referenced table: each delete, and each update of the key, looks for referencing rows. {tuples | n_tup_del + n_tup_upd}
    referenced_changes: i64,
    /// Rows deleted in the referenced table. {tuples | n_tup_del}
    referenced_deletes: i64,
    /// Rows updated by statements that set a column of the referenced key; none where no UPDATE of that table was seen. {tuples | pg_stat_statements.rows, pg_query}
    rekeyed_by_statements: Option<i64>,
}

/// What UPDATEs of a table set, and how many rows of it.
type Updates<'a> = HashMap<Key<'a>, Vec<&'a Statement>>;

fn updates<'a>(lookup: &Lookup<'a>) -> Updates<'a> {
    let mut updates = Updates::new();
    for statement in lookup.snapshot.statements.iter().filter(|one| one.kind == StatementKind::Update) {
        for relation in statement.relations.iter().filter_map(|name| lookup.named(name)) {
            updates.entry((&relation.schema, &relation.name)).or_default().push(statement);
        }
    }
    updates
}

/// An UPDATE that reads other tables is counted for those too: it errs towards a key that changes.
fn rekeyed(updates: &Updates<'_>, key: &ForeignKey) -> Option<i64> {
    let seen = updates.get(&(key.referenced_schema.as_str(), key.referenced_table.as_str()))?;
    let sets_key = |one: &&&Statement| one.set_columns.iter().any(|column| key.referenced_columns.contains(column));
    Some(seen.iter().filter(sets_key).map(|one| one.counters.rows).sum())
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>, relations: &'a [RelationRow<'a>]) -> Table<'a> {
    let tables: HashMap<Key<'_>, &RelationRow<'_>> = relations.iter().map(|row| (row.key(), row)).collect();
    let updates = updates(lookup);
    let rows = lookup.snapshot.foreign_keys.iter().map(move |key| {
        let place = (key.schema.as_str(), key.table.as_str());
        let own = tables.get(&place);
        let referenced = tables.get(&(key.referenced_schema.as_str(), key.referenced_table.as_str()));
        let columns: Vec<String> = key.columns.iter().map(|column| identifier(column)).collect();
        let row = ForeignKeyRow {
            key,
            is_indexed: lookup.indexes(place).iter().any(|index| serves(index, key)),
            wanted_index: format!("{}.{} ({})", identifier(&key.schema), identifier(&key.table), columns.join(", ")),
            table_is_partitioned: own.is_some_and(|row| row.relation.kind == RelationKind::PartitionedTable),
            table_bytes: own.map_or(0, |row| row.relation.bytes),
            table_rows: own.map_or(0, |row| row.row_count),
            table_writes: own.map_or(0, |row| row.writes),
            referenced_changes: referenced.map_or(0, |row| row.relation.deleted + row.relation.updated),
            referenced_deletes: referenced.map_or(0, |row| row.relation.deleted),
            rekeyed_by_statements: rekeyed(&updates, key),
        };
        (Object::in_schema(ObjectKind::ForeignKey, &key.database, &key.schema, &key.name).of_table(&key.table), row)
    });
    build::table("foreign_keys", rows)
}
