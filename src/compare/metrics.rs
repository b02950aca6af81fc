//! What is followed over the runs of a history: a table for each kind of object, one line a metric.
#![allow(clippy::cast_precision_loss, reason = "counters are far below 2^53")]

use crate::model::history::Tally;
use crate::model::snapshot::{Database, Relation, Snapshot, StatementCounters};
use crate::model::trend::Worse;

/// Statements, tables and databases that did less in a window say nothing by their shares: blocks, updates and
/// transactions.
const LEAST: f64 = 100.0;

/// A value of a row at a run.
type At<R> = fn(&R) -> Option<f64>;

/// A value of a row between two runs.
type Between<R> = fn(&Window<'_, R>) -> Option<f64>;

/// One metric, and how its value is found; none where the row does not tell.
#[derive(Debug)]
pub(super) struct Metric<F> {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) worse: Worse,
    /// A change of less is none, in the unit: what noise does to an idle server.
    pub(super) floor: f64,
    pub(super) of: F,
}

/// A sum that stays a number, whatever a damaged snapshot says.
fn sum<const N: usize>(parts: [i64; N]) -> i64 {
    parts.into_iter().fold(0, i64::saturating_add)
}

/// One row at two moments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a, R> {
    pub(super) before: &'a R,
    pub(super) after: &'a R,
    pub(super) seconds: f64,
    /// Size of a block of the server.
    pub(super) block_bytes: i64,
}

impl<R> Window<'_, R> {
    /// What a counter rose by; none where it fell, as it was reset in between.
    fn rise(&self, of: impl Fn(&R) -> i64) -> Option<f64> {
        let (before, after) = (of(self.before), of(self.after));
        (after >= before).then(|| after.saturating_sub(before) as f64)
    }

    fn rate(&self, of: impl Fn(&R) -> i64) -> Option<f64> {
        Some(self.rise(of)? / self.seconds)
    }

    /// The share of one counter in both, in percent.
    fn share(&self, part: impl Fn(&R) -> i64, rest: impl Fn(&R) -> i64) -> Option<f64> {
        let (part, rest) = (self.rise(part)?, self.rise(rest)?);
        (part + rest >= LEAST).then(|| 100.0 * part / (part + rest))
    }
}

impl Window<'_, StatementCounters> {
    /// Calls in the window.
    pub(super) fn calls(&self) -> Option<f64> {
        self.rise(|row| row.calls)
    }

    fn per_call(&self, of: impl Fn(&StatementCounters) -> i64) -> Option<f64> {
        Some(self.rise(of)? / self.calls().filter(|calls| *calls > 0.0)?)
    }

    fn ms(&self) -> f64 {
        self.after.total_exec_time_ms - self.before.total_exec_time_ms
    }
}

/// A table with its partitions and indexes.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole {
    pub(super) counters: Relation,
    pub(super) index_bytes: i64,
}

/// Of statements.
pub(super) const STATEMENT: &[Metric<Between<StatementCounters>>] = &[
    Metric {
        name: "ms_per_call",
        unit: "ms",
        worse: Worse::Up,
        floor: 0.1,
        of: |window| Some(window.ms() / window.calls().filter(|calls| *calls > 0.0)?),
    },
    Metric {
        name: "blocks_per_call",
        unit: "blocks",
        worse: Worse::Up,
        floor: 10.0,
        of: |window| window.per_call(|row| sum([row.shared_blocks_hit, row.shared_blocks_read])),
    },
    Metric {
        name: "temp_blocks_per_call",
        unit: "blocks",
        worse: Worse::Up,
        floor: 1.0,
        of: |window| window.per_call(|row| sum([row.temp_blocks_read, row.temp_blocks_written])),
    },
    Metric {
        name: "wal_bytes_per_call",
        unit: "bytes",
        worse: Worse::Up,
        floor: 40.0,
        of: |window| window.per_call(|row| row.wal_without_images(window.block_bytes)),
    },
    Metric {
        name: "rows_per_call",
        unit: "tuples",
        worse: Worse::Neither,
        floor: 1.0,
        of: |window| window.per_call(|row| row.rows),
    },
    Metric {
        name: "calls_per_second",
        unit: "calls/s",
        worse: Worse::Neither,
        floor: 0.01,
        of: |window| Some(window.calls()? / window.seconds),
    },
    Metric {
        name: "ms_per_second",
        unit: "ms/s",
        worse: Worse::Neither,
        floor: 1.0,
        of: |window| window.calls().map(|_| window.ms() / window.seconds),
    },
];

/// Of tables, by what they are at a run.
pub(super) const TABLE_STATE: &[Metric<At<Whole>>] = &[
    Metric {
        name: "bytes",
        unit: "bytes",
        worse: Worse::Neither,
        floor: 1_048_576.0,
        of: |whole| Some(sum([whole.counters.bytes, whole.counters.toast_bytes, whole.index_bytes]) as f64),
    },
    Metric {
        name: "dead_pct",
        unit: "%",
        worse: Worse::Up,
        floor: 5.0,
        of: |whole| {
            let (live, dead) = (whole.counters.live_tuples as f64, whole.counters.dead_tuples as f64);
            (live + dead >= 10_000.0).then(|| 100.0 * dead / (live + dead))
        },
    },
];

/// Of tables, by what was done between two runs.
pub(super) const TABLE: &[Metric<Between<Relation>>] = &[
    Metric {
        name: "seq_tuples_per_second",
        unit: "tuples/s",
        worse: Worse::Neither,
        floor: 1_000.0,
        of: |window| window.rate(|row| row.seq_tuples_read),
    },
    Metric {
        name: "writes_per_second",
        unit: "tuples/s",
        worse: Worse::Neither,
        floor: 0.1,
        of: |window| window.rate(|row| sum([row.inserted, row.updated, row.deleted])),
    },
    Metric {
        name: "hot_pct",
        unit: "%",
        worse: Worse::Down,
        floor: 5.0,
        of: |window| window.share(|row| row.hot_updated, |row| row.updated.saturating_sub(row.hot_updated)),
    },
    Metric {
        name: "cache_hit_pct",
        unit: "%",
        worse: Worse::Down,
        floor: 1.0,
        of: |window| window.share(|row| row.heap_blocks_hit, |row| row.heap_blocks_read),
    },
];

/// Of databases, by what they are at a run.
pub(super) const DATABASE_STATE: &[Metric<At<Database>>] = &[Metric {
    name: "bytes",
    unit: "bytes",
    worse: Worse::Neither,
    floor: 1_048_576.0,
    of: |row| row.bytes.map(|bytes| bytes as f64),
}];

/// Of databases, by what was done between two runs.
pub(super) const DATABASE: &[Metric<Between<Database>>] = &[
    Metric {
        name: "transactions_per_second",
        unit: "transactions/s",
        worse: Worse::Neither,
        floor: 0.1,
        of: |window| window.rate(|row| sum([row.commits, row.rollbacks])),
    },
    Metric {
        name: "rollback_pct",
        unit: "%",
        worse: Worse::Up,
        floor: 1.0,
        of: |window| window.share(|row| row.rollbacks, |row| row.commits),
    },
    Metric {
        name: "cache_hit_pct",
        unit: "%",
        worse: Worse::Down,
        floor: 1.0,
        of: |window| window.share(|row| row.blocks_hit, |row| row.blocks_read),
    },
    Metric {
        name: "temp_bytes_per_transaction",
        unit: "bytes",
        worse: Worse::Up,
        floor: 1_024.0,
        of: |window| {
            let transactions = window.rise(|row| sum([row.commits, row.rollbacks])).filter(|count| *count >= LEAST)?;
            Some(window.rise(|row| row.temp_bytes)? / transactions)
        },
    },
    Metric {
        name: "deadlocks_per_day",
        unit: "deadlocks/day",
        worse: Worse::Up,
        floor: 1.0,
        of: |window| Some(86_400.0 * window.rate(|row| row.deadlocks)?),
    },
];

/// Of the server, by what it is at a run.
pub(super) const SERVER_STATE: &[Metric<At<Snapshot>>] = &[Metric {
    name: "connections_pct",
    unit: "%",
    worse: Worse::Up,
    floor: 5.0,
    of: |snapshot| {
        let slots = snapshot.usable_connections().filter(|slots| *slots > 0)?;
        let backends: f64 = snapshot.databases.iter().map(|row| row.backends as f64).sum();
        Some(100.0 * backends / slots as f64)
    },
}];

/// Of the server, by what was done between two runs.
pub(super) const SERVER: &[Metric<Between<Snapshot>>] = &[Metric {
    name: "wal_bytes_per_second",
    unit: "bytes/s",
    worse: Worse::Neither,
    floor: 10_240.0,
    of: |window| {
        let (before, after) = (window.before.wal.as_ref()?, window.after.wal.as_ref()?);
        let (before, now) = (before.bytes.filter(|_| before.stats_reset == after.stats_reset)?, after.bytes?);
        (now >= before).then(|| now.saturating_sub(before) as f64 / window.seconds)
    },
}];

/// Of what the audits of the server found.
pub(super) const FINDINGS: &[Metric<At<Tally>>] = &[
    Metric {
        name: "critical_findings",
        unit: "findings",
        worse: Worse::Up,
        floor: 1.0,
        of: |tally| Some(tally.critical as f64),
    },
    Metric {
        name: "warning_findings",
        unit: "findings",
        worse: Worse::Up,
        floor: 1.0,
        of: |tally| Some(tally.warning as f64),
    },
];

/// The names of all metrics, for messages.
pub fn metric_names() -> Vec<&'static str> {
    fn names<T>(metrics: &[Metric<T>]) -> impl Iterator<Item = &'static str> {
        metrics.iter().map(|metric| metric.name)
    }
    let states = names(TABLE_STATE).chain(names(DATABASE_STATE)).chain(names(SERVER_STATE)).chain(names(FINDINGS));
    let rates = names(STATEMENT).chain(names(TABLE)).chain(names(DATABASE)).chain(names(SERVER));
    let mut all: Vec<&str> = states.chain(rates).collect();
    all.sort_unstable();
    all.dedup();
    all
}
