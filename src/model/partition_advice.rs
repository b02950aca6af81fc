//! Which tables would gain from monthly partitions. Version 1 of `partition advise --format json`.

use super::plan::{Name, PlanTarget};
use super::snapshot::Tool;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Version of the advice's JSON form.
pub const PARTITION_ADVICE_VERSION: u32 = 1;

/// Plain tables of a database, judged by whether their workload goes by time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PartitionAdvice {
    /// Version of this form, [`PARTITION_ADVICE_VERSION`].
    pub partition_advice_version: u32,
    /// The program.
    pub tool: Tool,
    /// When the server was read, by its clock.
    pub captured_at: DateTime<Utc>,
    /// The database.
    pub target: PlanTarget,
    /// Since when statements are counted; none where that is not known.
    pub statements_since: Option<DateTime<Utc>>,
    /// Tables of fewer bytes, TOAST with them and indexes without, were not judged.
    pub min_bytes: i64,
    /// Tables that would gain, the largest first.
    pub tables: Vec<Candidate>,
    /// Tables that are as large and would not, the largest first.
    pub passed_over: Vec<PassedOver>,
}

/// A table that would gain.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Candidate {
    /// The table.
    pub table: Name,
    /// The column by whose months it would be cut.
    pub key: String,
    /// Its type.
    pub key_type: String,
    /// What it may count since 1970, `s`, `ms`, `us` or `ns`, or that it may be a UUID of version 7, `uuid_v7`: a guess by the
    /// key's histogram, which `partition convert` holds against the rows. None where the type tells.
    pub key_unit: Option<String>,
    /// Rows, an estimate by the counters and the last VACUUM or ANALYZE.
    pub rows: i64,
    /// Bytes of the table and its TOAST table.
    pub table_bytes: i64,
    /// Bytes of its indexes.
    pub index_bytes: i64,
    /// What comes in a month, by the key's histogram; none without one.
    pub growth: Option<Growth>,
    /// The same by an earlier snapshot; none without one.
    pub measured_growth: Option<Growth>,
    /// How its statements look for rows.
    pub workload: Share,
    /// Rows that are deleted by their age; none where no statement does.
    pub retention: Option<Retention>,
    /// What stands in the way.
    pub obstacles: Vec<Obstacle>,
    /// What is to be expected, an estimate.
    pub effect: Effect,
}

/// Rows that come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Growth {
    /// Rows in a month of 30.44 days.
    pub rows_per_month: i64,
    /// Bytes in such a month, indexes with them.
    pub bytes_per_month: i64,
    /// Time that it was taken over, in days.
    pub days: f64,
}

/// Statements that read, change or delete rows of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    /// All of them.
    pub statements: usize,
    /// Those that compare the key with a value.
    pub by_key: usize,
    /// Calls of all of them.
    pub calls: i64,
    /// Share of the calls that are of those by the key, 0 to 1.
    pub calls_share: f64,
    /// Share of the time that is of those by the key, 0 to 1.
    pub time_share: f64,
}

/// Rows that are deleted by their age.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Retention {
    /// The statements, by fingerprint.
    pub statements: Vec<String>,
    /// Their calls.
    pub calls: i64,
    /// Rows deleted.
    pub rows: i64,
    /// Time of all calls, in milliseconds.
    pub total_ms: f64,
    /// WAL that they wrote, in bytes.
    pub wal_bytes: i64,
}

/// What stands in the way of partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Obstacle {
    /// As `partition convert` names it: `foreign_keys`, `primary_key`, `unique`, `exclusion` or `nullable_key`; of the workload
    /// `on_conflict`, and `triggers`, of which a snapshot knows the number.
    pub code: String,
    /// `partition convert` has to be told with `--allow` that it may be.
    pub may_be_allowed: bool,
    /// It in words.
    pub text: String,
}

/// What is to be expected, an estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Effect {
    /// Months that the rows are of; none without a histogram.
    pub partitions: Option<i64>,
    /// Bytes of a month with its indexes: what VACUUM, REINDEX and a freeze work on at a time.
    pub bytes_per_partition: Option<i64>,
    /// Share of the time of its statements that could leave months out, 0 to 1.
    pub pruned_time_share: f64,
    /// Share of the calls that would look into every month, 0 to 1.
    pub probing_calls_share: f64,
}

/// A large table that would not gain, for all that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PassedOver {
    /// The table.
    pub table: Name,
    /// Bytes of the table and its TOAST table.
    pub table_bytes: i64,
    /// `no_time_column`, `no_statements`, `key_changes` or `not_by_time`.
    pub code: String,
    /// It in words.
    pub reason: String,
}
