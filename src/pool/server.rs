//! The server's side: its sessions over the sample, its limits, and what it suffers from.

use super::Terms;
use super::limits::{peak_sessions, used};
use super::measure::spread;
use super::verdict::{NEAR_PCT, judgement};
use crate::model::saturation::{Blocker, DatabaseLoad, Judgement, Point, ServerLoad, Verdict, WaitShare};
use crate::model::snapshot::{DatabaseInterval, SessionGroup, SessionLook, SessionSamples, Snapshot};
use crate::model::units;
use std::collections::BTreeMap;

/// A share that makes most of it.
const MOST: f64 = 0.5;

/// Fewer sessions on average, at work or in open transactions, are no trouble whatever they do.
const LEAST_SESSIONS: f64 = 2.0;

pub(super) fn load(snapshot: &Snapshot, terms: &Terms) -> ServerLoad {
    let empty = SessionSamples::default();
    let samples = snapshot.session_samples.as_ref().unwrap_or(&empty);
    let sum = |look: &SessionLook, of: fn(&SessionGroup) -> i64| look.groups.iter().map(of).sum::<i64>();
    let of = |count: fn(&SessionGroup) -> i64| spread(samples.series.iter().map(|look| sum(look, count)));
    let groups = samples.series.iter().flat_map(|look| &look.groups);
    let oldest = groups.filter_map(|group| group.oldest_transaction_seconds).max_by(f64::total_cmp);
    let mut load = ServerLoad {
        judgement: Judgement::default(),
        usable_slots: snapshot.usable_connections(),
        sessions: of(|group| group.sessions),
        active: of(|group| group.active),
        idle_in_transaction: of(|group| group.idle_in_transaction),
        waiting_for_locks: of(|group| group.on_lock),
        oldest_transaction_seconds: oldest,
        waits: waits(samples),
        limits: used(snapshot),
        databases: databases(samples),
        blockers: blockers(snapshot),
        looks: samples.series.len(),
        missed: usize::try_from(samples.missed).unwrap_or(0),
        series: samples
            .series
            .iter()
            .map(|look| Point {
                at_seconds: look.at_seconds,
                active: sum(look, |group| group.active),
                waiting: sum(look, |group| group.on_lock),
            })
            .collect(),
    };
    load.judgement = judge(&load, snapshot, terms);
    load
}

#[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
fn judge(load: &ServerLoad, snapshot: &Snapshot, terms: &Terms) -> Judgement {
    if load.looks == 0 {
        return judgement(Verdict::NotJudged, "the server gave no look".to_owned(), "");
    }
    if let Some(near) = limit_near(load, snapshot) {
        return near;
    }
    if !snapshot.server.reads_all_stats {
        let remedy = "grant pg_monitor to the role";
        return judgement(Verdict::NotJudged, "the role does not see what other sessions do".to_owned(), remedy);
    }
    let (active, held) = (load.active.mean, load.idle_in_transaction.mean);
    if held >= LEAST_SESSIONS && held >= MOST * (active + held) {
        let oldest = load.oldest_transaction_seconds.map_or(0.0, |seconds| 1000.0 * seconds);
        let reason = format!(
            "{} sessions idle in transaction on average, {} active; the oldest transaction {} old",
            units::short(held),
            units::short(active),
            units::millis(oldest)
        );
        let remedy = "let the application end transactions before it waits for anything else";
        return judgement(Verdict::TransactionsHeld, reason, remedy);
    }
    if load.waiting_for_locks.mean >= LEAST_SESSIONS && load.waiting_for_locks.mean >= MOST * active {
        let behind = super::verdict::blocker(snapshot).unwrap_or_default();
        let reason = format!(
            "{} of {} active sessions wait for locks{behind}",
            units::short(load.waiting_for_locks.mean),
            units::short(active)
        );
        return judgement(Verdict::DatabaseSlow, reason, "shorten the transaction in front; pgassay audit names it");
    }
    let running = share(load, "CPU") * active;
    if let Some(cores) = terms.cores.filter(|cores| running >= 2.0 * f64::from(*cores)) {
        let reason = format!("{} sessions want the {cores} processors at once", units::short(running));
        return judgement(
            Verdict::DatabaseSlow,
            reason,
            "make the largest statements cheaper (pgassay audit), or let fewer run at once",
        );
    }
    let slots = load.usable_slots.map(|slots| format!(" of {slots} slots")).unwrap_or_default();
    let reason = format!(
        "{}{slots} in use at the peak, {} sessions active on average",
        load.sessions.peak,
        units::short(active)
    );
    judgement(if load.sessions.peak == 0 { Verdict::Idle } else { Verdict::Healthy }, reason, "")
}

/// The server, a role or a database is near its limit.
#[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
fn limit_near(load: &ServerLoad, snapshot: &Snapshot) -> Option<Judgement> {
    let pct = |peak: i64, limit: i64| 100.0 * peak as f64 / limit.max(1) as f64;
    let peak = peak_sessions(snapshot, |_| true);
    if let Some(slots) = load.usable_slots.filter(|slots| *slots > 0 && pct(peak, *slots) >= NEAR_PCT) {
        let reason = format!("{peak} of {slots} connection slots in use at the peak ({:.0} %)", pct(peak, slots));
        let remedy = "shrink the applications' pools, or put PgBouncer in transaction mode before the server";
        return Some(judgement(Verdict::ConnectionLimitNear, reason, remedy));
    }
    // A limit that lets in just a few is meant to be used up.
    let near = load.limits.iter().filter(|row| row.limit >= 5 && pct(row.peak, row.limit) >= NEAR_PCT);
    let worst = near.max_by(|a, b| pct(a.peak, a.limit).total_cmp(&pct(b.peak, b.limit)))?;
    let reason = format!("{} has {} of its {} sessions at the peak", worst.of, worst.peak, worst.limit);
    Some(judgement(
        Verdict::ConnectionLimitNear,
        reason,
        "raise its CONNECTION LIMIT, or shrink its applications' pools",
    ))
}

fn share(load: &ServerLoad, wait: &str) -> f64 {
    load.waits.iter().find(|row| row.wait == wait).map_or(0.0, |row| row.share)
}

#[allow(clippy::cast_precision_loss, reason = "counts of observations")]
fn waits(samples: &SessionSamples) -> Vec<WaitShare> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for seen in &samples.seen {
        *counts.entry(seen.wait_event_type.as_deref().unwrap_or("CPU")).or_default() += seen.count;
    }
    let all: i64 = counts.values().sum();
    let mut ranked: Vec<(i64, &str)> = counts.into_iter().map(|(wait, count)| (-count, wait)).collect();
    ranked.sort_unstable();
    let share =
        |(count, wait): (i64, &str)| WaitShare { wait: wait.to_owned(), share: -count as f64 / all.max(1) as f64 };
    ranked.into_iter().map(share).collect()
}

#[allow(clippy::cast_precision_loss, reason = "counters of some seconds")]
fn databases(samples: &SessionSamples) -> Vec<DatabaseLoad> {
    let with = samples.databases.iter().filter(|row| row.seconds > 0.0 && row.transactions > 0);
    let load = |row: &DatabaseInterval| {
        let mean = |millis: Option<f64>| millis.map(|millis| millis / 1000.0 / row.seconds);
        DatabaseLoad {
            database: row.database.clone(),
            transactions_per_second: row.transactions as f64 / row.seconds,
            mean_sessions: mean(row.session_ms),
            mean_active: mean(row.active_ms),
            mean_idle_in_transaction: mean(row.idle_in_transaction_ms),
        }
    };
    let mut loads: Vec<DatabaseLoad> = with.map(load).collect();
    loads.sort_by(|a, b| b.transactions_per_second.total_cmp(&a.transactions_per_second));
    loads
}

/// Who is at the root of queues for locks, those with most behind them first.
pub(super) fn blockers(snapshot: &Snapshot) -> Vec<Blocker> {
    let mut roots: BTreeMap<i32, Blocker> = BTreeMap::new();
    for lock in &snapshot.locks {
        let Some(pid) = lock.root_pid else { continue };
        let root = roots.entry(pid).or_insert_with(|| Blocker { pid, state: lock.root_state.clone(), waiting: 0 });
        root.waiting += 1;
    }
    let mut all: Vec<Blocker> = roots.into_values().collect();
    all.sort_by_key(|root| (std::cmp::Reverse(root.waiting), root.pid));
    all
}
