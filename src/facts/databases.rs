//! Databases, with their cache hits and the age of what is not frozen.

use super::build;
use super::common::Since;
use super::server::is_client;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Database, Session, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct DatabaseRow<'a> {
    #[serde(flatten)]
    database: &'a Database,
    /// It is one of the audited ones. {bool | --database}
    is_audited: bool,
    /// Client backends of this database now. {backends | pg_stat_activity.datname}
    connections: usize,
    /// Share of its connection limit in use; none without a limit. {pct | connections ÷ datconnlimit}
    limit_used_pct: Option<f64>,
    /// Share of transactions rolled back; none when there were none. {pct | xact_rollback ÷ (xact_commit + xact_rollback)}
    rollback_pct: Option<f64>,
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
pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    let freeze_max_age = snapshot.setting("autovacuum_freeze_max_age").and_then(|setting| setting.number());
    let row = |database: &Database| {
        let touched = database.blocks_hit + database.blocks_read;
        (touched, (touched > 0).then(|| 100.0 * database.blocks_hit as f64 / touched as f64))
    };
    build::table(
        "databases",
        snapshot.databases.iter().map(move |database| {
            let (touched, cache_hit_pct) = row(database);
            let object = Object {
                database: Some(database.name.clone()),
                ..Object::global(ObjectKind::Database, &database.name)
            };
            let is_own = |session: &&Session| is_client(session) && session.database.as_ref() == Some(&database.name);
            let connections = snapshot.sessions.iter().filter(is_own).count();
            let limit = database.connection_limit;
            let ended = database.commits + database.rollbacks;
            let fact = DatabaseRow {
                is_audited: database.is_current || snapshot.audited.contains(&database.name),
                connections,
                limit_used_pct: (limit > 0).then(|| 100.0 * connections as f64 / limit as f64),
                rollback_pct: (ended > 0).then(|| 100.0 * database.rollbacks as f64 / ended as f64),
                database,
                bytes_touched: touched.saturating_mul(snapshot.server.block_bytes),
                cache_hit_pct,
                database_stats_age_days: Since::new(database.stats_reset, snapshot).days(snapshot.captured_at),
                freeze_max_age: freeze_max_age.unwrap_or(200_000_000.0) as i64,
                oldest_tables: if database.is_current { oldest_tables(snapshot) } else { Vec::new() },
            };
            (object, fact)
        }),
    )
}
