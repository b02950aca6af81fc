//! Watches sessions for some seconds: what they do and wait for, and what the databases' counters rise by.

use super::Collector;
use super::gap::gap_of;
use crate::model::snapshot::{DatabaseInterval, Facet, Gap, Observation, SessionGroup, SessionLook, SessionSamples};
use crate::postgres::{ReadError, Reader, pick};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Time between two looks,
const BETWEEN: Duration = Duration::from_millis(250);

/// unless they would be more than this.
const MOST_LOOKS: u32 = 2_400;

/// Time between two looks of a sample of this length.
pub(super) fn between(time: Duration) -> Duration {
    BETWEEN.max(time / MOST_LOOKS)
}

/// A row of `session_samples.sql`.
#[derive(Deserialize)]
struct Seen {
    database: Option<String>,
    user: Option<String>,
    state: Option<String>,
    wait_event_type: Option<String>,
    wait_event: Option<String>,
    sessions: i64,
    in_transaction: i64,
    transaction_seconds: f64,
    oldest_transaction_seconds: Option<f64>,
}

/// A row of `database_times*.sql`.
#[derive(Deserialize)]
struct Times {
    database: String,
    connection_limit: i64,
    read_at: DateTime<Utc>,
    transactions: i64,
    session_ms: Option<f64>,
    active_ms: Option<f64>,
    idle_in_transaction_ms: Option<f64>,
    sessions: Option<i64>,
}

type Likeness = (Option<String>, Option<String>, Option<String>, Option<String>);

/// The series as it grows.
#[derive(Default)]
struct Series {
    seen: BTreeMap<Likeness, i64>,
    looks: Vec<SessionLook>,
    missed: i64,
    error: Option<ReadError>,
}

impl Series {
    fn take(&mut self, at: Duration, answer: Result<Vec<Seen>, ReadError>) {
        match answer {
            Ok(rows) => self.add(at, rows),
            Err(error) => {
                self.missed += 1;
                self.error = Some(error);
            }
        }
    }

    fn add(&mut self, at: Duration, rows: Vec<Seen>) {
        let mut groups: BTreeMap<(Option<String>, Option<String>), SessionGroup> = BTreeMap::new();
        for row in rows {
            let key = (row.database.clone(), row.user.clone());
            let group = groups.entry(key).or_insert_with(|| SessionGroup {
                database: row.database.clone(),
                user: row.user.clone(),
                ..SessionGroup::default()
            });
            count(group, &row);
            if row.state.as_deref() == Some("active") {
                let likeness = (row.database, row.user, row.wait_event_type, row.wait_event);
                *self.seen.entry(likeness).or_default() += row.sessions;
            }
        }
        self.looks.push(SessionLook { at_seconds: at.as_secs_f64(), groups: groups.into_values().collect() });
    }
}

fn count(group: &mut SessionGroup, row: &Seen) {
    group.sessions += row.sessions;
    group.in_transaction += row.in_transaction;
    group.transaction_seconds += row.transaction_seconds;
    let oldest = group.oldest_transaction_seconds.into_iter().chain(row.oldest_transaction_seconds);
    group.oldest_transaction_seconds = oldest.max_by(f64::total_cmp);
    match row.state.as_deref() {
        Some("active") => {
            group.active += row.sessions;
            match row.wait_event_type.as_deref() {
                None => group.on_cpu += row.sessions,
                Some("Lock") => group.on_lock += row.sessions,
                Some("IO" | "LWLock" | "BufferPin") => group.on_io += row.sessions,
                Some(_) => {}
            }
        }
        Some("idle in transaction" | "idle in transaction (aborted)") => group.idle_in_transaction += row.sessions,
        _ => {}
    }
}

/// What was watched.
pub(super) struct Watched {
    pub(super) samples: SessionSamples,
    /// The databases one may connect to, each with its connection limit.
    pub(super) limits: Vec<(String, i64)>,
}

/// Watches for so long.
pub(super) async fn watch(collector: &Collector<'_>, reader: &Reader, time: Duration) -> Option<Watched> {
    collector.progress.started("session_samples");
    let query = pick("session_samples", collector.server.major(), 0)?;
    let before = times(collector, reader).await;
    let began = Instant::now();
    let mut ticks = interval(between(time));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut series = Series::default();
    while began.elapsed() < time {
        ticks.tick().await;
        let answer = reader.read::<Seen>(query.sql, &[]).await;
        series.take(began.elapsed(), answer);
    }
    let seconds = began.elapsed().as_secs_f64();
    let limits = before.iter().map(|row| (row.database.clone(), row.connection_limit)).collect();
    let databases = rises(before, times(collector, reader).await);
    if let Some(error) = &series.error {
        let gap = gap_of(Facet::SessionSamples, None, error, &collector.server.role);
        let is_partial = !series.looks.is_empty();
        collector.gap(Gap { partial: is_partial, is_failure: gap.is_failure && !is_partial, ..gap }).await;
    }
    let observation = |((database, user, wait_event_type, wait_event), count)| Observation {
        database,
        user,
        wait_event_type,
        wait_event,
        count,
    };
    collector.progress.finished("session_samples");
    let samples = SessionSamples {
        looks: i64::try_from(series.looks.len()).unwrap_or(i64::MAX),
        seconds,
        seen: series.seen.into_iter().map(observation).collect(),
        missed: series.missed,
        series: series.looks,
        databases,
    };
    Some(Watched { samples, limits })
}

/// Counters as they are; none where they cannot be read.
async fn times(collector: &Collector<'_>, reader: &Reader) -> Vec<Times> {
    match pick("database_times", collector.server.major(), 0) {
        Some(query) => reader.read(query.sql, &[]).await.unwrap_or_default(),
        None => Vec::new(),
    }
}

/// What counters rose by; those that fell were reset, and are left out.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of a sample")]
fn rises(before: Vec<Times>, after: Vec<Times>) -> Vec<DatabaseInterval> {
    let mut old: BTreeMap<String, Times> = before.into_iter().map(|row| (row.database.clone(), row)).collect();
    let rise = |new: Times| {
        let old = old.remove(&new.database).filter(|old| old.transactions <= new.transactions)?;
        let difference = |new: Option<f64>, old: Option<f64>| Some((new? - old?).max(0.0));
        Some(DatabaseInterval {
            seconds: (new.read_at - old.read_at).num_milliseconds() as f64 / 1000.0,
            transactions: new.transactions - old.transactions,
            session_ms: difference(new.session_ms, old.session_ms),
            active_ms: difference(new.active_ms, old.active_ms),
            idle_in_transaction_ms: difference(new.idle_in_transaction_ms, old.idle_in_transaction_ms),
            sessions: new.sessions.zip(old.sessions).map(|(new, old)| (new - old).max(0)),
            database: new.database,
        })
    };
    after.into_iter().filter_map(rise).collect()
}

pub(super) fn not_asked() -> Gap {
    Gap {
        facet: Facet::SessionSamples,
        database: None,
        partial: false,
        reason: "active sessions were not watched".to_owned(),
        sqlstate: None,
        remedy: "--sample 10s".to_owned(),
        is_failure: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sample_has_no_more_looks_than_can_be_kept() {
        assert_eq!(between(Duration::from_secs(10)), BETWEEN);
        assert_eq!(between(Duration::from_secs(600)), BETWEEN);
        assert_eq!(between(Duration::from_secs(86_400)), Duration::from_secs(36));
    }

    #[test]
    fn counters_that_fell_are_no_rise() {
        let at = |seconds: i64, transactions: i64, active_ms: f64| Times {
            database: "shop".to_owned(),
            connection_limit: -1,
            read_at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds),
            transactions,
            session_ms: None,
            active_ms: Some(active_ms),
            idle_in_transaction_ms: Some(0.0),
            sessions: Some(7),
        };
        let rose = rises(vec![at(0, 100, 500.0)], vec![at(10, 350, 3_000.0)]);
        assert_eq!((rose[0].seconds, rose[0].transactions, rose[0].active_ms), (10.0, 250, Some(2_500.0)));
        assert_eq!((rose[0].session_ms, rose[0].sessions), (None, Some(0)));
        assert!(rises(vec![at(0, 100, 500.0)], vec![at(10, 3, 10.0)]).is_empty(), "they were reset");
        assert!(rises(Vec::new(), vec![at(10, 3, 10.0)]).is_empty(), "there was nothing before");
    }

    #[test]
    fn sessions_are_counted_by_what_they_do() {
        let row = |state: Option<&str>, wait: Option<&str>, sessions: i64| Seen {
            database: Some("shop".to_owned()),
            user: Some("app".to_owned()),
            state: state.map(str::to_owned),
            wait_event_type: wait.map(str::to_owned),
            wait_event: None,
            sessions,
            in_transaction: sessions,
            transaction_seconds: 2.0,
            oldest_transaction_seconds: Some(sessions as f64),
        };
        let mut series = Series::default();
        let rows = vec![
            row(Some("active"), None, 1),
            row(Some("active"), Some("Lock"), 2),
            row(Some("active"), Some("IO"), 3),
            row(Some("active"), Some("Timeout"), 4),
            row(Some("idle in transaction (aborted)"), Some("Client"), 5),
            row(Some("idle"), Some("Client"), 6),
            row(None, None, 7),
        ];
        series.take(Duration::from_secs(1), Ok(rows));
        let group = &series.looks[0].groups[0];
        assert_eq!((group.sessions, group.active, group.idle_in_transaction), (28, 10, 5));
        assert_eq!((group.on_cpu, group.on_lock, group.on_io), (1, 2, 3));
        assert_eq!((group.transaction_seconds, group.oldest_transaction_seconds), (14.0, Some(7.0)));
        assert_eq!(series.seen.values().sum::<i64>(), 10, "waits are those of active sessions");
    }
}
