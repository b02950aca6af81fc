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
    let mut notes = Vec::new();
    match (before, now) {
        (Some(before), Some(now)) if before != now => return Ok(Course::Anew(since_reset(now, later, has_restarted))),
        (Some(_), Some(_)) => {}
        _ if went_back(earlier, later) => {
            return Ok(Course::Anew(
                "counters of statements went back in between: they were reset, or the server crashed".to_owned(),
            ));
        }
        _ => notes.push(
            "PostgreSQL 13 does not record when statements were reset: that they were not is taken from their counters"
                .to_owned(),
        ),
    }
    if has_restarted {
        notes.push(format!("the server was restarted at {}", moment(later.server.started_at)));
    }
    if earlier.server.is_standby != later.server.is_standby {
        notes.push("the server was promoted in between".to_owned());
    }
    let evictions =
        |snapshot: &Snapshot| snapshot.statements_info.iter().filter_map(|info| info.evictions).max().unwrap_or(0);
    let evicted = evictions(later) - evictions(earlier);
    if evicted > 0 {
        notes.push(format!("entries of pg_stat_statements were evicted {evicted} times: calls may be missing"));
    }
    Ok(Course::On(notes))
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

/// A reset leaves no statement that goes on, though one may have caught up by chance; without one all that are still
/// there go on, but for entries that were evicted and came back.
fn went_back(earlier: &Snapshot, later: &Snapshot) -> bool {
    let now = Tally::of(later);
    let kept = earlier.statements.iter().filter_map(|row| Some((row, now.find(row)?)));
    let (mut on, mut anew) = (0, 0);
    for (row, found) in kept {
        if counted(&found.counters, &row.counters).is_anew { anew += 1 } else { on += 1 }
    }
    // Nothing that is still there: nothing that goes on.
    4 * anew > on || (on == 0 && !earlier.statements.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Statement, StatementCounters, StatementsInfo, Tool};
    use chrono::TimeDelta;

    /// Minutes after some moment.
    fn minute(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
    }

    /// Taken at a minute, up and counting since others; one statement with so many calls.
    fn snapshot(at: i64, started: i64, reset: Option<i64>, calls: i64) -> Snapshot {
        let mut snapshot = Snapshot::empty(Tool::default(), minute(at));
        snapshot.audited = vec!["shop".to_owned()];
        snapshot.server.system_identifier = Some("7".to_owned());
        snapshot.server.started_at = minute(started);
        snapshot.statements_info = vec![StatementsInfo { stats_reset: reset.map(minute), ..StatementsInfo::default() }];
        let counters = StatementCounters { calls, max_exec_time_ms: 9.0, ..StatementCounters::default() };
        snapshot.statements = vec![Statement { fingerprint: "f".to_owned(), counters, ..Statement::default() }];
        snapshot
    }

    fn told(earlier: &Snapshot, later: &Snapshot) -> String {
        match course(earlier, later) {
            Ok(Course::On(notes)) => format!("on: {}", notes.join("; ")),
            Ok(Course::Anew(reason)) => format!("anew: {reason}"),
            Err(reason) => format!("refused: {reason}"),
        }
    }

    #[test]
    fn counters_go_on_or_begin_anew() {
        let base = snapshot(10, 0, Some(0), 100);
        let old = snapshot(10, 0, None, 100);
        let of = |change: fn(&mut Snapshot)| {
            let mut later = snapshot(20, 0, Some(0), 150);
            change(&mut later);
            later
        };
        for (what, earlier, later, expected) in [
            ("more calls", &base, snapshot(20, 0, Some(0), 150), "on: "),
            ("a clean restart", &base, snapshot(20, 15, Some(0), 150), "on: the server was restarted at"),
            ("a reset", &base, snapshot(20, 0, Some(15), 150), "anew: pg_stat_statements was reset in between; its"),
            ("a crash", &base, snapshot(20, 15, Some(15), 150), "anew: the later one is of a server that started at"),
            ("the same moment", &base, snapshot(10, 0, Some(0), 100), "refused: the one of"),
            ("13", &old, snapshot(20, 0, None, 150), "on: PostgreSQL 13 does not record"),
            ("13, reset", &old, snapshot(20, 0, None, 50), "anew: counters of statements went back"),
            ("13, restarted", &old, snapshot(20, 15, None, 150), "on: PostgreSQL 13 does not record when"),
            (
                "another server",
                &base,
                of(|one| one.server.system_identifier = Some("8".into())),
                "anew: they are of different servers",
            ),
            (
                "another database",
                &base,
                of(|one| one.audited = vec!["crm".into()]),
                "anew: they are of different databases",
            ),
            ("a promotion", &base, of(|one| one.server.is_standby = true), "on: the server was promoted"),
            (
                "evictions",
                &base,
                of(|one| one.statements_info[0].evictions = Some(3)),
                "on: entries of pg_stat_statements were evicted 3 times",
            ),
        ] {
            let told = told(earlier, &later);
            assert!(told.starts_with(expected), "{what}: {told}");
        }
    }
}
