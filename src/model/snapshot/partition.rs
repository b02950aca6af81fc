//! One partition under its partitioned table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A partition, or a partitioned table that has none yet (then the partition's fields are none).
/// Columns of `sql/partitions*.sql`. Texts are rendered with TimeZone UTC and DateStyle ISO.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema of the partitioned table. {text | pg_namespace.nspname}
    pub parent_schema: String,
    /// Partitioned table. {text | pg_class.relname}
    pub parent_name: String,
    /// The partitioned table is itself a partition. {bool | pg_class.relispartition}
    pub parent_is_partition: bool,
    /// `range`, `list` or `hash`. {text | pg_partitioned_table.partstrat}
    pub strategy: String,
    /// The key as written. {text | pg_get_partkeydef()}
    pub key_definition: String,
    /// Key columns in order; an expression is an empty text. {texts | pg_partitioned_table.partattrs}
    pub key_columns: Vec<String>,
    /// Types of the key columns; of an expression an empty text. {texts | format_type()}
    pub key_types: Vec<String>,
    /// Schema of the partition. {text | pg_namespace.nspname}
    pub schema: Option<String>,
    /// Partition. {text | pg_class.relname}
    pub name: Option<String>,
    /// Its bound as written. {text | pg_get_expr(pg_class.relpartbound)}
    pub bound: Option<String>,
    /// It is the DEFAULT partition. {bool | pg_partitioned_table.partdefid}
    pub is_default: bool,
    /// DETACH CONCURRENTLY was begun and not finished, from 14. {bool | pg_inherits.inhdetachpending}
    pub is_detach_pending: bool,
    /// It is not partitioned further. {bool | pg_class.relkind}
    pub is_leaf: bool,
    /// It is a foreign table. {bool | pg_class.relkind}
    #[serde(default)]
    pub is_foreign: bool,
}
