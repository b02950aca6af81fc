//! One sequence and the column it feeds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_sequence`. Columns of `sql/sequences.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema. {text | pg_namespace.nspname}
    pub schema: String,
    /// Name. {text | pg_class.relname}
    pub name: String,
    /// Last value handed out; none when unused, or when the role may not read it. {number | pg_sequence_last_value()}
    pub last_value: Option<i64>,
    /// The role may read it. {bool | has_sequence_privilege()}
    pub is_readable: bool,
    /// First value. {number | pg_sequence.seqstart}
    pub start_value: i64,
    /// Smallest value. {number | pg_sequence.seqmin}
    pub min_value: i64,
    /// Largest value. {number | pg_sequence.seqmax}
    pub max_value: i64,
    /// Step. {number | pg_sequence.seqincrement}
    pub increment: i64,
    /// Starts again at the end. {bool | pg_sequence.seqcycle}
    pub is_cyclic: bool,
    /// Schema of the table whose column it feeds. {text | pg_depend, pg_attrdef}
    pub table_schema: Option<String>,
    /// Table whose column it feeds. {text | pg_depend, pg_attrdef}
    pub table_name: Option<String>,
    /// Column it feeds. {text | pg_depend, pg_attrdef}
    pub column_name: Option<String>,
    /// Type of that column, `smallint`, `integer` or `bigint`. {text | format_type()}
    pub column_type: Option<String>,
}
