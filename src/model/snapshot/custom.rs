//! Rows of a facet that a rule pack brought along.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A facet of a rule pack: one SELECT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomFacet {
    /// Name of its file, `long_jobs.sql`.
    pub name: String,
    /// The SELECT.
    pub sql: String,
    /// Names of its columns.
    pub columns: Vec<String>,
}

/// What it returned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomRows {
    /// Name of its file.
    pub facet: String,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// Rows, as `to_jsonb` writes them.
    pub rows: Vec<Map<String, Value>>,
}
