//! Tables, those partitioned with the sums over their leaves: one row a table, however many months.

use super::autovacuum::Autovacuum;
use super::bloat;
use super::build;
use super::lookup::{Key, Lookup};
use crate::model::object::{Object, ObjectKind, identifier};
use crate::model::snapshot::{ConstraintKind, Index, Relation, RelationKind};
use crate::model::table::Table;
use crate::partition::{Timely, timely};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

#[derive(Serialize, JsonSchema)]
pub(super) struct RelationRow<'a> {
    #[serde(flatten)]
    pub(super) relation: Cow<'a, Relation>,
    /// Leaf partitions whose counters and sizes are summed in this row. {partitions | pg_inherits}
    pub(super) leaf_count: usize,
    /// Live rows as counted; after a reset, until VACUUM or ANALYZE count anew, at least their last estimate. {tuples | n_live_tup, reltuples}
    pub(super) row_count: i64,
    /// Rows inserted, updated and deleted. {tuples | n_tup_ins + n_tup_upd + n_tup_del}
    pub(super) writes: i64,
    /// Share of rows that are dead; none when empty. {pct | n_dead_tup ÷ (row_count + n_dead_tup)}
    dead_pct: Option<f64>,
    /// Share of updates that wrote no index entry; none without updates. {pct | n_tup_hot_upd ÷ n_tup_upd}
    hot_pct: Option<f64>,
    /// Indexes on it. {indexes | pg_index}
    index_count: usize,
    /// Bytes of those indexes. {bytes | pg_relation_size()}
    index_bytes: i64,
    /// Bytes above what the rows would need if written anew, an estimate; none without statistics of all columns. {bytes | relpages, reltuples, pg_stats.avg_width}
    estimated_bloat_bytes: Option<f64>,
    /// The same as a share of its size. {pct | estimated_bloat_bytes ÷ bytes}
    estimated_bloat_pct: Option<f64>,
    /// A VACUUM of it, or of a leaf, is under way. {bool | pg_stat_progress_vacuum}
    is_being_vacuumed: bool,
    /// Age of its last VACUUM, by hand or not, the youngest of its leaves; none when none is recorded. {days | last_vacuum, last_autovacuum}
    vacuumed_days_ago: Option<f64>,
    /// Rows read by one sequential scan on average; none without scans. A parallel worker counts as a scan. {tuples | seq_tup_read ÷ seq_scan}
    tuples_per_seq_scan: Option<f64>,
    /// Changed rows at which autovacuum analyzes, leaves added up. {tuples | autovacuum_analyze_threshold + autovacuum_analyze_scale_factor × reltuples, storage options}
    analyze_threshold: f64,
    /// Dead rows at which autovacuum vacuums, leaves added up. {tuples | autovacuum_vacuum_threshold + autovacuum_vacuum_scale_factor × reltuples, storage options}
    vacuum_threshold: f64,
    /// Autovacuum may work on it, on all its leaves. {bool | autovacuum, autovacuum_enabled}
    is_autovacuumed: bool,
    /// The date or timestamp, always set and never changed, that its workload goes by: most of the time of its statements looks for rows by it, or rows are deleted by it; none else, and of partitions. {name | EXPLAIN, pg_query, pg_stats}
    month_key: Option<String>,
    /// Share of the time of the statements that read, change or delete its rows which compare that column with a value; 0 without one. {pct | pg_stat_statements.total_exec_time}
    month_key_time_pct: f64,
    /// Rows that statements deleted by an upper end of that column. {tuples | pg_stat_statements.rows}
    deleted_by_age: i64,
    /// It has a primary key. {bool | pg_constraint}
    has_primary_key: bool,
    /// It has a unique index over NOT NULL columns only, which identifies rows as a primary key would. {bool | pg_index, pg_attribute}
    has_other_key: bool,
    /// A unique index that would identify rows, were its columns NOT NULL; the first by name, none without one. {name | pg_index, pg_attribute}
    nullable_key: Option<String>,
    /// ANALYZE has made statistics of at least one column that the role may see; of a partitioned table those of the whole. {bool | pg_stats}
    has_column_statistics: bool,
    /// ANALYZE has been recorded since the counters' last reset; of a partitioned table one of itself, as autovacuum analyzes only its leaves. {bool | last_analyze, last_autoanalyze}
    is_analyzed: bool,
}

impl RelationRow<'_> {
    pub(super) fn key(&self) -> Key<'_> {
        (&self.relation.schema, &self.relation.name)
    }
}

/// A partitioned table holds nothing itself: what it does is what its leaves do.
fn with_leaves(relation: &Relation, leaves: &[&Relation]) -> Relation {
    let mut sum = relation.clone();
    for leaf in leaves {
        sum.bytes += leaf.bytes;
        sum.bytes_are_estimated |= leaf.bytes_are_estimated;
        sum.toast_bytes += leaf.toast_bytes;
        sum.seq_scans += leaf.seq_scans;
        sum.seq_tuples_read += leaf.seq_tuples_read;
        sum.index_scans += leaf.index_scans;
        sum.index_tuples_fetched += leaf.index_tuples_fetched;
        sum.inserted += leaf.inserted;
        sum.updated += leaf.updated;
        sum.deleted += leaf.deleted;
        sum.hot_updated += leaf.hot_updated;
        let moved = leaf.new_page_updated.map(|own| sum.new_page_updated.unwrap_or(0) + own);
        sum.new_page_updated = moved.or(sum.new_page_updated);
        sum.live_tuples += leaf.live_tuples;
        sum.dead_tuples += leaf.dead_tuples;
        sum.modified_since_analyze += leaf.modified_since_analyze;
        sum.inserted_since_vacuum += leaf.inserted_since_vacuum;
        sum.vacuums += leaf.vacuums;
        sum.autovacuums += leaf.autovacuums;
        // ANALYZE is a matter of the parent's own: it alone makes statistics of the whole.
        sum.last_vacuum = sum.last_vacuum.max(leaf.last_vacuum);
        sum.last_autovacuum = sum.last_autovacuum.max(leaf.last_autovacuum);
        sum.last_seq_scan = sum.last_seq_scan.max(leaf.last_seq_scan);
        sum.last_index_scan = sum.last_index_scan.max(leaf.last_index_scan);
        sum.heap_blocks_read += leaf.heap_blocks_read;
        sum.heap_blocks_hit += leaf.heap_blocks_hit;
        sum.frozen_xid_age = sum.frozen_xid_age.max(leaf.frozen_xid_age);
        sum.min_mxid_age = sum.min_mxid_age.max(leaf.min_mxid_age);
    }
    // A month not yet filled says nothing: it must not silence the others.
    let known = leaves.iter().filter_map(|leaf| leaf.estimated_rows);
    sum.estimated_rows = known.reduce(|total, rows| total + rows);
    sum
}

/// Bloat of a table's leaves: those without rows or statistics count as having none.
fn bloat<'a>(lookup: &Lookup<'a>, leaves: &[&'a Relation]) -> (Option<f64>, Option<f64>) {
    let excess_of = |leaf: &&'a Relation| {
        // A leaf has its parent's columns; statistics may be known of either.
        let own = lookup.columns((&leaf.schema, &leaf.name));
        let parent = leaf.parent_schema.as_deref().zip(leaf.parent_name.as_deref());
        let columns = if own.is_empty() { parent.map_or(own, |parent| lookup.columns(parent)) } else { own };
        let needed = bloat::table_bytes(leaf, columns, lookup.snapshot.server.block_bytes)?;
        bloat::excess(leaf.bytes, Some(needed)).0
    };
    let excess = leaves.iter().filter_map(excess_of).reduce(|sum, own| sum + own);
    let all: i64 = leaves.iter().map(|leaf| leaf.bytes).sum();
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let pct = excess.filter(|_| all > 0).map(|excess| 100.0 * excess / all as f64);
    (excess, pct)
}

/// Unique indexes over columns that tell all rows apart, as long as none is NULL.
fn keys<'a>(lookup: &Lookup<'a>, table: Key<'a>) -> impl Iterator<Item = &'a Index> {
    let indexes = lookup.indexes(table).iter().copied();
    indexes
        .filter(|index| index.is_unique && index.is_valid && index.predicate.is_none() && index.expressions.is_none())
}

fn has_other_key(lookup: &Lookup<'_>, table: Key<'_>) -> bool {
    let columns = lookup.columns(table);
    let is_not_null = |name: &String| columns.iter().any(|column| column.name == *name && column.is_not_null);
    keys(lookup, table).any(|index| index.key_columns.iter().all(is_not_null))
}

#[allow(clippy::cast_precision_loss, reason = "counts of rows")]
fn row<'a>(
    lookup: &Lookup<'a>,
    autovacuum: &Autovacuum,
    timely: Option<&Timely>,
    own: &'a Relation,
) -> RelationRow<'a> {
    let snapshot = lookup.snapshot;
    let key = (own.schema.as_str(), own.name.as_str());
    let leaves = if own.kind == RelationKind::PartitionedTable { lookup.leaves(key) } else { &[] };
    let relation = if leaves.is_empty() { Cow::Borrowed(own) } else { Cow::Owned(with_leaves(own, leaves)) };
    let workers: &[&Relation] = if leaves.is_empty() { &[own] } else { leaves };
    let row_count = workers.iter().map(|leaf| leaf.row_count()).sum::<i64>();
    let tuples = row_count + relation.dead_tuples;
    let seq_scans = relation.seq_scans;
    let (estimated_bloat_bytes, estimated_bloat_pct) = bloat(lookup, workers);
    let vacuumed = relation.last_vacuum.max(relation.last_autovacuum);
    RelationRow {
        hot_pct: (relation.updated > 0).then(|| 100.0 * relation.hot_updated as f64 / relation.updated as f64),
        index_count: lookup.indexes(key).len(),
        index_bytes: workers
            .iter()
            .flat_map(|leaf| lookup.indexes((&leaf.schema, &leaf.name)))
            .map(|index| index.bytes)
            .sum(),
        estimated_bloat_bytes,
        estimated_bloat_pct,
        is_being_vacuumed: snapshot.progress.iter().any(|row| {
            let of = (row.schema.as_deref(), row.relation.as_deref());
            row.command == "VACUUM" && workers.iter().any(|leaf| of == (Some(&leaf.schema), Some(&leaf.name)))
        }),
        vacuumed_days_ago: vacuumed.map(|at| (snapshot.captured_at - at).num_seconds() as f64 / 86_400.0),
        leaf_count: leaves.len(),
        row_count,
        writes: relation.inserted + relation.updated + relation.deleted,
        dead_pct: (tuples > 0).then(|| 100.0 * relation.dead_tuples as f64 / tuples as f64),
        tuples_per_seq_scan: (seq_scans > 0).then(|| relation.seq_tuples_read as f64 / seq_scans as f64),
        analyze_threshold: workers.iter().map(|leaf| autovacuum.analyzes_at(leaf)).sum(),
        vacuum_threshold: workers.iter().map(|leaf| autovacuum.vacuums_at(leaf)).sum(),
        is_autovacuumed: workers.iter().all(|leaf| autovacuum.works_on(leaf)),
        month_key: timely.map(|timely| timely.key.clone()),
        month_key_time_pct: timely.map_or(0.0, |timely| 100.0 * timely.workload.time_share),
        deleted_by_age: timely.and_then(|timely| timely.retention.as_ref()).map_or(0, |found| found.rows),
        has_primary_key: lookup.constraints(key).iter().any(|constraint| constraint.kind == ConstraintKind::PrimaryKey),
        has_other_key: has_other_key(lookup, key),
        nullable_key: keys(lookup, key).map(|index| identifier(&index.name)).min(),
        has_column_statistics: lookup.columns(key).iter().any(|column| column.has_statistics),
        is_analyzed: own.last_analyze.is_some() || own.last_autoanalyze.is_some(),
        relation,
    }
}

pub(super) fn rows<'a>(lookup: &Lookup<'a>) -> Vec<RelationRow<'a>> {
    let autovacuum = Autovacuum::of(lookup.snapshot);
    let timely = timely(lookup.snapshot);
    let all = lookup.snapshot.relations.iter();
    all.map(|own| row(lookup, &autovacuum, timely.get(&(own.schema.as_str(), own.name.as_str())), own)).collect()
}

pub(super) fn table<'a>(rows: &'a [RelationRow<'a>]) -> Table<'a> {
    build::table(
        "relations",
        rows.iter().map(|row| {
            let relation = &row.relation;
            (Object::in_schema(ObjectKind::Table, &relation.database, &relation.schema, &relation.name), row)
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Snapshot, Tool};
    use chrono::DateTime;

    fn partition(name: &str, seq_scans: i64) -> Relation {
        Relation {
            schema: "public".into(),
            name: name.into(),
            is_partition: true,
            parent_schema: Some("public".into()),
            parent_name: Some("events".into()),
            bytes: 100,
            seq_scans,
            ..Relation::default()
        }
    }

    #[test]
    fn a_partitioned_table_sums_its_leaves() {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let parent = Relation {
            schema: "public".into(),
            name: "events".into(),
            kind: RelationKind::PartitionedTable,
            ..Relation::default()
        };
        snapshot.relations = vec![parent, partition("events_1", 3), partition("events_2", 4)];
        let rows = rows(&Lookup::of(&snapshot));
        assert_eq!((rows[0].leaf_count, rows[0].relation.bytes, rows[0].relation.seq_scans), (2, 200, 7));
    }
}
