//! Whether the counters of one snapshot go on in a later one, or began anew in between.

use super::tally::{Tally, counted};
use crate::model::snapshot::Snapshot;
use chrono::{DateTime, Utc};

/// What became of the statements' counters between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Course {
    /// They went on: the later ones hold the earlier ones. What happened besides.
    On(Vec<String>),
    /// They began anew, for this reason.
    Anew(String),
}

/// Compares the moments from which two snapshots count. Refuses those in the wrong order.
pub(super) fn course(earlier: &Snapshot, later: &Snapshot) -> Result<Course, String> {
    if !is_one_cluster(earlier, later) {
        return Ok(Course::Anew("they are of different servers".to_owned()));
    }
    if !later.audited.iter().any(|name| earlier.audited.contains(name)) {
        return Ok(Course::Anew("they are of different databases".to_owned()));
    }
    if later.captured_at <= earlier.captured_at {
        return Err(format!(
            "the one of {} was not taken after the one of {}: name the earlier first",
            moment(later.captured_at),
            moment(earlier.captured_at)
        ));
    }
    let (before, now) = (reset(earlier), reset(later));
    let has_restarted = earlier.server.started_at != later.server.started_at;
    let mut remarks = Vec::new();
    match (before, now) {
        (Some(before), Some(now)) if before != now => return Ok(Course::Anew(since_reset(now, later, has_restarted))),
        (Some(_), Some(_)) => {}
        _ if most_went_back(earlier, later) => {
            return Ok(Course::Anew(
                "counters of statements went back in between: they were reset, or the server crashed".to_owned(),
            ));
        }
        _ => remarks.push(
            "PostgreSQL 13 does not record when statements were reset: that they were not is taken from their counters"
                .to_owned(),
        ),
    }
    if has_restarted {
        remarks.push(format!("the server was restarted at {}", moment(later.server.started_at)));
    }
    if earlier.server.is_standby != later.server.is_standby {
        remarks.push("the server was promoted in between".to_owned());
    }
    let evictions =
        |snapshot: &Snapshot| snapshot.statements_info.iter().filter_map(|info| info.evictions).max().unwrap_or(0);
    let evicted = evictions(later) - evictions(earlier);
    if evicted > 0 {
        remarks.push(format!("entries of pg_stat_statements were evicted {evicted} times: calls may be missing"));
    }
    Ok(Course::On(remarks))
}

/// A moment for people.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn since_reset(at: DateTime<Utc>, later: &Snapshot, has_restarted: bool) -> String {
    let how = if has_restarted {
        format!(
            "the later one is of a server that started at {} and did not take its counters along: a crash, or another node",
            moment(later.server.started_at)
        )
    } else {
        "pg_stat_statements was reset in between".to_owned()
    };
    format!("{how}; its counters begin at {}", moment(at))
}

/// When the statements' counters were reset; all databases share them.
fn reset(snapshot: &Snapshot) -> Option<DateTime<Utc>> {
    snapshot.statements_info.iter().find_map(|info| info.stats_reset)
}

/// By the system identifier; where the role may not ask, by address.
fn is_one_cluster(one: &Snapshot, other: &Snapshot) -> bool {
    match (&one.server.system_identifier, &other.server.system_identifier) {
        (Some(one), Some(other)) => one == other,
        _ => {
            one.server.started_at == other.server.started_at
                || (&one.target.host, one.target.port) == (&other.target.host, other.target.port)
        }
    }
}

/// Most statements of the earlier snapshot are gone, or count anew. A reset leaves none that goes on.
fn most_went_back(earlier: &Snapshot, later: &Snapshot) -> bool {
    let now = Tally::of(later);
    let goes_on = |row: &&crate::model::snapshot::Statement| {
        now.find(row).is_some_and(|found| !counted(&found.counters, &row.counters).is_anew)
    };
    let on = earlier.statements.iter().filter(goes_on).count();
    2 * on < earlier.statements.len()
}
