//! What the partitioned tables of a database hold, month by month. Version 1 of `partition list --format json`.

use super::plan::{Name, PlanTarget};
use super::snapshot::Tool;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the survey's JSON form.
pub const SURVEY_VERSION: u32 = 1;

/// All partitioned tables of a database.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Survey {
    /// Version of this form, [`SURVEY_VERSION`].
    pub survey_version: u32,
    /// The program.
    pub tool: Tool,
    /// When the server was read, by its clock.
    pub captured_at: DateTime<Utc>,
    /// The database.
    pub target: PlanTarget,
    /// The tables, by name. One that is a partition of another is listed by itself too.
    pub tables: Vec<SurveyedTable>,
}

/// A partitioned table.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SurveyedTable {
    /// The table.
    pub table: Name,
    /// The key as written, `RANGE (created_at)`.
    pub key: String,
    /// How the leading key column says when: `date`, `timestamp`, `timestamptz`, `epoch_s`, `epoch_ms`, `epoch_us`,
    /// `epoch_ns` or `uuid_v7`; none where it does not.
    pub key_kind: Option<String>,
    /// The time zone whose months the partitions are; none where they are no months, or of no one zone, or the key has no
    /// zone.
    pub zone: Option<String>,
    /// Another program that keeps it; none where there is none.
    pub manager: Option<Manager>,
    /// Its newest partitions are a month long.
    pub is_monthly: bool,
    /// A partition holds the moment of reading; none where the key is no time.
    pub covers_now: Option<bool>,
    /// Partitions that follow the current one without a gap; none unless monthly, current and with an end.
    pub months_ahead: Option<usize>,
    /// Where the row of partitions that starts with the current one ends; none where it never does.
    pub covered_until: Option<DateTime<Utc>>,
    /// Stretches between partitions that none holds.
    pub gaps: Vec<Span>,
    /// Partitions that are cut by another zone than those before them.
    pub stray: Option<Stray>,
    /// Partitions whose name says another month than they hold.
    pub misnamed: Vec<Misnamed>,
    /// Indexes of the table that are invalid, as some partition has no part of them.
    pub incomplete_indexes: Vec<IncompleteIndex>,
    /// Its partitions, the oldest first; those without a range come last.
    pub partitions: Vec<SurveyedPartition>,
}

/// The extension that keeps partitions by itself.
pub const PG_PARTMAN: &str = "pg_partman";

/// What keeps a table: a row of pg_partman's `part_config`, or what our own config says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manager {
    /// The program, `pg_partman`, or `pgassay.yaml`.
    pub name: String,
    /// The database; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The table as it names it, `public.events`.
    pub table: String,
    /// Partitions that it makes ahead.
    pub premake: i32,
    /// What it keeps, an interval or a number of ids; none: all.
    pub retention: Option<String>,
}

/// A stretch of time: the end is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    /// First moment.
    pub from: DateTime<Utc>,
    /// First moment behind it.
    pub to: DateTime<Utc>,
}

/// The first partition that is cut by another zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stray {
    /// The partition.
    pub partition: Name,
    /// The zone of those before it.
    pub zone: String,
}

/// A name that misleads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Misnamed {
    /// The partition.
    pub partition: Name,
    /// The month its name says, `2026-01`.
    pub says: String,
    /// The month it holds.
    pub holds: String,
}

/// An index of a partitioned table that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IncompleteIndex {
    /// The index.
    pub index: Name,
    /// Partitions that have no part of it.
    pub missing: Vec<Name>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SurveyedPartition {
    /// The partition.
    pub name: Name,
    /// Its bound as written in UTC and ISO, or DEFAULT.
    pub bound: String,
    /// The month it holds, `2026-01`; none where it holds no single month.
    pub month: Option<String>,
    /// First moment it holds; none without an end in time.
    pub from: Option<DateTime<Utc>>,
    /// First moment behind it; none without an end in time.
    pub to: Option<DateTime<Utc>>,
    /// Rows, an estimate by the counters and the last VACUUM or ANALYZE.
    pub rows: i64,
    /// Bytes of the table and its TOAST table.
    pub table_bytes: i64,
    /// Bytes of its indexes.
    pub index_bytes: i64,
    /// It is the DEFAULT partition.
    pub is_default: bool,
    /// It holds the moment of reading.
    pub is_current: bool,
    /// DETACH CONCURRENTLY was begun and not finished: its rows are hidden.
    pub is_detach_pending: bool,
    /// It is partitioned further.
    pub is_partitioned: bool,
}
