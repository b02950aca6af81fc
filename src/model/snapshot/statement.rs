//! One statement of the workload: its counters, and what its text says.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How `pg_stat_statements` is set up, and what was taken from it. Columns of
/// `sql/statements_info*.sql`, and counts by the collector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementsInfo {
    /// The audited database. {text | pg_database.datname}
    pub database: String,
    /// Installed version of the extension. {text | pg_extension.extversion}
    pub extension_version: String,
    /// Schema it lives in. {text | pg_extension.extnamespace}
    pub schema: String,
    /// Entries it can hold. {entries | pg_stat_statements.max}
    pub max_entries: Option<i64>,
    /// `top`, `all` or `none`. {text | pg_stat_statements.track}
    pub track: Option<String>,
    /// Planning time is measured. {bool | pg_stat_statements.track_planning}
    pub tracks_planning: Option<bool>,
    /// Block read and write times are measured. {bool | track_io_timing}
    pub tracks_io_timing: bool,
    /// Times the least-executed entries were evicted, from 14. {times | pg_stat_statements_info.dealloc}
    pub evictions: Option<i64>,
    /// When all entries were last reset, from 14. {time | pg_stat_statements_info.stats_reset}
    pub stats_reset: Option<DateTime<Utc>>,
    /// Entries of all databases. {entries | pg_stat_statements}
    pub entries: i64,
    /// Entries of the audited database. {entries | pg_stat_statements}
    pub seen: i64,
    /// Entries whose text was not read, because none of their totals is among the largest. {entries | --top}
    pub below_top: i64,
    /// Entries whose text is hidden from the role. {entries | pg_stat_statements.query}
    pub hidden: i64,
    /// Entries whose text the parser refused. {entries | pg_query}
    pub unparsed: i64,
    /// Execution time of all statements of the audited database, our own left out. {ms | pg_stat_statements.total_exec_time}
    pub total_exec_time_ms: f64,
    /// Calls of all statements of the audited database. {calls | pg_stat_statements.calls}
    pub total_calls: i64,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// SELECT, also VALUES and TABLE.
    #[default]
    Select,
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
    /// MERGE
    Merge,
    /// Everything else: DDL, VACUUM, SET, BEGIN, COPY, EXPLAIN, …
    Utility,
}

/// A relation as a statement names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelationName {
    /// Schema, when the statement says it.
    pub schema: Option<String>,
    /// Name.
    pub name: String,
}

/// A column inside a function or cast, compared with a value: a plain index on it cannot serve that.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrappedColumn {
    /// Function, or the type of a cast.
    pub by: String,
    /// Column.
    pub column: String,
}

/// The counters of one entry. Columns of `sql/statements*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementCounters {
    /// Executions. {calls | pg_stat_statements.calls}
    pub calls: i64,
    /// Rows returned or affected. {tuples | pg_stat_statements.rows}
    pub rows: i64,
    /// Plannings; 0 unless track_planning. {plans | pg_stat_statements.plans}
    pub plans: i64,
    /// Time planning; 0 unless track_planning. {ms | pg_stat_statements.total_plan_time}
    pub total_plan_time_ms: f64,
    /// Time executing. {ms | pg_stat_statements.total_exec_time}
    pub total_exec_time_ms: f64,
    /// Shortest execution. {ms | pg_stat_statements.min_exec_time}
    pub min_exec_time_ms: f64,
    /// Longest execution. {ms | pg_stat_statements.max_exec_time}
    pub max_exec_time_ms: f64,
    /// Mean execution. {ms | pg_stat_statements.mean_exec_time}
    pub mean_exec_time_ms: f64,
    /// Standard deviation of executions. {ms | pg_stat_statements.stddev_exec_time}
    pub stddev_exec_time_ms: f64,
    /// Shared blocks found in shared buffers. {blocks | pg_stat_statements.shared_blks_hit}
    pub shared_blocks_hit: i64,
    /// Shared blocks read from the operating system. {blocks | pg_stat_statements.shared_blks_read}
    pub shared_blocks_read: i64,
    /// Shared blocks dirtied. {blocks | pg_stat_statements.shared_blks_dirtied}
    pub shared_blocks_dirtied: i64,
    /// Shared blocks written by the backend itself. {blocks | pg_stat_statements.shared_blks_written}
    pub shared_blocks_written: i64,
    /// Temporary blocks read. {blocks | pg_stat_statements.temp_blks_read}
    pub temp_blocks_read: i64,
    /// Temporary blocks written. {blocks | pg_stat_statements.temp_blks_written}
    pub temp_blocks_written: i64,
    /// Time reading blocks, 0 unless track_io_timing. {ms | pg_stat_statements.shared_blk_read_time, blk_read_time before 1.11}
    pub block_read_time_ms: f64,
    /// Time writing blocks, 0 unless track_io_timing. {ms | pg_stat_statements.shared_blk_write_time, blk_write_time before 1.11}
    pub block_write_time_ms: f64,
    /// WAL records written. {records | pg_stat_statements.wal_records}
    pub wal_records: i64,
    /// Full-page images written to WAL. {images | pg_stat_statements.wal_fpi}
    pub wal_full_page_images: i64,
    /// WAL written. {bytes | pg_stat_statements.wal_bytes}
    pub wal_bytes: i64,
    /// When this entry began to count, from extension 1.11. {time | pg_stat_statements.stats_since}
    pub stats_since: Option<DateTime<Utc>>,
}

impl StatementCounters {
    /// WAL written less its full-page images, each counted as one block though it may be compressed: then WAL does not
    /// depend on when checkpoints came. {bytes}
    #[must_use]
    pub fn wal_without_images(&self, block_bytes: i64) -> i64 {
        self.wal_bytes.saturating_sub(self.wal_full_page_images.saturating_mul(block_bytes)).max(0)
    }
}

/// A statement of the audited database: all entries with the same fingerprint, summed over roles,
/// nesting levels and query ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// Database. {text | pg_database.datname}
    pub database: String,
    /// Identity of the text across servers and majors. {text | pg_query fingerprint}
    pub fingerprint: String,
    /// Query ids that fell together, as this server numbers them. {texts | pg_stat_statements.queryid}
    pub queryids: Vec<String>,
    /// Roles that ran it. {texts | pg_stat_statements.userid}
    pub users: Vec<String>,
    /// Text with every literal replaced. {text | pg_stat_statements.query}
    pub text: String,
    /// select, insert, update, delete, merge or utility. {text | pg_query}
    pub kind: StatementKind,
    /// Relations it names. {objects | pg_query}
    pub relations: Vec<RelationName>,
    /// It selects `*`. {bool | pg_query}
    pub selects_star: bool,
    /// It skips rows with an OFFSET that is a parameter. {bool | pg_query}
    pub has_offset: bool,
    /// It limits its rows. {bool | pg_query}
    pub has_limit: bool,
    /// It reads one relation and compares columns with parameters by `=` only: those columns. {texts | pg_query}
    pub lookup_columns: Vec<String>,
    /// Functions and casts round a column that is compared with a value, as `lower(email)`. {texts | pg_query}
    #[serde(default)]
    pub wrapped_columns: Vec<WrappedColumn>,
    /// It inserts rows given as VALUES. {bool | pg_query}
    #[serde(default)]
    pub inserts_values: bool,
    /// Columns that an UPDATE sets. {texts | pg_query}
    #[serde(default)]
    pub set_columns: Vec<String>,
    /// The counters.
    #[serde(flatten)]
    pub counters: StatementCounters,
}
