//! PgBouncers and their pools, with the verdict on each.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::saturation::{LimitUse, PoolLoad, PoolerLoad, Saturation};
use crate::model::snapshot::{Snapshot, Tool};
use crate::model::table::Table;
use crate::pool::{Evidence, Terms, assess};
use schemars::JsonSchema;
use serde::Serialize;

/// A pool over the sample.
#[derive(Serialize, JsonSchema)]
struct PoolRow {
    /// PgBouncer it belongs to. {text | --pgbouncer}
    pgbouncer: String,
    /// Database, as clients name it. {text | SHOW POOLS}
    database: String,
    /// User. {text | SHOW POOLS}
    user: String,
    /// `pool_too_small`, `limit_elsewhere`, `database_slow`, `transactions_held`, `paused`, `oversized`, `healthy`, `idle`, `not_judged`. {text | pgassay pool}
    verdict: &'static str,
    /// What the verdict rests on. {text | pgassay pool}
    verdict_reason: String,
    /// session, transaction or statement. {text | SHOW POOLS}
    pool_mode: Option<String>,
    /// Server connections it may have. {connections | SHOW DATABASES}
    pool_size: Option<i64>,
    /// Server connections it should have, where its size is the trouble. {connections | Erlang C with the correction of Allen and Cunneen}
    advised_size: Option<i64>,
    /// Lines of settings to change. {texts | pgassay pool}
    setting_lines: Vec<String>,
    /// Mean of the connections at work as a share of the size. {pct | SHOW POOLS sv_active ÷ pool_size}
    mean_used_pct: Option<f64>,
    /// Peak of them. {pct | SHOW POOLS sv_active ÷ pool_size}
    peak_used_pct: Option<f64>,
    /// Of PgBouncer's limits on the database and the user the one nearest to be reached; none without a limit. {text | max_db_connections, max_user_connections}
    nearest_limit: Option<String>,
    /// Most server connections under that limit at a look. {connections | SHOW POOLS}
    nearest_limit_peak: Option<i64>,
    /// That limit. {connections | SHOW DATABASES, SHOW CONFIG}
    nearest_limit_size: Option<i64>,
    /// Share of it in use at the peak. {pct | nearest_limit_peak ÷ nearest_limit_size}
    nearest_limit_used_pct: Option<f64>,
    /// Clients connected, mean. {clients | SHOW POOLS}
    clients: f64,
    /// Clients waiting for a connection, mean. {clients | SHOW POOLS cl_waiting}
    clients_waiting: f64,
    /// Mean wait for a connection; none where no transaction ended. {ms | SHOW STATS total_wait_time}
    mean_wait_ms: Option<f64>,
    /// Longest wait seen of the first in the queue. {ms | SHOW POOLS maxwait, maxwait_us}
    max_wait_ms: f64,
    /// Mean time a transaction holds a connection. {ms | SHOW STATS total_xact_time − total_wait_time}
    service_ms: Option<f64>,
    /// Transactions a second. {transactions | SHOW STATS total_xact_count}
    transactions_per_second: Option<f64>,
    /// Share of the connections' time that goes by idle in transaction. {pct | pg_stat_activity.state, else SHOW STATS}
    held_pct: Option<f64>,
    /// Looks taken. {looks | pgassay}
    looks: usize,
}

/// A PgBouncer over the sample.
#[derive(Serialize, JsonSchema)]
struct PoolerRow {
    /// Version. {text | SHOW VERSION}
    pgbouncer_version: Option<String>,
    /// Clients of all pools, peak. {clients | SHOW POOLS}
    clients_peak: i64,
    /// max_client_conn. {clients | SHOW CONFIG}
    client_limit: Option<i64>,
    /// Share of it in use at the peak. {pct | clients_peak ÷ client_limit}
    client_limit_used_pct: Option<f64>,
    /// Looks taken. {looks | pgassay}
    looks: usize,
}

/// What there is to say of the PgBouncers that were watched.
pub(super) fn seen(snapshot: &Snapshot) -> Saturation {
    let evidence = Evidence { server: Some(snapshot), poolers: &snapshot.pools, gaps: &[] };
    assess(evidence, &Terms::default(), Tool::default())
}

#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
fn pool_row(pooler: &PoolerLoad, pool: PoolLoad) -> (Object, PoolRow) {
    let name = format!("{}/{}/{}", pooler.name, pool.database, pool.user);
    let size = pool.pool_size.filter(|size| *size > 0);
    let used = |row: &LimitUse| 100.0 * row.peak as f64 / row.limit.max(1) as f64;
    let nearest = pool.limits.into_iter().max_by(|a, b| used(a).total_cmp(&used(b)));
    let row = PoolRow {
        pgbouncer: pooler.name.clone(),
        verdict: pool.judgement.verdict.name(),
        verdict_reason: pool.judgement.reason,
        pool_mode: pool.pool_mode,
        pool_size: pool.pool_size,
        advised_size: pool.sizing.filter(|_| !pool.settings.is_empty()).map(|sizing| sizing.servers),
        setting_lines: pool.settings.into_iter().map(|change| change.line).collect(),
        mean_used_pct: size.map(|size| 100.0 * pool.active.mean / size as f64),
        peak_used_pct: pool.used_pct,
        nearest_limit_peak: nearest.as_ref().map(|row| row.peak),
        nearest_limit_size: nearest.as_ref().map(|row| row.limit),
        nearest_limit_used_pct: nearest.as_ref().map(used),
        nearest_limit: nearest.map(|row| row.of),
        clients: pool.clients.mean,
        clients_waiting: pool.waiting.mean,
        mean_wait_ms: pool.flow.map(|flow| flow.wait_ms),
        max_wait_ms: pool.max_wait_ms,
        service_ms: pool.flow.map(|flow| flow.service_ms),
        transactions_per_second: pool.flow.map(|flow| flow.rate),
        held_pct: pool.held_share.map(|share| 100.0 * share),
        looks: pooler.looks,
        database: pool.database,
        user: pool.user,
    };
    (Object::global(ObjectKind::Pool, &name), row)
}

pub(super) fn pools(snapshot: &Snapshot) -> Table<'_> {
    let rows = seen(snapshot).poolers.into_iter().flat_map(|mut pooler| {
        let pools = std::mem::take(&mut pooler.pools);
        pools.into_iter().map(move |pool| pool_row(&pooler, pool))
    });
    build::table("pools", rows.collect::<Vec<_>>())
}

#[allow(clippy::cast_precision_loss, reason = "counts of clients")]
pub(super) fn poolers(snapshot: &Snapshot) -> Table<'_> {
    let rows = seen(snapshot).poolers.into_iter().map(|pooler| {
        let used = |limit: i64| 100.0 * pooler.clients.peak as f64 / limit as f64;
        let row = PoolerRow {
            clients_peak: pooler.clients.peak,
            client_limit: pooler.client_limit,
            client_limit_used_pct: pooler.client_limit.map(used),
            looks: pooler.looks,
            pgbouncer_version: pooler.version,
        };
        (Object::global(ObjectKind::Pool, &pooler.name), row)
    });
    build::table("poolers", rows.collect::<Vec<_>>())
}
