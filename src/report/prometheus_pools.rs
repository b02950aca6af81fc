//! Pools and connections as metrics of Prometheus.

use super::prometheus::{Labels, Sample, metric};
use crate::model::saturation::{PoolLoad, PoolerLoad, Saturation};
use std::io::{self, Write};

/// Writes every figure as a gauge of its own.
#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
pub fn write_saturation_prometheus(seen: &Saturation, out: &mut dyn Write) -> io::Result<()> {
    let flag = f64::from(u8::from(seen.is_saturated()));
    metric(out, "pgassay_saturated", "Clients wait, or a limit is near: 1", vec![(Vec::new(), flag)])?;
    metric(out, "pgassay_sample_seconds", "Time that was watched", vec![(Vec::new(), seen.sample_seconds)])?;
    if let Some(server) = &seen.server {
        let one = |value: f64| vec![(Vec::new(), value)];
        let named = vec![(vec![("verdict", server.judgement.verdict.name().to_owned())], 1.0)];
        metric(out, "pgassay_server_verdict", "What the server suffers from", named)?;
        metric(out, "pgassay_server_sessions", "Sessions, mean", one(server.sessions.mean))?;
        metric(out, "pgassay_server_sessions_peak", "Sessions, peak", one(server.sessions.peak as f64))?;
        metric(out, "pgassay_server_active", "Sessions executing, mean", one(server.active.mean))?;
        let held = one(server.idle_in_transaction.mean);
        metric(out, "pgassay_server_idle_in_transaction", "Sessions idle in transaction, mean", held)?;
        metric(
            out,
            "pgassay_server_waiting_for_locks",
            "Sessions waiting for a lock, mean",
            one(server.waiting_for_locks.mean),
        )?;
        if let Some(slots) = server.usable_slots {
            metric(out, "pgassay_server_slots", "Slots that ordinary roles can use", one(slots as f64))?;
        }
    }
    poolers(&seen.poolers, &Vec::new(), out)
}

/// Consoles and their pools; every sample bears the labels of `base`, too.
#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
pub(super) fn poolers(poolers: &[PoolerLoad], base: &Labels, out: &mut dyn Write) -> io::Result<()> {
    let of = |of: fn(&PoolerLoad) -> Option<f64>| -> Vec<Sample> {
        let labels = |row: &PoolerLoad| [&base[..], &[("pgbouncer", row.name.clone())]].concat();
        poolers.iter().filter_map(|row| Some((labels(row), of(row)?))).collect()
    };
    metric(out, "pgassay_pgbouncer_clients_peak", "Clients, peak", of(|row| Some(row.clients.peak as f64)))?;
    metric(
        out,
        "pgassay_pgbouncer_client_limit",
        "max_client_conn",
        of(|row| row.client_limit.map(|limit| limit as f64)),
    )?;
    pools(poolers, base, out)
}

#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
fn pools(poolers: &[PoolerLoad], base: &Labels, out: &mut dyn Write) -> io::Result<()> {
    type Column = (&'static str, &'static str, fn(&PoolLoad) -> Option<f64>);
    let columns: [Column; 13] = [
        ("size", "Server connections that the pool may have", |pool| pool.pool_size.map(|size| size as f64)),
        ("size_enough", "Server connections with which the mean wait is within the target, an estimate", |pool| {
            pool.sizing.as_ref().map(|sizing| sizing.servers as f64)
        }),
        ("clients", "Clients, mean", |pool| Some(pool.clients.mean)),
        ("clients_waiting", "Clients waiting for a server connection, mean", |pool| Some(pool.waiting.mean)),
        ("clients_waiting_peak", "Clients waiting for a server connection, peak", |pool| {
            Some(pool.waiting.peak as f64)
        }),
        ("servers_active", "Server connections at work, mean", |pool| Some(pool.active.mean)),
        ("servers_active_peak", "Server connections at work, peak", |pool| Some(pool.active.peak as f64)),
        ("max_wait_seconds", "Longest wait seen of the first in the queue", |pool| Some(pool.max_wait_ms / 1000.0)),
        ("wait_seconds", "Mean wait for a server connection", |pool| pool.flow.map(|flow| flow.wait_ms / 1000.0)),
        ("service_seconds", "Mean time a transaction holds a server connection", |pool| {
            pool.flow.map(|flow| flow.service_ms / 1000.0)
        }),
        ("transactions_per_second", "Transactions a second", |pool| pool.flow.map(|flow| flow.rate)),
        ("transactions_wanted_per_second", "Transactions a second if nobody waited, an estimate", |pool| {
            pool.flow.map(|flow| flow.wanted_rate)
        }),
        ("offered_load", "Server connections that these would keep busy, an estimate", |pool| {
            pool.flow.map(|flow| flow.offered_load)
        }),
    ];
    let all = || poolers.iter().flat_map(|pooler| pooler.pools.iter().map(move |pool| (pooler.name.clone(), pool)));
    let labels = |name: String, pool: &PoolLoad| {
        let own = [("pgbouncer", name), ("database", pool.database.clone()), ("user", pool.user.clone())];
        [&base[..], &own].concat()
    };
    let verdicts = all().map(|(name, pool)| {
        let mut labels = labels(name, pool);
        labels.push(("verdict", pool.judgement.verdict.name().to_owned()));
        (labels, 1.0)
    });
    metric(out, "pgassay_pool_verdict", "What the pool suffers from", verdicts.collect())?;
    for (name, help, of) in columns {
        let samples = all().filter_map(|(pooler, pool)| Some((labels(pooler, pool), of(pool)?)));
        metric(out, &format!("pgassay_pool_{name}"), help, samples.collect())?;
    }
    Ok(())
}
