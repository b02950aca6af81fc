//! One foreign key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_constraint` with contype `f`. Columns of `sql/foreign_keys.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema of the referencing table. {text | pg_namespace.nspname}
    pub schema: String,
    /// Referencing table. {text | pg_constraint.conrelid}
    pub table: String,
    /// Name. {text | pg_constraint.conname}
    pub name: String,
    /// Referencing columns in order. {texts | pg_constraint.conkey}
    pub columns: Vec<String>,
    /// Schema of the referenced table. {text | pg_constraint.confrelid}
    pub referenced_schema: String,
    /// Referenced table. {text | pg_constraint.confrelid}
    pub referenced_table: String,
    /// Referenced columns in order. {texts | pg_constraint.confkey}
    pub referenced_columns: Vec<String>,
    /// `no_action`, `restrict`, `cascade`, `set_null` or `set_default`. {text | pg_constraint.confdeltype}
    pub on_delete: String,
    /// As `on_delete`. {text | pg_constraint.confupdtype}
    pub on_update: String,
    /// All rows are known to satisfy it. {bool | pg_constraint.convalidated}
    pub is_validated: bool,
    /// It came with the partitioned parent's. {bool | pg_constraint.conparentid}
    pub is_inherited: bool,
}
