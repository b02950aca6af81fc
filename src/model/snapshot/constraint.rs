//! One primary key, unique, exclusion or check constraint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which sort of constraint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    /// PRIMARY KEY
    #[default]
    PrimaryKey,
    /// UNIQUE
    Unique,
    /// EXCLUDE
    Exclusion,
    /// CHECK
    Check,
}

/// A row of `pg_constraint` on a relation. Columns of `sql/constraints.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema of the table. {text | pg_namespace.nspname}
    pub schema: String,
    /// Table. {text | pg_constraint.conrelid}
    pub table: String,
    /// Name. {text | pg_constraint.conname}
    pub name: String,
    /// primary_key, unique, exclusion or check. {text | pg_constraint.contype}
    pub kind: ConstraintKind,
    /// Columns in order. {texts | pg_constraint.conkey}
    pub columns: Vec<String>,
    /// All rows are known to satisfy it. {bool | pg_constraint.convalidated}
    pub is_validated: bool,
    /// It came with the partitioned parent's. {bool | pg_constraint.conparentid, coninhcount}
    pub is_inherited: bool,
}
