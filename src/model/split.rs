//! A partition that holds many months and is cut into them.

use super::adoption::Definition;
use super::partition::{Likeness, Range};
use super::plan::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A wide partition and the months that take its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitForm {
    /// The partitioned table.
    pub table: Name,
    /// The wide partition.
    pub wide: Name,
    /// `pg_class.oid` of it.
    pub oid: i64,
    /// What it holds.
    pub range: Range,
    /// The partitioned table under which the months are filled; the trigger and its function bear its name too.
    pub staging: Name,
    /// The key column.
    pub key: String,
    /// Its type.
    pub key_type: String,
    /// Columns of the primary key.
    pub primary_key: Vec<String>,
    /// All columns that are not generated.
    pub columns: Vec<String>,
    /// The months, the first first.
    pub parts: Vec<SplitPart>,
    /// Foreign keys of the table, which the months have before they are attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<Definition>,
    /// Tables that these refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Name>,
    /// How the wide partition is.
    pub likeness: Likeness,
}

/// What was learnt of the least key of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oldest {
    /// It holds no rows.
    NoRows,
    /// It could not be told in time.
    Unknown,
    /// As the server prints it in UTC and ISO.
    Key(String),
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitPart {
    /// Its name.
    pub name: Name,
    /// What it holds.
    pub range: Range,
}
