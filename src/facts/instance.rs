//! Facets of one row: checkpoints and WAL.

use super::build;
use super::common::Since;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Checkpoints, Snapshot, Wal};
use crate::model::table::Table;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct CheckpointRow<'a> {
    #[serde(flatten)]
    checkpoints: &'a Checkpoints,
    /// Checkpoints begun. {checkpoints | timed + requested}
    begun: i64,
    /// Share of them that were requested, not timed; none when there were none. {pct | requested ÷ begun}
    requested_pct: Option<f64>,
    /// Time these counters are known to cover. {hours | stats_reset, pg_postmaster_start_time()}
    covered_hours: f64,
}

#[derive(Serialize, JsonSchema)]
struct WalRow<'a> {
    #[serde(flatten)]
    wal: &'a Wal,
    /// Time the WAL counters are known to cover. {hours | pg_stat_wal.stats_reset, pg_postmaster_start_time()}
    covered_hours: f64,
    /// Share of WAL that is full-page images, by 8 KiB each; none before 14. {pct | wal_fpi × block_size ÷ wal_bytes}
    full_page_pct: Option<f64>,
    /// WAL is archived. {bool | archive_mode}
    is_archiving: bool,
    /// Time since the archiver last failed; none when never. {seconds | pg_stat_archiver.last_failed_time}
    seconds_since_archive_failure: Option<f64>,
    /// The archiver's last attempt failed. {bool | pg_stat_archiver.last_failed_time, last_archived_time}
    is_archiving_failing: bool,
    /// Time since the archiver last succeeded; none when never. {seconds | pg_stat_archiver.last_archived_time}
    seconds_since_archived: Option<f64>,
}

fn server() -> Object {
    Object::global(ObjectKind::Server, "server")
}

#[allow(clippy::cast_precision_loss, reason = "counts of checkpoints")]
pub(super) fn checkpoints(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "checkpoints",
        snapshot.checkpoints.iter().map(|checkpoints| {
            let begun = checkpoints.timed + checkpoints.requested;
            let row = CheckpointRow {
                checkpoints,
                begun,
                requested_pct: (begun > 0).then(|| 100.0 * checkpoints.requested as f64 / begun as f64),
                covered_hours: Since::new(checkpoints.stats_reset, snapshot).days(snapshot.captured_at) * 24.0,
            };
            (server(), row)
        }),
    )
}

#[allow(clippy::cast_precision_loss, reason = "bytes of WAL, and milliseconds")]
pub(super) fn wal(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "wal",
        snapshot.wal.iter().map(|wal| {
            let images = wal.full_page_images.map(|images| images.saturating_mul(snapshot.server.block_bytes) as f64);
            let share =
                images.zip(wal.bytes.filter(|bytes| *bytes > 0)).map(|(images, bytes)| 100.0 * images / bytes as f64);
            let ago = |at: DateTime<Utc>| (snapshot.captured_at - at).num_milliseconds() as f64 / 1000.0;
            let mode = snapshot.setting("archive_mode").map(|row| row.reset_value.as_deref().unwrap_or(&row.value));
            let row = WalRow {
                wal,
                covered_hours: Since::new(wal.stats_reset, snapshot).days(snapshot.captured_at) * 24.0,
                full_page_pct: share.map(|pct| pct.min(100.0)),
                is_archiving_failing: wal.last_archive_failure.is_some()
                    && wal.last_archive_failure > wal.last_archived,
                is_archiving: mode.is_some_and(|mode| mode != "off"),
                seconds_since_archive_failure: wal.last_archive_failure.map(ago),
                seconds_since_archived: wal.last_archived.map(ago),
            };
            (server(), row)
        }),
    )
}
