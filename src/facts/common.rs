//! Facts that hold for every row of every facet.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Facet, Replication, Snapshot};
use crate::model::table::Table;
use crate::model::units;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct Common {
    /// When the snapshot was taken, by the server's clock. {time | clock_timestamp()}
    captured_at: DateTime<Utc>,
    /// Server major version. {number | server_version_num}
    server_major: i32,
    /// The server is a standby. {bool | pg_is_in_recovery()}
    is_standby: bool,
    /// The role sees every session and every statement. {bool | pg_has_role(pg_read_all_stats)}
    role_sees_all: bool,
    /// Physical standbys are connected, or this is one: counters of index and table use are per node. {bool | pg_stat_replication, pg_is_in_recovery()}
    has_standbys: bool,
    /// The standbys' counters are part of this snapshot. {bool | collector}
    standbys_read: bool,
    /// Nodes known of: this server and its connected physical standbys. {nodes | pg_stat_replication}
    nodes: usize,
    /// Nodes whose counters are part of this snapshot. {nodes | collector}
    nodes_read: usize,
    /// Time that table, index and database counters are known to cover: since the recorded reset, else since the server's start. {days | pg_stat_database.stats_reset, pg_postmaster_start_time()}
    stats_age_days: f64,
    /// The same for people, with `at least` where no reset is recorded. {text | stats_age_days}
    stats_window: String,
    /// Time that statement counters are known to cover. {days | pg_stat_statements_info.stats_reset, pg_postmaster_start_time()}
    statements_age_days: f64,
    /// The same for people. {text | statements_age_days}
    statements_window: String,
    /// Entries of pg_stat_statements were evicted: totals are missing what was thrown out. {bool | pg_stat_statements_info.dealloc}
    statements_evicted: bool,
    /// Size of a block. {bytes | block_size}
    block_bytes: i64,
    /// Times of block reads are measured. {bool | track_io_timing}
    io_is_timed: bool,
    /// The role sees statistics of columns at all. {bool | pg_stats}
    column_statistics_readable: bool,
}

/// A moment from which counters are known to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The moment.
    pub from: DateTime<Utc>,
    /// The server recorded a reset then; else counters may go back further.
    pub is_reset: bool,
}

/// From when the statements' counters count; the tables' where no statements were read.
#[must_use]
pub fn counters_since(snapshot: &Snapshot) -> Since {
    if snapshot.statements_info.is_empty() { tables_since(snapshot) } else { statements_since(snapshot) }
}

impl Since {
    /// The recorded reset; else the server's start, or the reset of the instance's own counters where
    /// that is later: recovery from a crash clears all counters, and from 15 on records it there only.
    pub(super) fn new(reset: Option<DateTime<Utc>>, snapshot: &Snapshot) -> Self {
        let server = &snapshot.server;
        let least = server.counters_reset.map_or(server.started_at, |reset| reset.max(server.started_at));
        reset.map_or(Self { from: least, is_reset: false }, |from| Self { from, is_reset: true })
    }

    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a window are far below 2^53")]
    pub(super) fn days(&self, now: DateTime<Utc>) -> f64 {
        (now - self.from).num_milliseconds().max(0) as f64 / 86_400_000.0
    }

    fn words(&self, now: DateTime<Utc>) -> String {
        let length = units::millis(self.days(now) * 86_400_000.0);
        if self.is_reset { length } else { format!("at least {length}") }
    }
}

/// What counters of tables and indexes cover on every node that was read: the youngest decides.
pub(super) fn tables_since(snapshot: &Snapshot) -> Since {
    let own = Since::new(snapshot.current_database().and_then(|database| database.stats_reset), snapshot);
    let nodes = snapshot.nodes.iter().map(|node| match node.stats_reset {
        Some(from) => Since { from, is_reset: true },
        None => Since { from: node.started_at, is_reset: false },
    });
    nodes.chain([own]).max_by_key(|since| since.from).unwrap_or(own)
}

pub(super) fn statements_since(snapshot: &Snapshot) -> Since {
    Since::new(snapshot.statements_info().and_then(|info| info.stats_reset), snapshot)
}

/// The receiver is a copy of this server, not a logical subscriber, a backup under way or an archive
/// of WAL, which replays nothing. What the role may not see is taken to be a copy.
fn is_standby(receiver: &Replication, sees_all: bool) -> bool {
    let is_backup = receiver.state.as_deref() == Some("backup");
    !receiver.is_logical && !is_backup && (receiver.replay_lag_bytes.is_some() || !sees_all)
}

/// The facts common to all rows, as a table of one.
#[must_use]
pub fn common<'a>(snapshot: &Snapshot) -> Table<'a> {
    let now = snapshot.captured_at;
    let (tables, statements) = (tables_since(snapshot), statements_since(snapshot));
    let sees_all = snapshot.server.reads_all_stats;
    let standbys = snapshot.replication.iter().filter(|receiver| is_standby(receiver, sees_all)).count();
    let common = Common {
        captured_at: now,
        server_major: snapshot.server.major(),
        is_standby: snapshot.server.is_standby,
        role_sees_all: snapshot.server.reads_all_stats,
        has_standbys: standbys > 0 || snapshot.server.is_standby || !snapshot.nodes.is_empty(),
        standbys_read: !snapshot.nodes.is_empty(),
        nodes: (1 + standbys + usize::from(snapshot.server.is_standby)).max(1 + snapshot.nodes.len()),
        nodes_read: 1 + snapshot.nodes.len(),
        stats_age_days: tables.days(now),
        stats_window: tables.words(now),
        statements_age_days: statements.days(now),
        statements_window: statements.words(now),
        statements_evicted: snapshot.statements_info().is_some_and(|info| info.evictions.unwrap_or(0) > 0),
        block_bytes: snapshot.server.block_bytes,
        io_is_timed: snapshot.setting("track_io_timing").is_some_and(|setting| setting.is_on()),
        column_statistics_readable: snapshot.gap(Facet::Columns).is_none()
            && snapshot.columns.iter().any(|column| column.has_statistics),
    };
    build::table("common", [(Object::global(ObjectKind::Server, "server"), common)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Tool;
    use chrono::TimeDelta;

    #[test]
    fn without_a_recorded_reset_the_window_is_a_lower_bound() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let mut snapshot = Snapshot::empty(Tool::default(), now);
        snapshot.server.started_at = now - TimeDelta::days(3);
        assert_eq!(tables_since(&snapshot).words(now), "at least 3 days");
        assert_eq!(Since::new(Some(now - TimeDelta::days(41)), &snapshot).words(now), "41 days");
    }
}
