//! Databases, with their cache hits and the age of what is not frozen.

use super::build;
use super::common::Since;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Database, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct DatabaseRow<'a> {
    #[serde(flatten)]
    database: &'a Database,
    /// Bytes of blocks asked for, found or read. {bytes | (blks_hit + blks_read) × block_size}
    bytes_touched: i64,
    /// Share of blocks found in shared buffers; none when none was asked for. {pct | blks_hit ÷ (blks_hit + blks_read)}
    cache_hit_pct: Option<f64>,
    /// Time its counters are known to cover. {days | pg_stat_database.stats_reset, pg_postmaster_start_time()}
    database_stats_age_days: f64,
    /// Age at which autovacuum freezes whatever the cost. {xids | autovacuum_freeze_max_age}
    freeze_max_age: i64,
    /// Tables of the audited database with the oldest transaction ids, oldest first, at most three. {objects | age(pg_class.relfrozenxid)}
    oldest_tables: Vec<String>,
}

fn oldest_tables(snapshot: &Snapshot) -> Vec<String> {
    let mut aged: Vec<(i64, String)> = snapshot
        .relations
        .iter()
        .filter_map(|row| Some((row.frozen_xid_age?, row)))
        .map(|(age, row)| (-age, Object::in_schema(ObjectKind::Table, &row.database, &row.schema, &row.name).path()))
        .collect();
    aged.sort();
    aged.into_iter().take(3).map(|(_, path)| path).collect()
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "block counts and an integer setting")]
pub(super) fn table(snapshot: &Snapshot) -> Table {
    let freeze_max_age = snapshot.setting("autovacuum_freeze_max_age").and_then(|setting| setting.number());
    let row = |database: &'_ Database| {
        let touched = database.blocks_hit + database.blocks_read;
        (touched, (touched > 0).then(|| 100.0 * database.blocks_hit as f64 / touched as f64))
    };
    build::table(
        "databases",
        snapshot.databases.iter().map(|database| {
            let (touched, cache_hit_pct) = row(database);
            let object = Object {
                database: Some(database.name.clone()),
                ..Object::global(ObjectKind::Database, &database.name)
            };
            let fact = DatabaseRow {
                database,
                bytes_touched: touched * snapshot.server.block_bytes,
                cache_hit_pct,
                database_stats_age_days: Since::new(database.stats_reset, snapshot).days(snapshot.captured_at),
                freeze_max_age: freeze_max_age.unwrap_or(200_000_000.0) as i64,
                oldest_tables: if database.is_current { oldest_tables(snapshot) } else { Vec::new() },
            };
            (object, fact)
        }),
    )
}
