//! A plain table that becomes the first partition of its successor: what is prepared, what goes over to the
//! successor, and what stays.

use super::partition::{Grant, Likeness};
use super::plan::{IndexForm, Name};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is made ready while the table is in use: the index of the new key, and the proof that all rows lie before
/// the boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrepareForm {
    /// The table.
    pub table: Name,
    /// The name that it gets as a partition.
    pub legacy: Name,
    /// `pg_class.oid` of it.
    pub oid: i64,
    /// The unique index that becomes its primary key; none where the key of now will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexForm>,
    /// The CHECK.
    pub check: String,
    /// The key column.
    pub key: String,
    /// Its type, which the constant of the CHECK must have.
    pub key_type: String,
    /// The first value that it does not hold, as the server prints it in UTC and ISO.
    pub boundary: String,
}

/// What makes a table the first partition of its successor, and takes that back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptForm {
    /// The name of the table, and of its successor.
    pub table: Name,
    /// The name that the table gets as a partition.
    pub legacy: Name,
    /// A name that the successor bears while it is built.
    pub building: Name,
    /// `pg_class.oid` of the table.
    pub oid: i64,
    /// The key column.
    pub key: String,
    /// The first value that the table does not hold, as the server prints it in UTC and ISO.
    pub boundary: String,
    /// The CHECK that proves it.
    pub check: String,
    /// From then on it is too late.
    pub deadline: DateTime<Utc>,
    /// The server knows LIKE … INCLUDING COMPRESSION, from 14.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_compression: bool,
    /// The key column may be NULL, and must not be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sets_not_null: bool,
    /// The primary key that another one takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<KeySwap>,
    /// Lines of the census that are meant to differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<String>,
    /// Owner, privileges, row security and the like.
    pub likeness: Likeness,
    /// What it has.
    pub inventory: Inventory,
}

/// A primary key without the partition key gives way to one with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySwap {
    /// The constraint.
    pub name: String,
    /// The index that takes its place on the old table, made beforehand.
    pub index: String,
    /// What stands behind PRIMARY KEY of the successor: `(id, at)`.
    pub columns: String,
    /// DEFERRABLE and the like.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub timing: String,
    /// The index of the old key, which is built again before it is taken back.
    pub restored: IndexForm,
}

/// What a table has beside its columns: in the row of `sql/change_adoption.sql`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Its comment.
    pub comment: Option<String>,
    /// Its indexes, and the constraints that they back.
    pub indexes: Vec<AdoptedIndex>,
    /// Foreign keys from it.
    pub foreign_keys: Vec<Definition>,
    /// Tables that these refer to.
    pub references: Vec<Name>,
    /// Triggers.
    pub triggers: Vec<AdoptedTrigger>,
    /// Its identity column.
    pub identity: Option<Identity>,
    /// Sequences that belong to its columns.
    pub sequences: Vec<OwnedSequence>,
    /// Views that read it themselves.
    pub views: Vec<AdoptedView>,
    /// Functions with an SQL body that name it, as `CREATE OR REPLACE FUNCTION`.
    pub functions: Vec<String>,
    /// Extended statistics.
    pub statistics: Vec<AdoptedStatistics>,
    /// Policies with a comment.
    pub policy_comments: Vec<Comment>,
}

/// An index of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptedIndex {
    /// Its name.
    pub name: String,
    /// The name that it gets as the partition's; none before that is chosen, and of one that stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<String>,
    /// The name of the successor's while that is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<String>,
    /// It refuses duplicates.
    pub is_unique: bool,
    /// REPLICA IDENTITY USING it.
    pub is_replica_identity: bool,
    /// What stands behind USING.
    pub using: String,
    /// The constraint that it backs.
    pub constraint: Option<String>,
    /// `p`, `u` or `x`.
    pub constraint_type: Option<String>,
    /// `UNIQUE (a, at)`
    pub constraint_definition: Option<String>,
    /// Its key columns; expressions are left out.
    pub columns: Vec<String>,
    /// Its comment.
    pub comment: Option<String>,
    /// The constraint's.
    pub constraint_comment: Option<String>,
    /// Its tablespace, where it is not the database's.
    pub tablespace: Option<String>,
}

/// A constraint by its definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// `FOREIGN KEY (user_id) REFERENCES public.users(id)`
    pub definition: String,
    /// Its comment.
    pub comment: Option<String>,
}

/// A comment on what has that name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// The name.
    pub name: String,
    /// The comment.
    pub comment: Option<String>,
}

/// A trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptedTrigger {
    /// Its name.
    pub name: String,
    /// As `pg_get_triggerdef()` prints it.
    pub definition: String,
    /// `pg_trigger.tgenabled`
    pub enabled: String,
    /// Its comment.
    pub comment: Option<String>,
}

/// An identity column and its sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The column.
    pub column: String,
    /// Its sequence.
    pub sequence: Name,
    /// GENERATED ALWAYS; else BY DEFAULT.
    pub is_always: bool,
    /// INCREMENT BY
    pub increment: i64,
    /// START WITH
    pub start: i64,
    /// MINVALUE
    pub least: i64,
    /// MAXVALUE
    pub most: i64,
    /// CACHE
    pub cache: i64,
    /// CYCLE
    pub cycles: bool,
    /// Its comment.
    pub comment: Option<String>,
    /// Who else may use it.
    pub grants: Vec<Grant>,
}

/// A sequence that belongs to a column, as that of a `serial` does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnedSequence {
    /// The column.
    pub column: String,
    /// The sequence.
    pub name: Name,
}

/// A view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptedView {
    /// Its name.
    pub name: Name,
    /// `security_barrier=true`
    pub options: Vec<String>,
    /// Its query.
    pub definition: String,
}

/// An extended statistics object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptedStatistics {
    /// Its name.
    pub name: Name,
    /// The name that it gets as the partition's; none before that is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<String>,
    /// As `pg_get_statisticsobjdef()` prints it.
    pub definition: String,
    /// Its statistics target, where it has one.
    pub target: Option<i32>,
    /// Its comment.
    pub comment: Option<String>,
}

/// A table that is to be adopted: the row of `sql/change_adoption.sql`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct SeenTable {
    /// `pg_class.oid`
    pub oid: i64,
    /// `pg_class.relkind`
    pub kind: String,
    /// Type of the key column; none without such a column.
    pub key_type: Option<String>,
    /// The key column refuses NULL.
    pub is_key_not_null: bool,
    /// The CHECK of ours, where it was made ready before.
    pub boundary: Option<String>,
    /// What it says.
    pub boundary_definition: Option<String>,
    /// What it has.
    pub inventory: Inventory,
}

/// What the key column holds at its ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenKeys {
    /// The least, in order, as the server prints them in UTC and ISO; empty without rows.
    pub least: Vec<String>,
    /// The greatest, the greatest of all first.
    pub greatest: Vec<String>,
}

/// What stands in the way of an adoption: a row of `sql/change_adoption_obstacles.sql`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct SeenObstacle {
    /// `foreign_keys`, `primary_key`.
    pub kind: String,
    /// Which one.
    pub object: String,
}
