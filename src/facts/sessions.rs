//! Sessions, those alike taken together: a process id says nothing in the next report.

use super::build;
use super::server::is_client;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Session, Snapshot};
use crate::model::table::Table;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Client sessions of one role, application and database in one state.
#[derive(Serialize, JsonSchema)]
struct SessionRow {
    /// Sessions alike. {sessions | pg_stat_activity}
    session_count: usize,
    /// Their process ids, the one longest in its state first. {numbers | pg_stat_activity.pid}
    pids: Vec<i32>,
    /// Database. {text | pg_stat_activity.datname}
    database: Option<String>,
    /// Role. {text | pg_stat_activity.usename}
    user: Option<String>,
    /// Application. {text | pg_stat_activity.application_name}
    application: Option<String>,
    /// State of the longest; a failed transaction counts as idle in transaction. None where hidden from the role. {text | pg_stat_activity.state}
    state: Option<String>,
    /// Time the longest of them has been in that state. {seconds | pg_stat_activity.state_change}
    state_seconds: Option<f64>,
    /// Time of the longest open transaction among them. {seconds | pg_stat_activity.xact_start}
    transaction_seconds: Option<f64>,
    /// How far they hold back the xmin horizon. {xids | age(pg_stat_activity.backend_xmin)}
    xmin_age: Option<i64>,
    /// Current or last query of the longest, literals replaced. {text | pg_stat_activity.query}
    query: Option<String>,
}

type Likeness<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

#[allow(clippy::cast_precision_loss, reason = "milliseconds")]
fn seconds(now: DateTime<Utc>, since: Option<DateTime<Utc>>) -> Option<f64> {
    since.map(|since| (now - since).num_milliseconds().max(0) as f64 / 1000.0)
}

fn longest(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().max_by(f64::total_cmp)
}

fn row(now: DateTime<Utc>, mut group: Vec<&Session>) -> (Object, SessionRow) {
    group.sort_by_key(|session| (session.state_changed_at, session.pid));
    let first = group[0];
    let who = format!("{}@{}", first.user.as_deref().unwrap_or("?"), first.database.as_deref().unwrap_or("?"));
    let name = format!("{who} {}", first.application.as_deref().unwrap_or(""));
    let object = Object { database: first.database.clone(), ..Object::global(ObjectKind::Session, name.trim()) };
    let fact = SessionRow {
        session_count: group.len(),
        pids: group.iter().map(|session| session.pid).collect(),
        database: first.database.clone(),
        user: first.user.clone(),
        application: first.application.clone(),
        state: first.state.clone(),
        state_seconds: longest(group.iter().map(|session| seconds(now, session.state_changed_at))),
        transaction_seconds: longest(group.iter().map(|session| seconds(now, session.transaction_started_at))),
        xmin_age: group.iter().filter_map(|session| session.xmin_age).max(),
        query: first.query.clone(),
    };
    (object, fact)
}

pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    let mut groups: BTreeMap<Likeness<'_>, Vec<&Session>> = BTreeMap::new();
    for session in snapshot.sessions.iter().filter(|session| is_client(session)) {
        let likeness = (
            session.database.as_deref(),
            session.user.as_deref(),
            session.application.as_deref(),
            session.state.as_deref().map(|state| state.trim_end_matches(" (aborted)")),
        );
        groups.entry(likeness).or_default().push(session);
    }
    build::table("sessions", groups.into_values().map(|group| row(snapshot.captured_at, group)))
}
