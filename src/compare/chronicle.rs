//! The runs of one target, one after the other: of each metric the values that they give, at a run or between two.
//! Keeps no more than the last snapshot and the values.

use super::metrics::{
    DATABASE, DATABASE_STATE, FINDINGS, Metric, SERVER, SERVER_STATE, STATEMENT, TABLE, TABLE_STATE, Whole, Window,
};
use super::tally::counted;
use crate::model::history::Tally;
use crate::model::snapshot::{Database, Facet, Relation, RelationKind, Snapshot, Statement, StatementKind};
use crate::model::trend::{Dropped, Kind, Point, Span, Worse};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a metric is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) database: Option<String>,
    pub(super) object: String,
}

/// The values of one metric.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) unit: &'static str,
    pub(super) worse: Worse,
    pub(super) floor: f64,
    pub(super) points: Vec<Point>,
}

/// All that is known of a subject.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// Heavier subjects are looked at first: statements by their time, tables and databases by their size.
    pub(super) weight: f64,
    pub(super) text: Option<String>,
    pub(super) lines: BTreeMap<&'static str, Line>,
}

/// Runs of one target, the oldest first.
#[derive(Debug, Default)]
pub struct Chronicle {
    pub(super) runs: usize,
    pub(super) span: Option<Span>,
    pub(super) windows: Vec<Span>,
    pub(super) dropped: Vec<Dropped>,
    pub(super) evictions: i64,
    pub(super) stories: BTreeMap<Subject, Story>,
    min_calls: f64,
    last: Option<Snapshot>,
}

impl Chronicle {
    /// An empty one; windows in which a statement was called less than `min_calls` times give no value of it.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    pub fn new(min_calls: i64) -> Self {
        Self { min_calls: min_calls as f64, ..Self::default() }
    }

    /// Takes a later run, and what was found in it.
    pub fn add(&mut self, snapshot: Snapshot, findings: Option<Tally>) {
        let at = snapshot.captured_at;
        self.runs += 1;
        self.span = Some(Span { from: self.span.map_or(at, |span| span.from), to: at });
        self.states(&snapshot, findings);
        if let Some(before) = self.last.take() {
            match broken(&before, &snapshot) {
                Some(reason) => self.dropped.push(Dropped { to: at, reason }),
                None => self.window(&before, &snapshot),
            }
        }
        self.last = Some(snapshot);
    }

    /// What can be told of one moment.
    #[allow(clippy::cast_precision_loss, reason = "sizes")]
    fn states(&mut self, snapshot: &Snapshot, findings: Option<Tally>) {
        let at = snapshot.captured_at;
        for (subject, whole) in tables(snapshot) {
            let story = self.stories.entry(subject).or_default();
            story.weight = whole.counters.bytes as f64 + whole.index_bytes as f64;
            story.note(at, TABLE_STATE, |of| of(&whole));
        }
        for row in audited(snapshot) {
            let story = self.stories.entry(of_database(row)).or_default();
            story.weight = row.bytes.unwrap_or(0) as f64;
            story.note(at, DATABASE_STATE, |of| of(row));
        }
        let server = self.stories.entry(of_server()).or_default();
        if snapshot.gap(Facet::Databases).is_none() {
            server.note(at, SERVER_STATE, |of| of(snapshot));
        }
        if let Some(tally) = findings {
            server.note(at, FINDINGS, |of| of(&tally));
        }
    }

    /// What was done between two moments.
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a window")]
    fn window(&mut self, before: &Snapshot, after: &Snapshot) {
        let (from, at) = (before.captured_at, after.captured_at);
        let seconds = (at - from).num_milliseconds() as f64 / 1000.0;
        self.windows.push(Span { from, to: at });
        let block_bytes = after.server.block_bytes;
        let window = Window { before, after, seconds, block_bytes };
        self.stories.entry(of_server()).or_default().note(at, SERVER, |of| of(&window));
        let reset = self.resets(before, after);
        for row in audited(after).filter(|row| !reset.contains(row.name.as_str())) {
            if let Some(earlier) = before.databases.iter().find(|earlier| earlier.name == row.name) {
                let window = Window { before: earlier, after: row, seconds, block_bytes };
                self.stories.entry(of_database(row)).or_default().note(at, DATABASE, |of| of(&window));
            }
        }
        for (subject, (earlier, later)) in table_counters(before, after) {
            if !subject.database.as_deref().is_some_and(|name| reset.contains(name)) {
                let window = Window { before: &earlier, after: &later, seconds, block_bytes };
                self.stories.entry(subject).or_default().note(at, TABLE, |of| of(&window));
            }
        }
        self.statements(before, after, seconds);
    }

    /// Databases whose statistics were reset in between.
    fn resets<'a>(&mut self, before: &Snapshot, after: &'a Snapshot) -> BTreeSet<&'a str> {
        let mut reset = BTreeSet::new();
        for row in audited(after) {
            let earlier = before.databases.iter().find(|earlier| earlier.name == row.name);
            if earlier.is_some_and(|earlier| earlier.stats_reset != row.stats_reset) {
                reset.insert(row.name.as_str());
                let reason = format!("statistics of database {} were reset: its tables are left out", row.name);
                self.dropped.push(Dropped { to: after.captured_at, reason });
            }
        }
        reset
    }

    fn statements(&mut self, before: &Snapshot, after: &Snapshot, seconds: f64) {
        let (at, block_bytes) = (after.captured_at, after.server.block_bytes);
        let (earlier, later) = (before.statements_info.first(), after.statements_info.first());
        if let (Some(earlier), Some(later)) = (earlier, later) {
            // The entries of all databases are reset, and evicted, together.
            if earlier.stats_reset != later.stats_reset {
                let reason = "pg_stat_statements was reset: statements are left out".to_owned();
                self.dropped.push(Dropped { to: at, reason });
                return;
            }
            let evicted = later.evictions.unwrap_or(0).saturating_sub(earlier.evictions.unwrap_or(0)).max(0);
            self.evictions = self.evictions.saturating_add(evicted);
        }
        let known: HashMap<_, &Statement> = before.statements.iter().map(|row| (identity(row), row)).collect();
        for row in after.statements.iter().filter(|row| row.kind != StatementKind::Utility) {
            let Some(earlier) = known.get(&identity(row)) else { continue };
            let (before, after) = (&earlier.counters, &row.counters);
            let window = Window { before, after, seconds, block_bytes };
            if counted(after, before).is_anew || window.calls().is_none_or(|calls| calls < self.min_calls) {
                continue;
            }
            let subject = Subject {
                kind: Kind::Statement,
                database: Some(row.database.clone()),
                object: row.fingerprint.clone(),
            };
            let story = self.stories.entry(subject).or_default();
            story.weight += row.counters.total_exec_time_ms - earlier.counters.total_exec_time_ms;
            story.text = Some(row.text.clone());
            story.note(at, STATEMENT, |of| of(&window));
        }
    }
}

impl Story {
    fn note<F: Copy>(&mut self, at: DateTime<Utc>, metrics: &[Metric<F>], value: impl Fn(F) -> Option<f64>) {
        for metric in metrics {
            if let Some(value) = value(metric.of).filter(|value| value.is_finite()) {
                let line = self.lines.entry(metric.name).or_insert(Line {
                    unit: metric.unit,
                    worse: metric.worse,
                    floor: metric.floor,
                    points: Vec::new(),
                });
                line.points.push(Point { at, value });
            }
        }
    }
}

/// Why no counter of the two can be compared.
fn broken(before: &Snapshot, after: &Snapshot) -> Option<String> {
    let (earlier, later) = (&before.server, &after.server);
    let is_other = |(one, other)| one != other;
    if earlier.system_identifier.as_ref().zip(later.system_identifier.as_ref()).is_some_and(is_other) {
        return Some("another cluster answers there".to_owned());
    }
    if after.captured_at <= before.captured_at {
        return Some("it was not read later than the one before".to_owned());
    }
    if earlier.is_standby != later.is_standby {
        return Some(format!("the server became a {}", if later.is_standby { "standby" } else { "primary" }));
    }
    if earlier.started_at != later.started_at {
        return Some(format!("the server was restarted at {}", later.started_at.format("%F %H:%M:%S UTC")));
    }
    // After a crash the postmaster is the same and begins to count anew.
    (earlier.counters_reset != later.counters_reset)
        .then(|| "the instance's counters were reset, by a crash or by hand".to_owned())
}

fn identity(row: &Statement) -> (&str, &str) {
    (&row.database, &row.fingerprint)
}

fn of_server() -> Subject {
    Subject { kind: Kind::Server, database: None, object: String::new() }
}

fn of_database(row: &Database) -> Subject {
    Subject { kind: Kind::Database, database: Some(row.name.clone()), object: row.name.clone() }
}

fn audited(snapshot: &Snapshot) -> impl Iterator<Item = &Database> {
    snapshot.databases.iter().filter(|row| snapshot.audited.contains(&row.name))
}

/// Relations by database, schema and name.
type Names<'a> = HashMap<(&'a str, &'a str, &'a str), &'a Relation>;

fn names(snapshot: &Snapshot) -> Names<'_> {
    snapshot
        .relations
        .iter()
        .map(|row| ((row.database.as_str(), row.schema.as_str(), row.name.as_str()), row))
        .collect()
}

/// The table that a relation is counted with: partitions come and go, and are counted with the table at the top.
fn whole(row: &Relation, names: &Names<'_>) -> Subject {
    let root = row.root(|schema, name| names.get(&(row.database.as_str(), schema, name)).copied());
    Subject {
        kind: Kind::Table,
        database: Some(row.database.clone()),
        object: format!("{}.{}", root.schema, root.name),
    }
}

fn tables(snapshot: &Snapshot) -> BTreeMap<Subject, Whole> {
    let names = names(snapshot);
    let mut tables: BTreeMap<Subject, Whole> = BTreeMap::new();
    for row in &snapshot.relations {
        add(&mut tables.entry(whole(row, &names)).or_default().counters, row);
    }
    for index in snapshot.indexes.iter().filter(|index| !index.is_partitioned) {
        let table = names.get(&(index.database.as_str(), index.schema.as_str(), index.table.as_str()));
        if let Some(table) = table {
            let sum = &mut tables.entry(whole(table, &names)).or_default().index_bytes;
            *sum = sum.saturating_add(index.bytes);
        }
    }
    tables
}

/// Counters of tables at both moments, of relations that were there at both. A table with one that began to count anew
/// is left out.
fn table_counters(before: &Snapshot, after: &Snapshot) -> BTreeMap<Subject, (Relation, Relation)> {
    let (known, names) = (names(before), names(after));
    let mut tables: BTreeMap<Subject, (Relation, Relation)> = BTreeMap::new();
    let mut anew = BTreeSet::new();
    for row in after.relations.iter().filter(|row| row.kind != RelationKind::PartitionedTable) {
        let earlier = known.get(&(row.database.as_str(), row.schema.as_str(), row.name.as_str()));
        let Some(earlier) = earlier else { continue };
        let subject = whole(row, &names);
        let counters = |row: &Relation| {
            [row.seq_tuples_read, row.inserted, row.updated, row.deleted, row.heap_blocks_hit, row.heap_blocks_read]
        };
        if counters(earlier).iter().zip(counters(row)).any(|(earlier, later)| later < *earlier) {
            anew.insert(subject.clone());
        }
        let (one, other) = tables.entry(subject).or_default();
        add(one, earlier);
        add(other, row);
    }
    tables.retain(|subject, _| !anew.contains(subject));
    tables
}

/// Adds what is followed of a relation.
fn add(sum: &mut Relation, row: &Relation) {
    let parts: [(&mut i64, i64); 11] = [
        (&mut sum.bytes, row.bytes),
        (&mut sum.toast_bytes, row.toast_bytes),
        (&mut sum.live_tuples, row.live_tuples),
        (&mut sum.dead_tuples, row.dead_tuples),
        (&mut sum.seq_tuples_read, row.seq_tuples_read),
        (&mut sum.inserted, row.inserted),
        (&mut sum.updated, row.updated),
        (&mut sum.deleted, row.deleted),
        (&mut sum.hot_updated, row.hot_updated),
        (&mut sum.heap_blocks_hit, row.heap_blocks_hit),
        (&mut sum.heap_blocks_read, row.heap_blocks_read),
    ];
    for (sum, part) in parts {
        *sum = sum.saturating_add(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::trends;
    use crate::model::snapshot::{StatementsInfo, Tool, Wal};
    use crate::model::trend::Terms;
    use crate::mutants::bent;
    use proptest::prelude::*;

    /// A run with a row of everything that is followed.
    fn run() -> Snapshot {
        let mut run = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        run.audited = vec!["shop".to_owned()];
        run.statements_info = vec![StatementsInfo::default()];
        run.statements = vec![Statement::default()];
        run.relations = vec![Relation { database: "shop".to_owned(), ..Relation::default() }];
        run.databases = vec![Database { name: "shop".to_owned(), ..Database::default() }];
        run.wal = Some(Wal::default());
        run
    }

    fn read(value: &serde_json::Value) -> serde_json::Result<Snapshot> {
        serde::Deserialize::deserialize(value)
    }

    fn damaged() -> impl Strategy<Value = serde_json::Value> {
        bent(vec![serde_json::to_value(run()).expect("JSON")], |value| read(value).is_ok())
    }

    proptest! {
        #[test]
        fn no_snapshot_makes_it_panic(values in proptest::collection::vec(damaged(), 2..12)) {
            let mut chronicle = Chronicle::new(0);
            for value in &values {
                chronicle.add(read(value).expect("a snapshot"), None);
            }
            let trends = trends(&chronicle, "shop", &Terms::default(), &|_, _, _| true, Tool::default());
            prop_assert!(trends.trends.iter().flat_map(|trend| &trend.points).all(|point| point.value.is_finite()));
        }
    }
}
