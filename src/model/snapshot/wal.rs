//! WAL and its archiver since their counters' reset.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `pg_stat_wal` (from 14) and `pg_stat_archiver`; one row. Columns of `sql/wal*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wal {
    /// Records written, from 14. {records | pg_stat_wal.wal_records}
    pub records: Option<i64>,
    /// Full-page images written, from 14. {images | pg_stat_wal.wal_fpi}
    pub full_page_images: Option<i64>,
    /// Bytes written, from 14. {bytes | pg_stat_wal.wal_bytes}
    pub bytes: Option<i64>,
    /// Times a backend wrote WAL because wal_buffers was full, from 14. {times | pg_stat_wal.wal_buffers_full}
    pub buffers_full: Option<i64>,
    /// When these counters were reset, from 14. {time | pg_stat_wal.stats_reset}
    pub stats_reset: Option<DateTime<Utc>>,
    /// Files archived. {files | pg_stat_archiver.archived_count}
    pub archived: i64,
    /// Failures of the archiver. {failures | pg_stat_archiver.failed_count}
    pub archive_failures: i64,
    /// Last file archived. {time | pg_stat_archiver.last_archived_time}
    pub last_archived: Option<DateTime<Utc>>,
    /// Last failure. {time | pg_stat_archiver.last_failed_time}
    pub last_archive_failure: Option<DateTime<Utc>>,
}
