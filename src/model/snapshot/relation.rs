//! One table-like relation and its counters.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which sort of relation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// An ordinary table, also a leaf partition.
    #[default]
    Table,
    /// A partitioned table: it holds no rows itself.
    PartitionedTable,
    /// A materialized view.
    MaterializedView,
}

/// A row of `pg_class` with `pg_stat_all_tables` and `pg_statio_all_tables`.
/// Columns of `sql/relations*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema. {text | pg_namespace.nspname}
    pub schema: String,
    /// Name. {text | pg_class.relname}
    pub name: String,
    /// table, partitioned_table or materialized_view. {text | pg_class.relkind}
    pub kind: RelationKind,
    /// Not WAL-logged. {bool | pg_class.relpersistence}
    pub is_unlogged: bool,
    /// Owner. {text | pg_class.relowner}
    pub owner: String,
    /// The role may read its rows, so that it sees the statistics of its columns and may have statements on it explained. {bool | has_table_privilege()}
    pub is_selectable: bool,
    /// It is a partition of another table. {bool | pg_class.relispartition}
    pub is_partition: bool,
    /// Schema of the table it is a partition of. {text | pg_inherits.inhparent}
    pub parent_schema: Option<String>,
    /// Name of the table it is a partition of. {text | pg_inherits.inhparent}
    pub parent_name: Option<String>,
    /// It belongs to an extension. {bool | pg_depend.deptype}
    pub is_extension_member: bool,
    /// Rows by the last VACUUM or ANALYZE, an estimate; none when never done. {tuples | pg_class.reltuples}
    pub estimated_rows: Option<i64>,
    /// Bytes of the main fork. {bytes | pg_relation_size(), or relpages where another session locks the relation}
    pub bytes: i64,
    /// `bytes` is relpages × block size, as of the last VACUUM or ANALYZE. {bool | pg_locks}
    pub bytes_are_estimated: bool,
    /// Bytes of the TOAST table, by its relpages. {bytes | pg_class.relpages}
    pub toast_bytes: i64,
    /// Share of its pages that are marked visible to all transactions, 0 to 1: those an index-only scan need not
    /// visit; none when never vacuumed or analyzed. {fraction | pg_class.relallvisible}
    pub all_visible_fraction: Option<f64>,
    /// Columns. {columns | pg_attribute}
    pub column_count: i64,
    /// Triggers, those of foreign keys left out; none in snapshots of older programs. {triggers | pg_trigger}
    pub trigger_count: Option<i64>,
    /// Storage options, `autovacuum_enabled=false`. {texts | pg_class.reloptions}
    pub options: Vec<String>,
    /// `default`, `index`, `full` or `nothing`. {text | pg_class.relreplident}
    pub replica_identity: String,
    /// Row security is on. {bool | pg_class.relrowsecurity}
    pub has_row_security: bool,
    /// Sequential scans begun. {scans | pg_stat_all_tables.seq_scan}
    pub seq_scans: i64,
    /// Live rows fetched by sequential scans. {tuples | pg_stat_all_tables.seq_tup_read}
    pub seq_tuples_read: i64,
    /// Index scans begun. {scans | pg_stat_all_tables.idx_scan}
    pub index_scans: i64,
    /// Live rows fetched by index scans. {tuples | pg_stat_all_tables.idx_tup_fetch}
    pub index_tuples_fetched: i64,
    /// Rows inserted. {tuples | pg_stat_all_tables.n_tup_ins}
    pub inserted: i64,
    /// Rows updated, HOT ones among them. {tuples | pg_stat_all_tables.n_tup_upd}
    pub updated: i64,
    /// Rows deleted. {tuples | pg_stat_all_tables.n_tup_del}
    pub deleted: i64,
    /// Rows HOT updated, with no index entry written. {tuples | pg_stat_all_tables.n_tup_hot_upd}
    pub hot_updated: i64,
    /// Updates whose new version went to another page, from 16. {tuples | pg_stat_all_tables.n_tup_newpage_upd}
    pub new_page_updated: Option<i64>,
    /// Live rows, an estimate. {tuples | pg_stat_all_tables.n_live_tup}
    pub live_tuples: i64,
    /// Dead rows, an estimate. {tuples | pg_stat_all_tables.n_dead_tup}
    pub dead_tuples: i64,
    /// Rows changed since the last ANALYZE, an estimate. {tuples | pg_stat_all_tables.n_mod_since_analyze}
    pub modified_since_analyze: i64,
    /// Rows inserted since the last VACUUM, an estimate. {tuples | pg_stat_all_tables.n_ins_since_vacuum}
    pub inserted_since_vacuum: i64,
    /// Last VACUUM by hand. {time | pg_stat_all_tables.last_vacuum}
    pub last_vacuum: Option<DateTime<Utc>>,
    /// Last VACUUM by autovacuum. {time | pg_stat_all_tables.last_autovacuum}
    pub last_autovacuum: Option<DateTime<Utc>>,
    /// Last ANALYZE by hand. {time | pg_stat_all_tables.last_analyze}
    pub last_analyze: Option<DateTime<Utc>>,
    /// Last ANALYZE by autovacuum. {time | pg_stat_all_tables.last_autoanalyze}
    pub last_autoanalyze: Option<DateTime<Utc>>,
    /// VACUUMs by hand. {runs | pg_stat_all_tables.vacuum_count}
    pub vacuums: i64,
    /// VACUUMs by autovacuum. {runs | pg_stat_all_tables.autovacuum_count}
    pub autovacuums: i64,
    /// ANALYZEs by hand. {runs | pg_stat_all_tables.analyze_count}
    pub analyzes: i64,
    /// ANALYZEs by autovacuum. {runs | pg_stat_all_tables.autoanalyze_count}
    pub autoanalyzes: i64,
    /// Table blocks read from the operating system. {blocks | pg_statio_all_tables.heap_blks_read}
    pub heap_blocks_read: i64,
    /// Table blocks found in shared buffers. {blocks | pg_statio_all_tables.heap_blks_hit}
    pub heap_blocks_hit: i64,
    /// Last sequential scan, from 16. {time | pg_stat_all_tables.last_seq_scan}
    pub last_seq_scan: Option<DateTime<Utc>>,
    /// Last index scan, from 16. {time | pg_stat_all_tables.last_idx_scan}
    pub last_index_scan: Option<DateTime<Utc>>,
    /// Age of the oldest unfrozen transaction id; none for partitioned tables. {xids | age(pg_class.relfrozenxid)}
    pub frozen_xid_age: Option<i64>,
    /// Age of the oldest multixact id; none for partitioned tables. {mxids | mxid_age(pg_class.relminmxid)}
    pub min_mxid_age: Option<i64>,
}

impl Relation {
    /// Live rows as counted; where nothing was changed since the last ANALYZE, or the counters were reset and nothing has
    /// counted anew since, the last estimate when that is more: what was written in the transaction of an ANALYZE is
    /// counted late.
    #[must_use]
    pub fn row_count(&self) -> i64 {
        let counted = [self.last_vacuum, self.last_autovacuum, self.last_analyze, self.last_autoanalyze];
        let estimated = self.estimated_rows.unwrap_or(0);
        let is_counted = counted.iter().any(Option::is_some) && self.modified_since_analyze > 0;
        if is_counted { self.live_tuples } else { self.live_tuples.max(estimated) }
    }

    /// The table at the top that a partition belongs to, as far as `find` knows them by schema and name.
    #[must_use]
    pub fn root<'a>(&'a self, find: impl Fn(&'a str, &'a str) -> Option<&'a Self>) -> &'a Self {
        // Deeper than anybody nests; a damaged snapshot may go in circles.
        const DEEPEST: usize = 32;
        let parent = |row: &&'a Self| {
            let name = row.parent_schema.as_deref().zip(row.parent_name.as_deref()).filter(|_| row.is_partition);
            name.and_then(|(schema, name)| find(schema, name))
        };
        std::iter::successors(Some(self), parent).take(DEEPEST).last().unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_since_it_was_estimated_is_counted_no_more() {
        let drained = Relation {
            estimated_rows: Some(50),
            last_autoanalyze: Some(DateTime::UNIX_EPOCH),
            modified_since_analyze: 50,
            ..Relation::default()
        };
        assert_eq!(drained.row_count(), 0);
        let late = Relation { modified_since_analyze: 0, ..drained.clone() };
        assert_eq!(late.row_count(), 50);
        let reset = Relation { last_autoanalyze: None, ..drained };
        assert_eq!(reset.row_count(), 50);
    }
}
