//! The catalog as a change finds it: rows of `sql/change_*.sql`.

use crate::model::plan::{Name, Trimmings};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a change is judged against.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// The tables of the change and their partitions, and whatever has a name that the change would take.
    pub relations: Vec<SeenRelation>,
    /// The indexes of those tables.
    pub indexes: Vec<SeenIndex>,
    /// Extended statistics of those tables.
    pub statistics: Vec<SeenStatistics>,
}

impl Catalog {
    /// A relation of whatever kind.
    #[must_use]
    pub fn relation(&self, name: &Name) -> Option<&SeenRelation> {
        self.relations.iter().find(|row| row.schema == name.schema && row.name == name.name)
    }

    /// An index.
    #[must_use]
    pub fn index(&self, name: &Name) -> Option<&SeenIndex> {
        self.indexes.iter().find(|row| row.schema == name.schema && row.name == name.name)
    }

    /// The partitions right below a table.
    pub fn partitions(&self, parent: &Name) -> impl Iterator<Item = &SeenRelation> {
        self.relations.iter().filter(|row| {
            row.parent_schema.as_deref() == Some(&parent.schema) && row.parent_name.as_deref() == Some(&parent.name)
        })
    }
}

/// A relation: columns of `sql/change_relations.sql`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
pub struct SeenRelation {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// `pg_class.oid`
    pub oid: i64,
    /// `pg_class.relkind`
    pub kind: String,
    /// Schema of the table it is a partition of.
    pub parent_schema: Option<String>,
    /// Name of the table it is a partition of.
    pub parent_name: Option<String>,
    /// Its bound as a partition, as written in UTC and ISO.
    pub bound: Option<String>,
    /// DETACH CONCURRENTLY was begun and not finished.
    pub is_detach_pending: bool,
    /// We may do what its owner may.
    pub is_owner: bool,
    /// Its owner.
    pub owner: String,
    /// We may create in its schema.
    pub may_create: bool,
    /// Storage options, `fillfactor=85`.
    pub options: Vec<String>,
    /// Last ANALYZE, by hand or autovacuum.
    pub analyzed_at: Option<DateTime<Utc>>,
    /// The session that builds an index on it.
    pub builder_pid: Option<i32>,
    /// That session's application.
    pub builder_application: Option<String>,
    /// The CHECK of ours that proves that its rows lie before a boundary.
    pub boundary: Option<String>,
    /// That is validated.
    pub is_boundary_valid: bool,
}

/// A partitioned table that is to get a partition: the row of `sql/change_partitioned.sql`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
pub struct SeenPartitioned {
    /// Tables that it refers to and that we may lock.
    pub references: Vec<Name>,
    /// Foreign keys refer to it.
    pub is_referenced: bool,
    /// `pg_class.relkind` of its DEFAULT partition, `f` where it has a foreign table below it; none without one.
    pub default_kind: Option<String>,
    /// Size of that, with all below it, by the last VACUUM or ANALYZE, in bytes.
    pub default_bytes: i64,
    /// A DELETE there calls a trigger.
    pub default_has_triggers: bool,
    /// Columns that are not generated.
    pub columns: Vec<String>,
    /// It has an identity column, and the server is 17 or later, where its partitions have it too.
    pub has_identity: bool,
}

/// Rows of the DEFAULT partition that are of one range.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Strayed {
    /// Number of the range.
    pub nr: i32,
    /// Rows.
    pub rows: i64,
    /// The least key.
    pub first: String,
    /// The greatest key.
    pub last: String,
}

/// An index: columns of `sql/change_indexes.sql`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
pub struct SeenIndex {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Table, in the same schema.
    pub table: String,
    /// `pg_get_indexdef()`
    pub definition: String,
    /// It is on a partitioned table.
    pub is_partitioned: bool,
    /// Usable by queries.
    pub is_valid: bool,
    /// Maintained by writes.
    pub is_ready: bool,
    /// Not being dropped.
    pub is_live: bool,
    /// Schema of the index it is attached to.
    pub parent_schema: Option<String>,
    /// Name of the index it is attached to.
    pub parent_name: Option<String>,
    /// The constraint it backs.
    pub constraint_name: Option<String>,
    /// Identifies rows for logical replication.
    pub is_replica_identity: bool,
    /// Its comment.
    pub comment: Option<String>,
    /// Its tablespace, where it is not the database's.
    pub tablespace: Option<String>,
    /// Columns with a statistics target of their own.
    pub statistics_columns: Vec<i16>,
    /// Those targets.
    pub statistics_targets: Vec<i32>,
    /// CLUSTER uses it.
    pub is_clustered: bool,
    /// Its size, in bytes.
    pub bytes: i64,
}

impl SeenIndex {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Name {
        Name::new(&self.schema, &self.name)
    }

    /// Queries use it, and nothing is about to take it away.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.is_valid && self.is_ready && self.is_live
    }

    /// It is attached to that index.
    #[must_use]
    pub fn is_part_of(&self, parent: &Name) -> bool {
        self.parent_schema.as_deref() == Some(&parent.schema) && self.parent_name.as_deref() == Some(&parent.name)
    }

    /// Beyond its definition it has all that these ask for; the tablespace does not count.
    #[must_use]
    pub fn has(&self, wanted: &Trimmings) -> bool {
        let own = self.trimmings();
        (wanted.comment.is_none() || wanted.comment == own.comment)
            && wanted.statistics.iter().all(|target| own.statistics.contains(target))
            && (own.is_clustered || !wanted.is_clustered)
    }

    /// What its definition does not say.
    #[must_use]
    pub fn trimmings(&self) -> Trimmings {
        let targets = self.statistics_targets.iter().copied();
        Trimmings {
            comment: self.comment.clone(),
            tablespace: self.tablespace.clone(),
            statistics: self.statistics_columns.iter().copied().zip(targets).collect(),
            is_clustered: self.is_clustered,
        }
    }
}

/// An extended statistics object: columns of `sql/change_statistics.sql`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
pub struct SeenStatistics {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Schema of its table.
    pub table_schema: String,
    /// Its table.
    pub table: String,
    /// `ndistinct`, `dependencies`, `mcv`, sorted.
    pub kinds: Vec<String>,
    /// Its columns.
    pub columns: Vec<String>,
}

/// The server: the row of `sql/change_server.sql`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct SeenServer {
    /// Version as a number, 160004.
    pub version_num: i32,
    /// Database.
    pub database: String,
    /// Our role.
    pub role: String,
    /// In recovery.
    pub is_standby: bool,
    /// Standbys and other receivers connected to it.
    pub standbys: i64,
    /// Its clock.
    pub now: DateTime<Utc>,
}

/// A transaction that others wait for: columns of `sql/change_waits.sql` and `sql/change_blockers.sql`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
pub struct Holder {
    /// Its process; none or 0 for a prepared transaction.
    pub pid: Option<i32>,
    /// Its role.
    pub role: Option<String>,
    /// Its application.
    pub application: Option<String>,
    /// `active`, `idle in transaction`, `prepared`.
    pub state: Option<String>,
    /// Age of the transaction, in seconds.
    pub seconds: Option<f64>,
    /// Name of the prepared transaction.
    pub prepared: Option<String>,
}

/// A receiver of WAL and how far it is behind: columns of `sql/change_replication.sql`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Behind {
    /// Standby or slot.
    pub what: String,
    /// Replay lag, in seconds; none: caught up, or not ours to see.
    pub lag_seconds: Option<f64>,
    /// WAL kept for it, in bytes.
    pub retained_bytes: Option<i64>,
    /// Its lag is not ours to see: that needs the role `pg_read_all_stats`.
    pub is_hidden: bool,
}

/// Something an earlier command left behind: columns of `sql/change_leftovers.sql`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Leftover {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// What is wrong with it.
    pub state: String,
}
