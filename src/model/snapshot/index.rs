//! One index, its definition taken apart, and its counters.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_index` with `pg_stat_all_indexes` and `pg_statio_all_indexes`.
/// Columns of `sql/indexes*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema. {text | pg_namespace.nspname}
    pub schema: String,
    /// Name. {text | pg_class.relname}
    pub name: String,
    /// Table. {text | pg_index.indrelid}
    pub table: String,
    /// Access method, `btree`. {text | pg_am.amname}
    pub method: String,
    /// The whole definition. {text | pg_get_indexdef()}
    pub definition: String,
    /// Key columns in order; an expression is an empty text. {texts | pg_index.indkey}
    pub key_columns: Vec<String>,
    /// INCLUDE columns. {texts | pg_index.indkey}
    pub included_columns: Vec<String>,
    /// Operator class of each key column, schema-qualified. {texts | pg_index.indclass}
    pub operator_classes: Vec<String>,
    /// Collation of each key column, schema-qualified, empty when it has none. {texts | pg_index.indcollation}
    pub collations: Vec<String>,
    /// Per key column: bit 0 descending, bit 1 NULLs first. {numbers | pg_index.indoption}
    pub orders: Vec<i16>,
    /// Indexed expressions, in order. {text | pg_get_expr(pg_index.indexprs)}
    pub expressions: Option<String>,
    /// Predicate of a partial index. {text | pg_get_expr(pg_index.indpred)}
    pub predicate: Option<String>,
    /// Refuses duplicates. {bool | pg_index.indisunique}
    pub is_unique: bool,
    /// Treats NULLs as equal, from 15. {bool | pg_index.indnullsnotdistinct}
    pub nulls_not_distinct: bool,
    /// Backs the primary key. {bool | pg_index.indisprimary}
    pub is_primary: bool,
    /// Backs an exclusion constraint. {bool | pg_index.indisexclusion}
    pub is_exclusion: bool,
    /// The constraint it backs. {text | pg_constraint.conname of pg_constraint.conindid}
    pub constraint_name: Option<String>,
    /// Foreign keys elsewhere refer to the key it enforces. {bool | pg_constraint.confrelid, conindid}
    pub is_foreign_key_target: bool,
    /// Identifies rows for logical replication. {bool | pg_index.indisreplident}
    pub is_replica_identity: bool,
    /// CLUSTER uses it. {bool | pg_index.indisclustered}
    pub is_clustered: bool,
    /// Usable by queries. {bool | pg_index.indisvalid}
    pub is_valid: bool,
    /// Maintained by writes. {bool | pg_index.indisready}
    pub is_ready: bool,
    /// Not being dropped. {bool | pg_index.indislive}
    pub is_live: bool,
    /// A build, rebuild or concurrent drop of it is in progress. {bool | pg_stat_progress_create_index, pg_locks}
    pub is_being_built: bool,
    /// It is an index on a partitioned table: it holds no entries itself. {bool | pg_class.relkind}
    pub is_partitioned: bool,
    /// It is attached to an index of the parent table. {bool | pg_class.relispartition}
    pub is_partition: bool,
    /// Schema of the index it is attached to. {text | pg_inherits.inhparent}
    pub parent_schema: Option<String>,
    /// Name of the index it is attached to. {text | pg_inherits.inhparent}
    pub parent_name: Option<String>,
    /// It belongs to an extension. {bool | pg_depend.deptype}
    pub is_extension_member: bool,
    /// Entries by the last VACUUM or ANALYZE, an estimate; none when never done. {tuples | pg_class.reltuples}
    pub estimated_rows: Option<i64>,
    /// Size. {bytes | pg_relation_size(), or relpages where another session locks the index or its table}
    pub bytes: i64,
    /// `bytes` is relpages × block size, as of the last VACUUM or ANALYZE. {bool | pg_locks}
    pub bytes_are_estimated: bool,
    /// Scans begun. {scans | pg_stat_all_indexes.idx_scan}
    pub scans: i64,
    /// Entries returned by scans. {tuples | pg_stat_all_indexes.idx_tup_read}
    pub tuples_read: i64,
    /// Live rows fetched by simple scans. {tuples | pg_stat_all_indexes.idx_tup_fetch}
    pub tuples_fetched: i64,
    /// Last scan, from 16. {time | pg_stat_all_indexes.last_idx_scan}
    pub last_scan: Option<DateTime<Utc>>,
    /// Blocks read from the operating system. {blocks | pg_statio_all_indexes.idx_blks_read}
    pub blocks_read: i64,
    /// Blocks found in shared buffers. {blocks | pg_statio_all_indexes.idx_blks_hit}
    pub blocks_hit: i64,
}

impl Index {
    /// An UPDATE that changes this column is not HOT because of this index: it is a key, included, or named by
    /// an expression or the predicate. Summarizing indexes (BRIN) do not count from 16 on (PostgreSQL
    /// documentation, "Heap-Only Tuples").
    #[must_use]
    pub fn ends_hot(&self, column: &str, major: i32) -> bool {
        if self.method == "brin" && major >= 16 {
            return false;
        }
        let in_text = |text: &Option<String>| {
            let mut words = text.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
            words.any(|word| word == column)
        };
        self.key_columns.iter().chain(&self.included_columns).any(|own| own == column)
            || in_text(&self.expressions)
            || in_text(&self.predicate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_index_depends_on_ends_hot() {
        let index = Index {
            method: "btree".into(),
            key_columns: vec!["a".into(), String::new()],
            included_columns: vec!["b".into()],
            expressions: Some("lower(c)".into()),
            predicate: Some("(d IS NULL)".into()),
            ..Index::default()
        };
        assert!(["a", "b", "c", "d"].iter().all(|column| index.ends_hot(column, 16)));
        assert!(!index.ends_hot("e", 16));
        let summary = Index { method: "brin".into(), ..index };
        assert!(summary.ends_hot("a", 15) && !summary.ends_hot("a", 16));
    }
}
