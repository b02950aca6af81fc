//! One database of the instance and its counters.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_database` with `pg_stat_database`. Columns of `sql/databases*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Name. {text | pg_database.datname}
    pub name: String,
    /// It is the audited one. {bool | current_database()}
    pub is_current: bool,
    /// Clones may be made of it. {bool | pg_database.datistemplate}
    pub is_template: bool,
    /// Sessions may connect. {bool | pg_database.datallowconn}
    pub allows_connections: bool,
    /// Connections allowed, -1 for no limit. {connections | pg_database.datconnlimit}
    pub connection_limit: i64,
    /// Character set encoding. {text | pg_encoding_to_char(pg_database.encoding)}
    pub encoding: String,
    /// Size on disk; none where the role may not see it. {bytes | pg_database_size()}
    pub bytes: Option<i64>,
    /// Backends connected now. {backends | pg_stat_database.numbackends}
    pub backends: i64,
    /// Transactions committed. {transactions | pg_stat_database.xact_commit}
    pub commits: i64,
    /// Transactions rolled back. {transactions | pg_stat_database.xact_rollback}
    pub rollbacks: i64,
    /// Blocks read from the operating system, perhaps from its cache. {blocks | pg_stat_database.blks_read}
    pub blocks_read: i64,
    /// Blocks found in shared buffers. {blocks | pg_stat_database.blks_hit}
    pub blocks_hit: i64,
    /// Temporary files written. {files | pg_stat_database.temp_files}
    pub temp_files: i64,
    /// Bytes written to temporary files. {bytes | pg_stat_database.temp_bytes}
    pub temp_bytes: i64,
    /// Deadlocks detected. {deadlocks | pg_stat_database.deadlocks}
    pub deadlocks: i64,
    /// Queries cancelled by recovery conflicts (standbys). {queries | pg_stat_database.conflicts}
    pub conflicts: i64,
    /// Time spent reading blocks, 0 unless track_io_timing. {ms | pg_stat_database.blk_read_time}
    pub block_read_time_ms: f64,
    /// Time spent writing blocks, 0 unless track_io_timing. {ms | pg_stat_database.blk_write_time}
    pub block_write_time_ms: f64,
    /// Time of sessions, from 14. {ms | pg_stat_database.session_time}
    pub session_time_ms: Option<f64>,
    /// Time of sessions executing, from 14. {ms | pg_stat_database.active_time}
    pub active_time_ms: Option<f64>,
    /// Time of sessions idle in transaction, from 14. {ms | pg_stat_database.idle_in_transaction_time}
    pub idle_in_transaction_time_ms: Option<f64>,
    /// Sessions established, from 14. {sessions | pg_stat_database.sessions}
    pub sessions: Option<i64>,
    /// Sessions lost by the client's death, from 14. {sessions | pg_stat_database.sessions_abandoned}
    pub sessions_abandoned: Option<i64>,
    /// Sessions ended by fatal errors, from 14. {sessions | pg_stat_database.sessions_fatal}
    pub sessions_fatal: Option<i64>,
    /// Sessions ended by an operator, from 14. {sessions | pg_stat_database.sessions_killed}
    pub sessions_killed: Option<i64>,
    /// When its statistics were last reset; none when never. {time | pg_stat_database.stats_reset}
    pub stats_reset: Option<DateTime<Utc>>,
    /// Age of the oldest unfrozen transaction id. {xids | age(pg_database.datfrozenxid)}
    pub frozen_xid_age: i64,
    /// Age of the oldest multixact id. {mxids | mxid_age(pg_database.datminmxid)}
    pub min_mxid_age: i64,
}
