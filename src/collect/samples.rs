//! Watches active sessions for some seconds: what they waited for, how often.

use super::Collector;
use super::gap::gap_of;
use crate::model::snapshot::{Facet, Gap, Observation, SessionSamples, Snapshot};
use crate::postgres::{Reader, pick};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Time between two looks.
const BETWEEN: Duration = Duration::from_millis(250);

/// A row of `session_samples.sql`.
#[derive(Deserialize)]
#[allow(dead_code, reason = "all columns of the query are read, so that a change of it is noticed")]
struct Seen {
    database: Option<String>,
    user: Option<String>,
    application: Option<String>,
    state: Option<String>,
    wait_event_type: Option<String>,
    wait_event: Option<String>,
    is_blocked: bool,
}

type Likeness = (Option<String>, Option<String>, Option<String>, Option<String>);

pub(super) async fn fill(collector: &Collector<'_>, reader: &Reader, time: Option<Duration>, snapshot: &mut Snapshot) {
    let Some(time) = time else {
        collector.gap(not_asked()).await;
        return;
    };
    collector.progress.started("session_samples");
    let Some(query) = pick("session_samples", collector.server.major(), 0) else { return };
    let began = Instant::now();
    let mut ticks = interval(BETWEEN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen: BTreeMap<Likeness, i64> = BTreeMap::new();
    let mut looks = 0;
    while began.elapsed() < time {
        ticks.tick().await;
        match reader.read::<Seen>(query.sql, &[]).await {
            Ok(rows) => {
                looks += 1;
                for row in rows {
                    *seen.entry((row.database, row.user, row.wait_event_type, row.wait_event)).or_default() += 1;
                }
            }
            Err(error) => {
                collector.gap(gap_of(Facet::SessionSamples, None, &error, &collector.server.role)).await;
                break;
            }
        }
    }
    snapshot.session_samples = Some(SessionSamples {
        looks,
        seconds: began.elapsed().as_secs_f64(),
        seen: seen
            .into_iter()
            .map(|((database, user, wait_event_type, wait_event), count)| Observation {
                database,
                user,
                wait_event_type,
                wait_event,
                count,
            })
            .collect(),
    });
    collector.progress.finished("session_samples");
}

fn not_asked() -> Gap {
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
