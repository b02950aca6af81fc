//! I/O of one sort of process on one sort of object in one context.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_stat_io`, from 16. Columns of `sql/io.16.sql` and `io.18.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Io {
    /// `client backend`, `checkpointer`, … {text | pg_stat_io.backend_type}
    pub backend_type: String,
    /// `relation`, `temp relation` or `wal` (from 18). {text | pg_stat_io.object}
    pub object: String,
    /// `normal`, `vacuum`, `bulkread`, `bulkwrite` or `init`. {text | pg_stat_io.context}
    pub context: String,
    /// Reads. {operations | pg_stat_io.reads}
    pub reads: i64,
    /// Bytes read. {bytes | pg_stat_io.read_bytes, reads × op_bytes before 18}
    pub read_bytes: i64,
    /// Time reading, 0 unless track_io_timing. {ms | pg_stat_io.read_time}
    pub read_time_ms: f64,
    /// Writes. {operations | pg_stat_io.writes}
    pub writes: i64,
    /// Bytes written. {bytes | pg_stat_io.write_bytes, writes × op_bytes before 18}
    pub write_bytes: i64,
    /// Time writing, 0 unless track_io_timing. {ms | pg_stat_io.write_time}
    pub write_time_ms: f64,
    /// Extensions of relations. {operations | pg_stat_io.extends}
    pub extends: i64,
    /// Blocks found in shared or local buffers. {blocks | pg_stat_io.hits}
    pub hits: i64,
    /// Buffers evicted to make room. {blocks | pg_stat_io.evictions}
    pub evictions: i64,
    /// Calls of fsync. {operations | pg_stat_io.fsyncs}
    pub fsyncs: i64,
    /// Time in fsync, 0 unless track_io_timing. {ms | pg_stat_io.fsync_time}
    pub fsync_time_ms: f64,
}
