//! What active sessions waited for while they were watched, by class.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Observation, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, JsonSchema)]
struct WaitRow {
    /// Class of wait, `CPU` for none. {text | pg_stat_activity.wait_event_type}
    wait_class: String,
    /// Times an active session was seen in it. {observations | pg_stat_activity}
    seen: i64,
    /// Times an active session was seen at all. {observations | pg_stat_activity}
    seen_all: i64,
    /// Share of the observations. {pct | seen ÷ seen_all}
    share_pct: f64,
    /// Looks taken. {looks | --sample}
    looks: i64,
    /// Time watched. {seconds | --sample}
    watched_seconds: f64,
    /// Active sessions at a look, on average. {sessions | seen_all ÷ looks}
    active_sessions: f64,
    /// Most frequent events of the class, at most three. {texts | pg_stat_activity.wait_event}
    events: Vec<String>,
}

fn events(seen: &[&Observation]) -> Vec<String> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for observation in seen {
        *counts.entry(observation.wait_event.as_deref().unwrap_or("running")).or_default() += observation.count;
    }
    let mut ranked: Vec<(i64, &str)> = counts.into_iter().map(|(event, count)| (-count, event)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, event)| event.to_owned()).collect()
}

#[allow(clippy::cast_precision_loss, reason = "counts of observations")]
pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    let mut rows = Vec::new();
    if let Some(samples) = &snapshot.session_samples {
        let all: i64 = samples.seen.iter().map(|seen| seen.count).sum();
        let mut classes: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
        for seen in &samples.seen {
            classes.entry(seen.wait_event_type.as_deref().unwrap_or("CPU")).or_default().push(seen);
        }
        rows.extend(classes.into_iter().map(|(class, seen)| {
            let count: i64 = seen.iter().map(|seen| seen.count).sum();
            let row = WaitRow {
                wait_class: class.to_owned(),
                seen: count,
                seen_all: all,
                share_pct: 100.0 * count as f64 / all.max(1) as f64,
                looks: samples.looks,
                watched_seconds: samples.seconds,
                active_sessions: all as f64 / samples.looks.max(1) as f64,
                events: events(&seen),
            };
            (Object::global(ObjectKind::Server, &format!("waits of class {class}")), row)
        }));
    }
    build::table("session_samples", rows)
}
