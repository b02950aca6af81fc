//! Another node of the same cluster: what its own counters say of relations and indexes.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A standby that was read beside the audited server (`--replica`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Host and port as it was named, without secrets.
    pub name: String,
    /// It is in recovery.
    pub is_standby: bool,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When the counters of the audited database were last reset there; none when never recorded.
    pub stats_reset: Option<DateTime<Utc>>,
    /// Use of indexes there, those never used left out.
    pub indexes: Vec<IndexUse>,
    /// Use of relations there, those never used left out.
    pub relations: Vec<RelationUse>,
}

/// Use of one index on one node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexUse {
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Index.
    pub name: String,
    /// Scans begun there.
    pub scans: i64,
    /// Last scan there, from 16.
    pub last_scan: Option<DateTime<Utc>>,
}

/// Use of one relation on one node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelationUse {
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Relation.
    pub name: String,
    /// Sequential scans begun there.
    pub seq_scans: i64,
    /// Live rows they read.
    pub seq_tuples_read: i64,
    /// Index scans begun there.
    pub index_scans: i64,
}
