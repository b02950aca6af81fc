//! A range partition by its bound, and what else it takes to make it like its siblings.

use super::plan::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One end of a range in one key column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// MINVALUE
    Minvalue,
    /// MAXVALUE
    Maxvalue,
    /// A constant as the server prints it in UTC and ISO, without quotes and casts.
    Value(String),
}

/// The bound of a range partition, an edge for each key column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lower end, itself held.
    pub from: Vec<Edge>,
    /// The upper end, left out.
    pub to: Vec<Edge>,
}

/// A partition of a table that is cut by ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionForm {
    /// Its name.
    pub name: Name,
    /// The partitioned table.
    pub table: Name,
    /// What it holds.
    pub range: Range,
    /// The server knows LIKE … INCLUDING COMPRESSION, from 14.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_compression: bool,
    /// Tables that the partitioned one refers to, which are locked first, as those who write take them first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Name>,
    /// The DEFAULT partition, which is locked and looked through when another one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultPartition>,
    /// How its newest sibling is.
    #[serde(default)]
    pub likeness: Likeness,
    /// How it is partitioned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Subpartitioning>,
    /// The table has an identity column, and the server is 17 or later: what is attached to a partition gets it too, and what came
    /// with one does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_identity: bool,
}

impl PartitionForm {
    /// The partitions below it, and what each is attached to, the upper first.
    #[must_use]
    pub fn subpartitions(&self) -> Vec<(&Name, &Subpartition)> {
        let mut found = Vec::new();
        let mut open = vec![(&self.name, self.below.as_ref())];
        while let Some((parent, below)) = open.pop() {
            let parts = below.map(|below| below.partitions.as_slice()).unwrap_or_default();
            found.extend(parts.iter().map(|part| (parent, part)));
            open.extend(parts.iter().map(|part| (&part.name, part.below.as_ref())));
        }
        found
    }
}

/// How a partition is partitioned again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subpartitioning {
    /// `HASH (user_id)`, as `pg_get_partkeydef` writes it.
    pub key: String,
    /// Its partitions.
    pub partitions: Vec<Subpartition>,
}

/// A partition of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subpartition {
    /// Its name.
    pub name: Name,
    /// `FOR VALUES WITH (modulus 4, remainder 0)`, as the server writes it in UTC and ISO.
    pub bound: String,
    /// How the one of the newest sibling is.
    pub likeness: Likeness,
    /// How it is partitioned in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Subpartitioning>,
}

/// The DEFAULT partition of a table that gets another partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultPartition {
    /// Its name.
    pub name: Name,
    /// Longest time that it may be locked against everything, in milliseconds.
    pub window_ms: u64,
    /// The rows of the new partition's range are moved there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
}

/// What it takes to move rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// The leading key column.
    pub key: String,
    /// All columns that are not generated.
    pub columns: Vec<String>,
}

/// What a table is beyond its columns: the row of `sql/change_likeness.sql`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Likeness {
    /// Its owner.
    pub owner: String,
    /// Its tablespace, where it is not the database's.
    pub tablespace: Option<String>,
    /// Its access method, `heap`; none of a partitioned table before 17.
    pub access_method: Option<String>,
    /// Not WAL-logged.
    pub is_unlogged: bool,
    /// Storage options, `fillfactor=85`, those of its TOAST table as `toast.…`.
    pub options: Vec<String>,
    /// Columns that ANALYZE treats otherwise than by default.
    pub analyzed: Vec<AnalyzedColumn>,
    /// Who else may do what.
    pub grants: Vec<Grant>,
    /// Row security is on.
    pub has_row_security: bool,
    /// It holds for its owner too.
    pub forces_row_security: bool,
    /// What row security lets through.
    pub policies: Vec<Policy>,
    /// `default`, `nothing`, `full` or `index`.
    pub replica_identity: String,
    /// Of `index`: the index of the partitioned table whose part it is.
    pub replica_index: Option<Name>,
    /// Publications that name it itself.
    pub publications: Vec<String>,
    /// Of a partition: indexes, constraints and triggers that are no part of its table's; none in a plan.
    #[serde(skip)]
    pub alone: Vec<String>,
}

/// What a partition has that is no part of what its table has: the row of `sql/change_own.sql`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenOwn {
    /// Kind and name of each.
    pub alone: Vec<String>,
}

/// What ANALYZE is told of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyzedColumn {
    /// Its name.
    pub name: String,
    /// Its statistics target; none: the server's.
    pub target: Option<i32>,
    /// `n_distinct=1000`
    pub options: Vec<String>,
}

/// Privileges that a role has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role; none: PUBLIC.
    pub grantee: Option<String>,
    /// `SELECT`, `INSERT`.
    pub privileges: Vec<String>,
    /// On this column; none: on the table.
    pub column: Option<String>,
    /// It may grant them on.
    pub is_grantable: bool,
}

/// A policy of row security.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// `ALL`, `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
    pub command: String,
    /// It lets through; a restrictive one holds back.
    pub is_permissive: bool,
    /// For these roles; none: PUBLIC.
    pub roles: Vec<Option<String>>,
    /// The condition on rows that are there.
    pub using: Option<String>,
    /// The condition on rows that come.
    pub check: Option<String>,
    /// It asks for a partition by name, so that it is of this table alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bound: bool,
}

/// A partition that leaves its table, or comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetachForm {
    /// The partition.
    pub name: Name,
    /// The partitioned table.
    pub table: Name,
    /// What it holds.
    pub range: Range,
    /// `pg_class.oid` of the partition: a namesake made since is another one.
    pub oid: i64,
    /// DETACH … CONCURRENTLY, which a DEFAULT partition forbids; from 14.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_concurrent: bool,
    /// Tables that it refers to, which are locked first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Name>,
}

/// A table that was a partition, and goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetachedForm {
    /// The table.
    pub name: Name,
    /// The partitioned table that it was detached from.
    pub table: Name,
    /// `pg_class.oid` of it.
    pub oid: i64,
    /// Its foreign keys, which go first, one by one: each locks the table that it refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}
