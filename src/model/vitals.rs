//! What charts and metrics tell of a server beside the findings. Part of the JSON report, version 1.
//!
//! What was not looked at is absent, never 0. Counters are of the report's window, unless said otherwise.

use super::saturation::PoolerLoad;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Statements and tables that are told, the heaviest first.
pub const TOP: usize = 20;

/// Partitions that are told of each of those tables, the newest.
pub const PARTITIONS: usize = 36;

/// Figures of one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Vitals {
    /// Databases that are no templates, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databases: Option<Vec<DatabaseVitals>>,
    /// Client sessions at the moment of reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionVitals>,
    /// Statements of the audited databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements: Option<StatementVitals>,
    /// The largest tables with their partitions, TOAST and indexes, at most 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<TableVitals>>,
    /// Tables partitioned by time that are in no stretch of another, the one first whose partitions end first; last those that
    /// ended over 62 days ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitioned_tables: Option<Vec<RunwayVitals>>,
    /// PgBouncers that were watched, as in `pgassay pool --format json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poolers: Option<Vec<PoolerLoad>>,
}

/// A database and its counters (`pg_stat_database`).
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DatabaseVitals {
    /// Its name.
    pub database: String,
    /// It was audited.
    pub is_audited: bool,
    /// Its counters are known to count from here.
    pub counted_from: DateTime<Utc>,
    /// Size on disk; none where the role may not see it.
    pub size_bytes: Option<i64>,
    /// Share of blocks found in shared buffers, 0 to 1; none where none was asked for.
    pub cache_hit_ratio: Option<f64>,
    /// Blocks found in shared buffers.
    pub blocks_hit: i64,
    /// Blocks read from the operating system.
    pub blocks_read: i64,
    /// Transactions committed.
    pub commits: i64,
    /// Transactions rolled back.
    pub rollbacks: i64,
    /// Written to temporary files.
    pub temp_bytes: i64,
    /// Deadlocks detected.
    pub deadlocks: i64,
}

/// Client sessions (`pg_stat_activity`), our own left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionVitals {
    /// Sessions.
    pub total: usize,
    /// By state; `hidden` where the role may not see it.
    pub by_state: BTreeMap<String, usize>,
    /// Active ones by the class of what they wait for, as `Lock` and `IO`; those at work are left out.
    pub waiting: BTreeMap<String, usize>,
    /// Sessions the server allows; none where the settings were not read.
    pub max_connections: Option<i64>,
    /// Those that ordinary roles can use.
    pub usable_connections: Option<i64>,
}

/// What the statements took (`pg_stat_statements`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct StatementVitals {
    /// Execution time of all of them, with those whose texts were not read.
    pub total_ms: f64,
    /// Calls of all of them.
    pub calls: i64,
    /// Times the least-executed entries were evicted, and left the two sums; none before 14, which does not tell.
    pub evictions: Option<i64>,
    /// The 20 with the largest totals.
    pub top: Vec<StatementLoad>,
}

/// A statement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct StatementLoad {
    /// Its database.
    pub database: String,
    /// Identity of the text across servers and majors; findings name it `q:FINGERPRINT`.
    pub fingerprint: String,
    /// The text, every literal replaced.
    pub text: String,
    /// Executions.
    pub calls: i64,
    /// Execution time.
    pub total_ms: f64,
    /// The same of one call, on average.
    pub mean_ms: f64,
    /// Its share of the execution time of all statements, 0 to 1; none where that is 0.
    pub time_ratio: Option<f64>,
    /// Rows returned or affected.
    pub rows: i64,
    /// Shared blocks touched, found or read.
    pub shared_blocks: i64,
}

/// A table with its partitions, TOAST and indexes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TableVitals {
    /// Its database.
    pub database: String,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// All of it.
    pub total_bytes: i64,
    /// Of that indexes.
    pub index_bytes: i64,
    /// Rows by the last VACUUM or ANALYZE, an estimate; none where never done.
    pub estimated_rows: Option<i64>,
    /// What it grew by in the window, or from BASE to HEAD; none without an earlier snapshot that has it.
    pub growth_bytes: Option<i64>,
}

/// A table partitioned by time, and how far into the future its partitions reach.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunwayVitals {
    /// Its database.
    pub database: String,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its newest partitions are a month long.
    pub is_monthly: bool,
    /// A partition holds the moment of reading.
    pub covers_now: bool,
    /// Where the row of partitions that starts with the current one ends; where none holds the moment of reading, the
    /// newest end before it; none where the row never ends, or all begin later.
    pub covered_until: Option<DateTime<Utc>>,
    /// Time until then; negative since then.
    pub runway_days: Option<f64>,
    /// Partitions that hold a stretch of time: the newest 36, the oldest of them first; empty beyond the first 20 tables.
    pub partitions: Vec<PartitionVitals>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PartitionVitals {
    /// Its name.
    pub name: String,
    /// First moment it holds; none without an end in time.
    pub from: Option<DateTime<Utc>>,
    /// First moment behind it; none without an end in time.
    pub to: Option<DateTime<Utc>>,
    /// The table, its TOAST and its indexes.
    pub total_bytes: i64,
    /// Rows, an estimate.
    pub estimated_rows: i64,
}
