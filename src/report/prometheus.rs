//! Pools and connections, and gauges of all sorts, in Prometheus' text exposition format, version 0.0.4.

use crate::model::saturation::{PoolLoad, PoolerLoad, Saturation};
use std::fmt::Write as _;
use std::io::{self, Write};

/// A sample: labels and value.
pub(super) type Sample = (Vec<(&'static str, String)>, f64);

/// Writes every figure as a gauge of its own.
#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
pub fn write_saturation_prometheus(seen: &Saturation, out: &mut dyn Write) -> io::Result<()> {
    let flag = f64::from(u8::from(seen.is_saturated()));
    gauge(out, "pgassay_saturated", "Clients wait, or a limit is near: 1", vec![(Vec::new(), flag)])?;
    gauge(out, "pgassay_sample_seconds", "Time that was watched", vec![(Vec::new(), seen.sample_seconds)])?;
    if let Some(server) = &seen.server {
        let one = |value: f64| vec![(Vec::new(), value)];
        let named = vec![(vec![("verdict", server.judgement.verdict.name().to_owned())], 1.0)];
        gauge(out, "pgassay_server_verdict", "What the server suffers from", named)?;
        gauge(out, "pgassay_server_sessions", "Sessions, mean", one(server.sessions.mean))?;
        gauge(out, "pgassay_server_sessions_peak", "Sessions, peak", one(server.sessions.peak as f64))?;
        gauge(out, "pgassay_server_active", "Sessions executing, mean", one(server.active.mean))?;
        let held = one(server.idle_in_transaction.mean);
        gauge(out, "pgassay_server_idle_in_transaction", "Sessions idle in transaction, mean", held)?;
        gauge(
            out,
            "pgassay_server_waiting_for_locks",
            "Sessions waiting for a lock, mean",
            one(server.waiting_for_locks.mean),
        )?;
        if let Some(slots) = server.usable_slots {
            gauge(out, "pgassay_server_slots", "Slots that ordinary roles can use", one(slots as f64))?;
        }
    }
    let poolers = |of: fn(&PoolerLoad) -> Option<f64>| -> Vec<Sample> {
        let sample = |row: &PoolerLoad| Some((vec![("pgbouncer", row.name.clone())], of(row)?));
        seen.poolers.iter().filter_map(sample).collect()
    };
    gauge(out, "pgassay_pgbouncer_clients_peak", "Clients, peak", poolers(|row| Some(row.clients.peak as f64)))?;
    gauge(
        out,
        "pgassay_pgbouncer_client_limit",
        "max_client_conn",
        poolers(|row| row.client_limit.map(|limit| limit as f64)),
    )?;
    pools(seen, out)
}

#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
fn pools(seen: &Saturation, out: &mut dyn Write) -> io::Result<()> {
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
    let all =
        || seen.poolers.iter().flat_map(|pooler| pooler.pools.iter().map(move |pool| (pooler.name.clone(), pool)));
    let labels = |name: String, pool: &PoolLoad| {
        vec![("pgbouncer", name), ("database", pool.database.clone()), ("user", pool.user.clone())]
    };
    let verdicts = all().map(|(name, pool)| {
        let mut labels = labels(name, pool);
        labels.push(("verdict", pool.judgement.verdict.name().to_owned()));
        (labels, 1.0)
    });
    gauge(out, "pgassay_pool_verdict", "What the pool suffers from", verdicts.collect())?;
    for (name, help, of) in columns {
        let samples = all().filter_map(|(pooler, pool)| Some((labels(pooler, pool), of(pool)?)));
        gauge(out, &format!("pgassay_pool_{name}"), help, samples.collect())?;
    }
    Ok(())
}

/// A metric with its samples; nothing where there are none.
pub(super) fn gauge(out: &mut dyn Write, name: &str, help: &str, samples: Vec<Sample>) -> io::Result<()> {
    if samples.is_empty() {
        return Ok(());
    }
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
    for (labels, value) in samples {
        let pairs: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", quoted(text))).collect();
        let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        writeln!(out, "{name}{labels} {value}")?;
    }
    Ok(())
}

/// A label's value: backslash, quote and line feed are escaped, other control characters shown as code points.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '"' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn labels_hold_any_name() {
        assert_eq!(quoted("a\"b\\c\nd\u{1b}"), "a\\\"b\\\\c\\nd\\\\u001b");
    }
}
