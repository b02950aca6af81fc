//! One function that a plan's condition calls, or one of the same name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_proc`. Columns of `sql/functions.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Database. {text | current_database()}
    pub database: String,
    /// Schema. {text | pg_proc.pronamespace}
    pub schema: String,
    /// Name. {text | pg_proc.proname}
    pub name: String,
    /// Types of its arguments. {texts | pg_proc.proargtypes}
    pub arguments: Vec<String>,
    /// How many of them have no default. {number | pg_proc.pronargdefaults}
    pub least_arguments: i32,
    /// It takes any number of the last one. {bool | pg_proc.provariadic}
    pub is_variadic: bool,
    /// Type of its result. {text | pg_proc.prorettype}
    pub result: String,
    /// Whether its result may change. {text | pg_proc.provolatile}
    pub volatility: Volatility,
}

/// Whether a function's result may change while its arguments do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    /// Never: an index can be on it.
    Immutable,
    /// Between statements: an index can be searched for it.
    Stable,
    /// From row to row.
    #[default]
    Volatile,
}
