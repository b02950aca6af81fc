//! Which plain tables would gain from monthly partitions: the one judgement, for `partition advise` and for
//! the rule `large_unpartitioned_table`.

use super::demand::{Demand, demands};
use super::obstacle::foreseen;
use crate::model::partition_advice::{
    Candidate, Effect, Growth, PARTITION_ADVICE_VERSION, PartitionAdvice, PassedOver, Retention, Share,
};
use crate::model::plan::{Name, PlanTarget};
use crate::model::snapshot::{Column, Relation, RelationKind, Snapshot, StatementKind, Tool};
use std::collections::{HashMap, HashSet};

/// Share of the time of a table's statements that must go by the key, where nothing is deleted by age: below,
/// more statements would look into every month than would leave months out.
const LEAST_SHARE: f64 = 0.5;

/// Calls by the key that are a workload, and no look by hand.
const LEAST_CALLS: i64 = 10;

/// Calls from which a DELETE is a job.
const LEAST_DELETES: i64 = 2;

/// Share of the rows that a DELETE took which ran once: as many are no mistake that was mended.
const LARGE_DELETE: f64 = 0.01;

/// Days in a month, on average.
const MONTH_DAYS: f64 = 30.44;

/// Growth is that of so many days, where the rows reach as far back.
const RECENT_DAYS: f64 = 3.0 * MONTH_DAYS;

/// The newest value of a number or a UUID that is a time is no older than so many days, as rows come and ANALYZE looks at them
/// from time to time, and not of tomorrow: numbers that are no times are hardly ever of just these days.
const FRESH_DAYS: f64 = 62.0;

/// As `pg_stats` columns have it, in [`Column::time_unit`].
const UUID_V7: &str = "uuid_v7";

/// Time below which rows tell no growth, in days.
const LEAST_SPAN: f64 = 7.0;

/// A table whose workload goes by the time of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Timely {
    /// The column.
    pub key: String,
    /// What it may count, or how it may tell the time, where its type does not say: a guess.
    pub unit: Option<String>,
    /// How its statements look for rows.
    pub workload: Share,
    /// Rows that are deleted by their age.
    pub retention: Option<Retention>,
}

/// Why a table is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    NoTimeColumn,
    NoStatements,
    KeyChanges,
    NotByTime,
}

impl Reason {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoTimeColumn => {
                ("no_time_column", "no column of a date or timestamp, or of what looks like one, that is always set")
            }
            Self::NoStatements => ("no_statements", "no statement on it was seen"),
            Self::KeyChanges => ("key_changes", "the time that its statements go by is one that they change"),
            Self::NotByTime => ("not_by_time", "its rows are neither looked for nor deleted by a time"),
        }
    }
}

/// The plain tables of the database whose workload goes by time, by name. What time a number or a UUID tells is a guess, on
/// which no table is called too large.
#[must_use]
pub fn timely(snapshot: &Snapshot) -> HashMap<(&str, &str), Timely> {
    let bench = Bench::of(snapshot);
    let plain = snapshot.relations.iter().filter(|row| is_plain(row));
    let judged = plain.filter_map(|row| Some(((row.schema.as_str(), row.name.as_str()), bench.judge(row).ok()?)));
    judged.filter(|(_, timely)| timely.unit.is_none()).collect()
}

/// Advice on the tables of at least so many bytes; `earlier` is a snapshot of the same database.
#[must_use]
pub fn partition_advice(
    snapshot: &Snapshot,
    earlier: Option<&Snapshot>,
    min_bytes: i64,
    tool: Tool,
) -> PartitionAdvice {
    let bench = Bench::of(snapshot);
    let (mut tables, mut passed_over) = (Vec::new(), Vec::new());
    let large = snapshot.relations.iter().filter(|row| is_plain(row) && bytes(row) >= min_bytes);
    for row in large {
        match bench.judge(row) {
            Ok(timely) => tables.push(bench.candidate(row, timely, earlier)),
            Err(reason) => {
                let (code, reason) = reason.words();
                passed_over.push(PassedOver {
                    table: name(row),
                    table_bytes: bytes(row),
                    code: code.to_owned(),
                    reason: reason.to_owned(),
                });
            }
        }
    }
    tables.sort_by(|a, b| b.table_bytes.cmp(&a.table_bytes).then_with(|| a.table.cmp(&b.table)));
    passed_over.sort_by(|a, b| b.table_bytes.cmp(&a.table_bytes).then_with(|| a.table.cmp(&b.table)));
    PartitionAdvice {
        partition_advice_version: PARTITION_ADVICE_VERSION,
        tool,
        captured_at: snapshot.captured_at,
        target: PlanTarget {
            name: snapshot.target.name.clone(),
            database: snapshot.target.database.clone(),
            system_identifier: snapshot.server.system_identifier.clone(),
            server_version_num: snapshot.server.version_num,
        },
        statements_since: snapshot.statements_info().and_then(|info| info.stats_reset),
        min_bytes,
        tables,
        passed_over,
    }
}

fn is_plain(row: &Relation) -> bool {
    row.kind == RelationKind::Table && !row.is_partition && !row.is_extension_member
}

fn name(row: &Relation) -> Name {
    Name::new(&row.schema, &row.name)
}

fn bytes(row: &Relation) -> i64 {
    row.bytes + row.toast_bytes
}

/// What is known of the tables of a snapshot.
struct Bench<'a> {
    snapshot: &'a Snapshot,
    demands: HashMap<Name, Vec<Demand<'a>>>,
    columns: HashMap<(&'a str, &'a str), Vec<&'a Column>>,
}

impl<'a> Bench<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut columns: HashMap<(&str, &str), Vec<&Column>> = HashMap::new();
        let ids = ids(snapshot);
        let is_id = |column: &Column| ids.contains(&(&column.schema, &column.relation, &column.name));
        for column in snapshot.columns.iter().filter(|column| tells_time(column) || may_tell(column, is_id(column))) {
            columns.entry((&column.schema, &column.relation)).or_default().push(column);
        }
        // What statements do is looked into only where a table could be cut.
        let demands = if columns.is_empty() { HashMap::new() } else { demands(snapshot) };
        Self { snapshot, demands, columns }
    }

    fn judge(&self, row: &Relation) -> Result<Timely, Reason> {
        let columns = self.columns.get(&(row.schema.as_str(), row.name.as_str())).ok_or(Reason::NoTimeColumn)?;
        let demands = self.demands.get(&name(row)).ok_or(Reason::NoStatements)?;
        let found = columns.iter().map(|column| weighed(column, demands)).filter(|one| is_enough(one, row));
        let (fixed, changing): (Vec<Timely>, Vec<Timely>) = found.partition(|one| !is_changed(&one.key, demands));
        // Of equals the first column.
        let best = fixed.into_iter().rev().max_by(|a, b| {
            let known = a.unit.is_none().cmp(&b.unit.is_none());
            let retained = a.retention.is_some().cmp(&b.retention.is_some());
            known.then(retained).then_with(|| a.workload.time_share.total_cmp(&b.workload.time_share))
        });
        best.ok_or(if changing.is_empty() { Reason::NotByTime } else { Reason::KeyChanges })
    }

    fn candidate(&self, row: &Relation, timely: Timely, earlier: Option<&Snapshot>) -> Candidate {
        let Timely { key, unit, workload, retention } = timely;
        let (own, place) = (name(row), (row.schema.as_str(), row.name.as_str()));
        let column = self.columns.get(&place).and_then(|all| all.iter().find(|column| column.name == key));
        let indexes =
            self.snapshot.indexes.iter().filter(|index| (index.schema.as_str(), index.table.as_str()) == place);
        let index_bytes = indexes.map(|index| index.bytes).sum::<i64>();
        let whole = bytes(row) + index_bytes;
        let ages = column.map_or(&[][..], |column| column.age_deciles_hours.as_slice());
        let growth = growth(ages, row.row_count(), whole);
        let demands = self.demands.get(&own).map_or(&[][..], Vec::as_slice);
        let partitions = months(ages);
        Candidate {
            obstacles: foreseen(self.snapshot, &own, &key, demands),
            key_type: column.map(|column| column.type_name.clone()).unwrap_or_default(),
            rows: row.row_count(),
            table_bytes: bytes(row),
            index_bytes,
            measured_growth: earlier.and_then(|earlier| measured(self.snapshot, earlier, row, whole)),
            effect: Effect {
                partitions,
                bytes_per_partition: growth.map(|growth| growth.bytes_per_month),
                pruned_time_share: workload.time_share,
                probing_calls_share: probing(&key, demands),
            },
            growth,
            workload,
            retention,
            table: own,
            key,
            key_unit: unit,
        }
    }
}

/// A date or timestamp that every row has: a row without one has no month.
fn tells_time(column: &Column) -> bool {
    let is_time = column.type_name == "date" || column.type_name.starts_with("timestamp");
    is_time && is_always_set(column)
}

fn is_always_set(column: &Column) -> bool {
    column.is_not_null || column.null_fraction == Some(0.0)
}

/// A number or a UUID whose histogram is one of times that are over, up to lately. Numbers that are unique by themselves
/// are ids, which count up through the seconds of our time too.
fn may_tell(column: &Column, is_id: bool) -> bool {
    let (Some(unit), [oldest, .., newest]) = (&column.time_unit, column.age_deciles_hours.as_slice()) else {
        return false;
    };
    let (oldest, newest) = (f64::from(*oldest) / 24.0, f64::from(*newest) / 24.0);
    let is_lately = (-1.0..=FRESH_DAYS).contains(&newest) && oldest - newest >= LEAST_SPAN;
    is_lately && is_always_set(column) && (unit == UUID_V7 || !is_id)
}

/// Columns that are unique by themselves.
fn ids(snapshot: &Snapshot) -> HashSet<(&str, &str, &str)> {
    let unique = snapshot.indexes.iter().filter(|index| index.is_unique);
    let one = unique.filter_map(|index| match index.key_columns.as_slice() {
        [column] => Some((index.schema.as_str(), index.table.as_str(), column.as_str())),
        _ => None,
    });
    one.collect()
}

/// Some statement sets the column of rows that are there: they would move from month to month.
fn is_changed(column: &str, demands: &[Demand<'_>]) -> bool {
    demands.iter().any(|demand| demand.sets.contains(column))
}

/// Statements that look for rows.
fn reading<'d, 'a>(demands: &'d [Demand<'a>]) -> impl Iterator<Item = &'d Demand<'a>> {
    demands.iter().filter(|demand| demand.statement.kind != StatementKind::Insert || !demand.is_target)
}

/// Share of the calls that do not name the key at all.
#[allow(clippy::cast_precision_loss, reason = "shares")]
fn probing(key: &str, demands: &[Demand<'_>]) -> f64 {
    let calls = |demand: &Demand<'_>| demand.statement.counters.calls;
    let all: i64 = reading(demands).map(calls).sum();
    let probing: i64 = reading(demands).filter(|demand| !demand.filtered.contains(key)).map(calls).sum();
    if all > 0 { probing as f64 / all as f64 } else { 0.0 }
}

/// By a key that only may be a time a statement goes when it compares it by a range: that a row is looked up by its UUID tells
/// nothing of times.
#[allow(clippy::cast_precision_loss, reason = "shares")]
fn weighed(column: &Column, demands: &[Demand<'_>]) -> Timely {
    let (unit, column) = (column.time_unit.clone(), column.name.as_str());
    let compares =
        |demand: &Demand<'_>| if unit.is_some() { &demand.ranged } else { &demand.filtered }.contains(column);
    let (mut workload, mut by_key_calls, mut time, mut by_key_time) = (Share::default(), 0, 0.0, 0.0);
    for demand in reading(demands) {
        let counters = &demand.statement.counters;
        workload.statements += 1;
        workload.calls += counters.calls;
        time += counters.total_exec_time_ms;
        if compares(demand) {
            workload.by_key += 1;
            by_key_calls += counters.calls;
            by_key_time += counters.total_exec_time_ms;
        }
    }
    workload.calls_share = if workload.calls > 0 { by_key_calls as f64 / workload.calls as f64 } else { 0.0 };
    workload.time_share = if time > 0.0 { by_key_time / time } else { 0.0 };
    Timely { key: column.to_owned(), unit, workload, retention: retention(column, demands) }
}

fn retention(column: &str, demands: &[Demand<'_>]) -> Option<Retention> {
    let deletes = demands.iter().filter(|demand| demand.aged.contains(column) && demand.statement.counters.rows > 0);
    deletes.map(|demand| demand.statement).fold(None, |found: Option<Retention>, statement| {
        let counters = &statement.counters;
        let mut sum =
            found.unwrap_or(Retention { statements: Vec::new(), calls: 0, rows: 0, total_ms: 0.0, wal_bytes: 0 });
        sum.statements.push(statement.fingerprint.clone());
        sum.calls += counters.calls;
        sum.rows += counters.rows;
        sum.total_ms += counters.total_exec_time_ms;
        sum.wal_bytes += counters.wal_bytes;
        Some(sum)
    })
}

/// The evidence is enough: rows leave by age, or most of the time goes into looking for rows by it.
#[allow(clippy::cast_precision_loss, reason = "shares")]
fn is_enough(timely: &Timely, row: &Relation) -> bool {
    let is_job = |found: &Retention| {
        found.calls >= LEAST_DELETES || found.rows as f64 >= LARGE_DELETE * row.row_count().max(1) as f64
    };
    let Share { calls, calls_share, time_share, .. } = timely.workload;
    let calls_by_key = calls_share * calls as f64;
    timely.retention.as_ref().is_some_and(is_job) || (time_share >= LEAST_SHARE && calls_by_key >= LEAST_CALLS as f64)
}

/// Share of the rows that are younger than so many hours, by a straight line between the tenths.
fn younger(ages: &[i32], hours: f64) -> f64 {
    let tenths = ages.len().saturating_sub(1).max(1);
    let mut share = 0.0;
    for pair in ages.windows(2) {
        let [older, newer] = [f64::from(pair[0]), f64::from(pair[1])];
        share += if newer >= hours {
            0.0
        } else if older <= hours {
            1.0
        } else {
            (hours - newer) / (older - newer)
        };
    }
    #[allow(clippy::cast_precision_loss, reason = "ten")]
    let tenths = tenths as f64;
    share / tenths
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an estimate")]
fn growth(ages: &[i32], rows: i64, bytes: i64) -> Option<Growth> {
    let oldest = f64::from(*ages.first()?) / 24.0;
    let days = RECENT_DAYS.min(oldest);
    if days < LEAST_SPAN {
        return None;
    }
    let per_month = (younger(ages, days * 24.0) - younger(ages, 0.0)) * MONTH_DAYS / days;
    Some(Growth {
        rows_per_month: (rows as f64 * per_month).round() as i64,
        bytes_per_month: (bytes as f64 * per_month).round() as i64,
        days,
    })
}

/// Months that the rows are of, up to now: a time far ahead is a mistake more often than a month.
#[allow(clippy::cast_possible_truncation, reason = "months")]
fn months(ages: &[i32]) -> Option<i64> {
    let (oldest, newest) = (f64::from(*ages.first()?), f64::from(*ages.last()?).max(0.0));
    Some(((oldest - newest).max(0.0) / 24.0 / MONTH_DAYS).ceil() as i64 + 1)
}

/// Growth between two snapshots of one database.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an estimate")]
fn measured(snapshot: &Snapshot, earlier: &Snapshot, row: &Relation, whole: i64) -> Option<Growth> {
    let is_own = |schema: &str, table: &str| schema == row.schema && table == row.name;
    let before = earlier.relations.iter().find(|old| is_own(&old.schema, &old.name))?;
    let indexes = earlier.indexes.iter().filter(|index| is_own(&index.schema, &index.table));
    let whole_before = bytes(before) + indexes.map(|index| index.bytes).sum::<i64>();
    let days = (snapshot.captured_at - earlier.captured_at).num_minutes() as f64 / 1440.0;
    let per_month = |now: i64, then: i64| ((now - then) as f64 * MONTH_DAYS / days).round() as i64;
    (days >= 1.0).then(|| Growth {
        rows_per_month: per_month(row.row_count(), before.row_count()),
        bytes_per_month: per_month(whole, whole_before),
        days,
    })
}

#[cfg(test)]
mod tests;
