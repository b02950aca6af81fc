//! Counters of a statement at two moments, and which statements of two snapshots are the same.

use crate::model::snapshot::{Snapshot, Statement, StatementCounters};
use std::collections::HashMap;

/// What was counted between two moments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    pub(super) counters: StatementCounters,
    /// The entry was reset or evicted in between: it counts from there.
    pub(super) is_anew: bool,
}

/// The counters went back, or their extremes moved the wrong way: shortest and longest call are of all calls.
fn is_anew(later: &StatementCounters, earlier: &StatementCounters) -> bool {
    let is_new_entry = later.stats_since.is_some() && later.stats_since != earlier.stats_since;
    // From 17 on the extremes may be reset by themselves.
    let lost_extremes = later.stats_since.is_none()
        && (later.max_exec_time_ms < earlier.max_exec_time_ms || later.min_exec_time_ms > earlier.min_exec_time_ms);
    is_new_entry
        || (lost_extremes && earlier.calls > 0)
        || later.calls < earlier.calls
        || later.rows < earlier.rows
        || later.total_exec_time_ms < earlier.total_exec_time_ms
        || later.shared_blocks_hit < earlier.shared_blocks_hit
        || later.wal_bytes < earlier.wal_bytes
}

/// What `later` has counted since `earlier`; all of it where it counts anew.
#[allow(clippy::cast_precision_loss, reason = "counts of calls")]
pub(super) fn counted(later: &StatementCounters, earlier: &StatementCounters) -> Counted {
    if is_anew(later, earlier) {
        return Counted { counters: later.clone(), is_anew: true };
    }
    let calls = later.calls - earlier.calls;
    let total = later.total_exec_time_ms - earlier.total_exec_time_ms;
    let mean = if calls > 0 { total / calls as f64 } else { 0.0 };
    // Second moments add up, so they can be taken apart.
    let moment = |counters: &StatementCounters| {
        counters.calls as f64 * (counters.stddev_exec_time_ms.powi(2) + counters.mean_exec_time_ms.powi(2))
    };
    let variance = if calls > 0 { (moment(later) - moment(earlier)) / calls as f64 - mean.powi(2) } else { 0.0 };
    let counters = StatementCounters {
        calls,
        rows: later.rows - earlier.rows,
        plans: later.plans - earlier.plans,
        total_plan_time_ms: later.total_plan_time_ms - earlier.total_plan_time_ms,
        total_exec_time_ms: total,
        // Of all calls: nobody counts them by windows.
        min_exec_time_ms: later.min_exec_time_ms,
        max_exec_time_ms: later.max_exec_time_ms,
        mean_exec_time_ms: mean,
        stddev_exec_time_ms: variance.max(0.0).sqrt(),
        shared_blocks_hit: later.shared_blocks_hit - earlier.shared_blocks_hit,
        shared_blocks_read: later.shared_blocks_read - earlier.shared_blocks_read,
        shared_blocks_dirtied: later.shared_blocks_dirtied - earlier.shared_blocks_dirtied,
        shared_blocks_written: later.shared_blocks_written - earlier.shared_blocks_written,
        temp_blocks_read: later.temp_blocks_read - earlier.temp_blocks_read,
        temp_blocks_written: later.temp_blocks_written - earlier.temp_blocks_written,
        block_read_time_ms: later.block_read_time_ms - earlier.block_read_time_ms,
        block_write_time_ms: later.block_write_time_ms - earlier.block_write_time_ms,
        wal_records: later.wal_records - earlier.wal_records,
        wal_full_page_images: later.wal_full_page_images - earlier.wal_full_page_images,
        wal_bytes: later.wal_bytes - earlier.wal_bytes,
        stats_since: later.stats_since,
    };
    Counted { counters, is_anew: false }
}

/// The statements of a snapshot, to be found by what those of another are called.
pub(super) struct Tally<'a> {
    by_fingerprint: HashMap<(&'a str, &'a str), &'a Statement>,
    by_queryid: HashMap<(&'a str, &'a str), &'a Statement>,
}

impl<'a> Tally<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let rows = &snapshot.statements;
        let ids = |row: &'a Statement| row.queryids.iter().map(move |id| ((row.database.as_str(), id.as_str()), row));
        Self {
            by_fingerprint: rows.iter().map(|row| ((row.database.as_str(), row.fingerprint.as_str()), row)).collect(),
            by_queryid: rows.iter().flat_map(ids).collect(),
        }
    }

    /// By fingerprint; else by query id, which another pgassay may have given another fingerprint. For snapshots
    /// of one server.
    pub(super) fn find(&self, statement: &Statement) -> Option<&'a Statement> {
        let database = statement.database.as_str();
        let same = self.by_fingerprint.get(&(database, statement.fingerprint.as_str())).copied();
        let by_id = || statement.queryids.iter().find_map(|id| self.by_queryid.get(&(database, id.as_str())).copied());
        same.or_else(by_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counters(calls: i64, mean: f64, deviation: f64) -> StatementCounters {
        #[allow(clippy::cast_precision_loss, reason = "small")]
        let total = calls as f64 * mean;
        StatementCounters {
            calls,
            total_exec_time_ms: total,
            mean_exec_time_ms: mean,
            stddev_exec_time_ms: deviation,
            min_exec_time_ms: 1.0,
            max_exec_time_ms: 9.0,
            ..StatementCounters::default()
        }
    }

    #[test]
    fn what_went_back_counts_anew() {
        let earlier = counters(100, 4.0, 1.0);
        let cases = [
            ("more calls", counters(150, 4.0, 1.0), false),
            ("fewer calls", counters(50, 4.0, 1.0), true),
            ("a shorter longest call", StatementCounters { max_exec_time_ms: 8.0, ..counters(150, 4.0, 1.0) }, true),
            ("a longer shortest call", StatementCounters { min_exec_time_ms: 2.0, ..counters(150, 4.0, 1.0) }, true),
        ];
        for (what, later, is_anew) in cases {
            let counted = counted(&later, &earlier);
            assert_eq!(
                (counted.is_anew, counted.counters.calls),
                (is_anew, if is_anew { later.calls } else { 50 }),
                "{what}"
            );
        }
    }

    proptest! {
        /// Two windows added up and taken apart again are what they were.
        #[test]
        fn windows_add_up(n in 1i64..10_000, m in 1i64..10_000, a in 0.1f64..100.0, b in 0.1f64..100.0, s in 0.0f64..50.0, t in 0.0f64..50.0) {
            let (first, second) = (counters(n, a, s), counters(m, b, t));
            #[allow(clippy::cast_precision_loss, reason = "small")]
            let (n, m) = (n as f64, m as f64);
            let mean = (n * a + m * b) / (n + m);
            let moment = (n * (s * s + a * a) + m * (t * t + b * b)) / (n + m);
            let both = StatementCounters {
                mean_exec_time_ms: mean,
                stddev_exec_time_ms: (moment - mean * mean).max(0.0).sqrt(),
                total_exec_time_ms: n * a + m * b,
                ..counters(first.calls + second.calls, mean, 0.0)
            };
            let counted = counted(&both, &first);
            prop_assert!(!counted.is_anew);
            prop_assert!((counted.counters.mean_exec_time_ms - b).abs() < 1e-6 * (1.0 + n / m) * 100.0);
            prop_assert!((counted.counters.stddev_exec_time_ms.powi(2) - t * t).abs() < 1e-6 * (1.0 + n / m) * 1e5);
        }
    }
}
