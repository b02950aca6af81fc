//! A range partition by its bound, and what else it takes to make it like its siblings.

use super::plan::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One end of a range in one key column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// MINVALUE
    Minvalue,
    /// MAXVALUE
    Maxvalue,
    /// A constant as the server prints it in UTC and ISO, without quotes and casts.
    Value(String),
}

/// The bound of a range partition, an edge for each key column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lower end, itself held.
    pub from: Vec<Edge>,
    /// The upper end, left out.
    pub to: Vec<Edge>,
}

/// A partition of a table that is cut by ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionForm {
    /// Its name.
    pub name: Name,
    /// The partitioned table.
    pub table: Name,
    /// What it holds.
    pub range: Range,
}
