//! Checkpoints and the background writer since their counters' reset.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `pg_stat_bgwriter`, from 17 `pg_stat_checkpointer` too; one row. Columns of `sql/checkpoints*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// Checkpoints begun because their time had come. {checkpoints | checkpoints_timed, num_timed}
    pub timed: i64,
    /// Checkpoints begun because WAL was full or somebody asked. {checkpoints | checkpoints_req, num_requested}
    pub requested: i64,
    /// Checkpoints completed, from 18; before, skipped ones are in the others. {checkpoints | num_done}
    pub done: Option<i64>,
    /// Time writing files. {ms | checkpoint_write_time, write_time}
    pub write_time_ms: f64,
    /// Time synchronising files. {ms | checkpoint_sync_time, sync_time}
    pub sync_time_ms: f64,
    /// Buffers written by checkpoints. {blocks | buffers_checkpoint, buffers_written}
    pub buffers_written: i64,
    /// Buffers written by the background writer. {blocks | buffers_clean}
    pub buffers_cleaned: i64,
    /// Times the background writer stopped at bgwriter_lru_maxpages. {times | maxwritten_clean}
    pub cleaning_stops: i64,
    /// Buffers written by backends themselves, up to 16. {blocks | buffers_backend}
    pub buffers_by_backends: Option<i64>,
    /// Buffers allocated. {blocks | buffers_alloc}
    pub buffers_allocated: i64,
    /// When these counters were reset. {time | stats_reset}
    pub stats_reset: Option<DateTime<Utc>>,
}
