//! What a table is made of, and the partitioned one that is made after it.

use super::partition::{Likeness, Range};
use super::plan::Name;
use schemars::JsonSchema;
use serde::Deserialize;

/// A table as it is: the row of `sql/change_table.sql`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenOriginal {
    /// Its columns in order.
    pub columns: Vec<SeenColumn>,
    /// Primary key and unique constraints.
    pub keys: Vec<SeenKey>,
    /// CHECK constraints and foreign keys.
    pub constraints: Vec<SeenDefinition>,
    /// Indexes that are of no constraint.
    pub indexes: Vec<SeenDefinition>,
    /// Its comment.
    pub comment: Option<String>,
    /// What of it cannot be made anew by itself: triggers, rules and the like, by kind and name.
    pub lost: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenColumn {
    /// Its name.
    pub name: String,
    /// Type with its modifier.
    pub type_name: String,
    /// Collation where it is not the type's, quoted.
    pub collation: Option<String>,
    /// NULL is refused.
    pub is_not_null: bool,
    /// Of an identity column, `ALWAYS` or `BY DEFAULT`.
    pub identity: Option<String>,
    /// Of a generated column, `STORED` or `VIRTUAL`.
    pub generated: Option<String>,
    /// Its default, or what it is generated from.
    pub expression: Option<String>,
    /// Its default takes from a sequence that it owns.
    pub is_serial: bool,
    /// How it is stored, where not as its type is.
    pub storage: Option<String>,
    /// How it is compressed, where that is said.
    pub compression: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// A primary key or a unique constraint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenKey {
    /// Its name.
    pub name: String,
    /// PRIMARY KEY.
    pub is_primary: bool,
    /// DEFERRABLE
    pub is_deferrable: bool,
    /// INITIALLY DEFERRED
    pub is_deferred: bool,
    /// NULLS NOT DISTINCT, from 15.
    pub nulls_not_distinct: bool,
    /// Its columns in order.
    pub columns: Vec<String>,
    /// Columns that its index holds besides.
    pub included: Vec<String>,
}

/// A constraint or an index by its text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenDefinition {
    /// Its name.
    pub name: String,
    /// As the server prints it.
    pub definition: String,
}

/// A partitioned table to be made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Blueprint {
    /// Its name.
    pub table: Name,
    /// The column that it is cut by.
    pub key: String,
    /// Definitions of its columns and constraints, as they stand between the parentheses.
    pub parts: Vec<String>,
    /// Its indexes, by name where one is given, and by what stands behind the table: `USING btree (a)`.
    pub indexes: Vec<BlueprintIndex>,
    /// Columns that are stored otherwise than by their type: name, `STORAGE` or `COMPRESSION`, how.
    pub stored: Vec<(String, &'static str, String)>,
    /// Comments on columns.
    pub comments: Vec<(String, String)>,
    /// Its comment.
    pub comment: Option<String>,
    /// Owner, privileges, row security, and how its partitions are stored.
    pub likeness: Likeness,
    /// Its months.
    pub partitions: Vec<(Name, Range)>,
    /// What is to be known of it, a line each.
    pub remarks: Vec<String>,
}

/// An index of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlueprintIndex {
    /// Its name; none: the server gives one.
    pub name: Option<String>,
    /// UNIQUE
    pub is_unique: bool,
    /// `btree (a) WITH (fillfactor='70') WHERE a > 1`
    pub using: String,
}
