//! One column and what ANALYZE knows of it. Never a value out of the table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_attribute` with `pg_stats`. Columns of `sql/columns.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema. {text | pg_namespace.nspname}
    pub schema: String,
    /// Relation. {text | pg_class.relname}
    pub relation: String,
    /// Name. {text | pg_attribute.attname}
    pub name: String,
    /// Position, from 1. {number | pg_attribute.attnum}
    pub position: i32,
    /// Type with its modifier. {text | format_type()}
    pub type_name: String,
    /// Of a domain, the type it is made of. {text | pg_type.typbasetype}
    #[serde(default)]
    pub base_type: Option<String>,
    /// NULL is refused. {bool | pg_attribute.attnotnull}
    pub is_not_null: bool,
    /// Its texts are sorted by their bytes, as by the collation C; null: it has no collation, or one whose equal values differ. {bool | pg_collation, pg_database.datcollate}
    #[serde(default)]
    pub sorts_by_bytes: Option<bool>,
    /// Values of this type may be moved to TOAST. {bool | pg_attribute.attstorage}
    pub is_toastable: bool,
    /// The role could read its statistics, and ANALYZE has made some. {bool | pg_stats}
    pub has_statistics: bool,
    /// Share of NULLs, 0 to 1. {fraction | pg_stats.null_frac}
    pub null_fraction: Option<f64>,
    /// Average width of a value, as stored in the row. {bytes | pg_stats.avg_width}
    pub average_width_bytes: Option<i64>,
    /// Distinct values; negative: minus the share of rows. {number | pg_stats.n_distinct}
    pub distinct: Option<f64>,
    /// Correlation of physical and logical order, -1 to 1. {ratio | pg_stats.correlation}
    pub correlation: Option<f64>,
    /// Share of the most common value, 0 to 1. {fraction | pg_stats.most_common_freqs}
    pub most_common_fraction: Option<f64>,
    /// Share of the value in the middle of the list of most common ones, 0 to 1. {fraction | pg_stats.most_common_freqs}
    pub middle_common_fraction: Option<f64>,
    /// Share of the last value in that list, 0 to 1. {fraction | pg_stats.most_common_freqs}
    pub least_common_fraction: Option<f64>,
    /// Values in that list. {values | pg_stats.most_common_freqs}
    pub common_values: Option<i64>,
    /// Of a date, a timestamp, or what `time_unit` names: how old the values are at each tenth of the histogram, the oldest
    /// first, those to come negative; empty without one. {hours | pg_stats.histogram_bounds}
    #[serde(default)]
    pub age_deciles_hours: Vec<i32>,
    /// Of a number: what it may count since 1970, `s`, `ms`, `us` or `ns`, as the whole histogram is then of 1980 to 2100. Of
    /// a UUID: `uuid_v7`, as all of the histogram are of version 7. {text | pg_stats.histogram_bounds}
    #[serde(default)]
    pub time_unit: Option<String>,
}
