//! What charts and metrics tell of a server beside the findings.

use super::common::Since;
use super::pools;
use super::server::is_client;
use super::sizes::Sizes;
use crate::model::snapshot::{Database, Facet, Partition, Session, Setting, Snapshot, Statement};
use crate::model::survey::{SurveyedPartition, SurveyedTable};
use crate::model::vitals::{
    DatabaseVitals, PARTITIONS, PartitionVitals, RunwayVitals, SessionVitals, StatementLoad, StatementVitals, TOP,
    TableVitals, Vitals,
};
use crate::partition::surveyed;
use chrono::{DateTime, Utc};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// A table whose partitions ended longer ago, and nobody noticed, is an archive: as the rule `partition_runway` has it.
const ARCHIVE_DAYS: f64 = 62.0;

/// The vitals of a snapshot.
#[must_use]
pub fn vitals(snapshot: &Snapshot) -> Vitals {
    Vitals {
        databases: rows(snapshot, Facet::Databases, databases(snapshot)),
        sessions: snapshot.gap(Facet::Sessions).is_none().then(|| sessions(snapshot)),
        statements: (!snapshot.statements_info.is_empty()).then(|| statements(snapshot)),
        tables: rows(snapshot, Facet::Relations, tables(snapshot)),
        partitioned_tables: rows(snapshot, Facet::Partitions, partitioned_tables(snapshot)),
        poolers: (!snapshot.pools.is_empty()).then(|| pools::seen(snapshot).poolers),
    }
}

/// The same with what the tables grew by since an earlier snapshot.
#[must_use]
pub fn grown(mut vitals: Vitals, earlier: &Snapshot) -> Vitals {
    let before = Sizes::of(earlier);
    for table in vitals.tables.iter_mut().flatten() {
        let whole = before.find((&table.database, &table.schema, &table.name));
        let bytes = whole.map(|whole| whole.bytes.saturating_add(whole.index_bytes));
        table.growth_bytes = bytes.map(|bytes| table.total_bytes.saturating_sub(bytes));
    }
    vitals
}

/// Rows of a facet; none where there are none because it was not read.
fn rows<T>(snapshot: &Snapshot, facet: Facet, rows: Vec<T>) -> Option<Vec<T>> {
    (!rows.is_empty() || snapshot.gap(facet).is_none()).then_some(rows)
}

#[allow(clippy::cast_precision_loss, reason = "counters")]
fn databases(snapshot: &Snapshot) -> Vec<DatabaseVitals> {
    let of = |row: &Database| {
        let touched = row.blocks_hit as f64 + row.blocks_read as f64;
        DatabaseVitals {
            database: row.name.clone(),
            is_audited: row.is_current || snapshot.audited.contains(&row.name),
            counted_from: Since::new(row.stats_reset, snapshot).from,
            size_bytes: row.bytes,
            cache_hit_ratio: (touched > 0.0).then(|| row.blocks_hit as f64 / touched),
            blocks_hit: row.blocks_hit,
            blocks_read: row.blocks_read,
            commits: row.commits,
            rollbacks: row.rollbacks,
            temp_bytes: row.temp_bytes,
            deadlocks: row.deadlocks,
        }
    };
    let mut all: Vec<DatabaseVitals> = snapshot.databases.iter().filter(|row| !row.is_template).map(of).collect();
    all.sort_by(|a, b| a.database.cmp(&b.database));
    all
}

#[allow(clippy::cast_possible_truncation, reason = "an integer setting")]
fn sessions(snapshot: &Snapshot) -> SessionVitals {
    let mut found = SessionVitals {
        max_connections: snapshot.setting("max_connections").and_then(Setting::number).map(|number| number as i64),
        usable_connections: snapshot.usable_connections(),
        ..SessionVitals::default()
    };
    let clients = snapshot.sessions.iter().filter(|session| is_client(session));
    for Session { state, wait_event_type, .. } in clients {
        found.total += 1;
        *found.by_state.entry(state.clone().unwrap_or_else(|| "hidden".to_owned())).or_default() += 1;
        if let Some(class) = wait_event_type.as_ref().filter(|_| state.as_deref() == Some("active")) {
            *found.waiting.entry(class.clone()).or_default() += 1;
        }
    }
    found
}

fn statements(snapshot: &Snapshot) -> StatementVitals {
    let total_ms: f64 = snapshot.statements_info.iter().map(|info| info.total_exec_time_ms).sum();
    let mut heaviest: Vec<&Statement> = snapshot.statements.iter().collect();
    let name = |row: &Statement| (row.fingerprint.clone(), row.database.clone());
    heaviest.sort_by(|a, b| {
        let time = b.counters.total_exec_time_ms.total_cmp(&a.counters.total_exec_time_ms);
        time.then_with(|| name(a).cmp(&name(b)))
    });
    let load = |row: &&Statement| StatementLoad {
        database: row.database.clone(),
        fingerprint: row.fingerprint.clone(),
        text: row.text.clone(),
        calls: row.counters.calls,
        total_ms: row.counters.total_exec_time_ms,
        mean_ms: row.counters.mean_exec_time_ms,
        time_ratio: (total_ms > 0.0).then(|| row.counters.total_exec_time_ms / total_ms),
        rows: row.counters.rows,
        shared_blocks: row.counters.shared_blocks_hit.saturating_add(row.counters.shared_blocks_read),
    };
    StatementVitals {
        total_ms,
        // They are the instance's, whichever database tells them.
        evictions: snapshot.statements_info.iter().map(|info| info.evictions).min().flatten(),
        calls: snapshot.statements_info.iter().fold(0, |sum, info| sum.saturating_add(info.total_calls)),
        top: heaviest.iter().take(TOP).map(load).collect(),
    }
}

fn tables(snapshot: &Snapshot) -> Vec<TableVitals> {
    let sizes = Sizes::of(snapshot);
    let mut all: Vec<TableVitals> = sizes
        .roots()
        .map(|whole| TableVitals {
            database: whole.relation.database.clone(),
            schema: whole.relation.schema.clone(),
            name: whole.relation.name.clone(),
            total_bytes: whole.bytes.saturating_add(whole.index_bytes),
            index_bytes: whole.index_bytes,
            estimated_rows: whole.rows,
            growth_bytes: None,
        })
        .collect();
    // As many of one size come by name.
    all.sort_by_key(|table| Reverse(table.total_bytes));
    all.truncate(TOP);
    all
}

fn partitioned_tables(snapshot: &Snapshot) -> Vec<RunwayVitals> {
    let now = snapshot.captured_at;
    let of = |database: &str, own: &Snapshot| {
        by_time(own).into_iter().map(|table| runway(database, table, now)).collect::<Vec<_>>()
    };
    let mut all: Vec<RunwayVitals> = if snapshot.audited.len() > 1 {
        let part = |database: &String| of(database, &snapshot.of_database(database));
        snapshot.audited.iter().flat_map(part).collect()
    } else {
        of(&snapshot.target.database, snapshot)
    };
    let ends = |table: &RunwayVitals| table.covered_until.unwrap_or(DateTime::<Utc>::MAX_UTC);
    let is_archive = |table: &RunwayVitals| table.runway_days.is_some_and(|days| days < -ARCHIVE_DAYS);
    // Whoever cuts the list off keeps what is most urgent.
    all.sort_by_key(|table| (is_archive(table), ends(table)));
    all.iter_mut().skip(TOP).for_each(|table| table.partitions.clear());
    all
}

/// Tables that are partitioned by time. One that is itself within a stretch of time of another, as the days of a month
/// are, ends with that and is left out.
fn by_time(snapshot: &Snapshot) -> Vec<SurveyedTable> {
    let mut tables = surveyed(snapshot);
    tables.retain(|table| table.covers_now.is_some());
    let cut: HashSet<(String, String)> =
        tables.iter().map(|table| (table.table.schema.clone(), table.table.name.clone())).collect();
    let parent = |row: &Partition| {
        let above = (row.parent_schema.clone(), row.parent_name.clone());
        Some(((row.schema.clone()?, row.name.clone()?), above))
    };
    let parents: HashMap<(String, String), (String, String)> = snapshot.partitions.iter().filter_map(parent).collect();
    tables.retain(|table| {
        let own = (table.table.schema.clone(), table.table.name.clone());
        let above = std::iter::successors(parents.get(&own), |place| parents.get(*place));
        // A file may say that two are partitions of each other.
        !above.take(parents.len()).any(|place| cut.contains(place))
    });
    tables
}

fn runway(database: &str, table: SurveyedTable, now: DateTime<Utc>) -> RunwayVitals {
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let days = |until: DateTime<Utc>| (until - now).num_seconds() as f64 / 86_400.0;
    let covers_now = table.covers_now == Some(true);
    let ended = || table.partitions.iter().filter_map(|row| row.to).filter(|to| *to <= now).max();
    let covered_until = if covers_now { table.covered_until } else { ended() };
    let mut partitions: Vec<PartitionVitals> =
        table.partitions.into_iter().filter(|row| row.from.is_some() || row.to.is_some()).map(partition).collect();
    partitions.drain(..partitions.len().saturating_sub(PARTITIONS));
    RunwayVitals {
        database: database.to_owned(),
        schema: table.table.schema,
        name: table.table.name,
        is_monthly: table.is_monthly,
        covers_now,
        covered_until,
        runway_days: covered_until.map(days),
        partitions,
    }
}

fn partition(row: SurveyedPartition) -> PartitionVitals {
    PartitionVitals {
        name: row.name.name,
        from: row.from,
        to: row.to,
        total_bytes: row.table_bytes.saturating_add(row.index_bytes),
        estimated_rows: row.rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Gap, Index, Relation, RelationKind, Tool};
    use chrono::TimeDelta;

    fn empty() -> Snapshot {
        Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH + TimeDelta::days(10))
    }

    fn table(name: &str, bytes: i64) -> Relation {
        Relation { schema: "public".into(), name: name.into(), bytes, ..Relation::default() }
    }

    #[test]
    fn what_was_not_looked_at_is_absent() {
        let mut snapshot = empty();
        snapshot.gaps = Facet::ALL
            .map(|facet| Gap {
                facet,
                database: None,
                partial: false,
                reason: String::new(),
                sqlstate: None,
                remedy: String::new(),
                is_failure: false,
            })
            .to_vec();
        assert_eq!(vitals(&snapshot), Vitals::default());
        let read = vitals(&empty());
        assert_eq!((read.tables, read.statements, read.poolers), (Some(Vec::new()), None, None));
    }

    #[test]
    fn tables_are_told_whole_the_largest_first() {
        let mut snapshot = empty();
        let leaf = |name: &str, bytes, toast_bytes| Relation {
            is_partition: true,
            parent_schema: Some("public".into()),
            parent_name: Some("events".into()),
            estimated_rows: Some(7),
            toast_bytes,
            ..table(name, bytes)
        };
        let events = Relation { kind: RelationKind::PartitionedTable, ..table("events", 0) };
        snapshot.relations = vec![table("small", 50), events, leaf("events_1", 30, 4), leaf("events_2", 20, 0)];
        snapshot.indexes = vec![Index {
            schema: "public".into(),
            table: "events_2".into(),
            name: "i".into(),
            bytes: 6,
            ..Index::default()
        }];
        let told = |vitals: &Vitals| {
            let of = |row: &TableVitals| {
                (row.name.clone(), row.total_bytes, row.index_bytes, row.estimated_rows, row.growth_bytes)
            };
            vitals.tables.iter().flatten().map(of).collect::<Vec<_>>()
        };
        let now = vitals(&snapshot);
        let expected = [("events".into(), 60, 6, Some(14), None), ("small".into(), 50, 0, None, None)];
        assert_eq!(told(&now), expected);
        let mut earlier = snapshot.clone();
        earlier.relations.remove(0);
        earlier.relations[1].bytes = 10;
        assert_eq!(told(&grown(now, &earlier)).iter().map(|row| row.4).collect::<Vec<_>>(), [Some(20), None]);
    }

    #[test]
    fn sessions_are_counted_by_state_and_wait() {
        let mut snapshot = empty();
        let session = |state: Option<&str>, wait: Option<&str>| Session {
            backend_type: Some("client backend".into()),
            state: state.map(Into::into),
            wait_event_type: wait.map(Into::into),
            ..Session::default()
        };
        snapshot.sessions = vec![
            session(Some("active"), Some("Lock")),
            session(Some("active"), None),
            session(Some("idle"), Some("Client")),
            session(None, None),
            Session { backend_type: Some("autovacuum worker".into()), ..session(Some("active"), Some("IO")) },
        ];
        let found = vitals(&snapshot).sessions.expect("sessions");
        assert_eq!(found.total, 4);
        let states = [("active", 2), ("hidden", 1), ("idle", 1)].map(|(state, count)| (state.to_owned(), count));
        assert_eq!(found.by_state, states.into());
        assert_eq!(found.waiting, [("Lock".to_owned(), 1)].into());
        assert_eq!((found.max_connections, found.usable_connections), (None, None));
    }

    fn within(parent: &str, name: &str, strategy: &str, bound: &str) -> Partition {
        Partition {
            parent_schema: "public".into(),
            parent_name: parent.into(),
            strategy: strategy.into(),
            key_definition: format!("{} (at)", strategy.to_uppercase()),
            key_types: vec!["date".into()],
            key_columns: vec!["at".into()],
            schema: Some("public".into()),
            name: Some(name.into()),
            bound: Some(bound.into()),
            is_leaf: true,
            ..Partition::default()
        }
    }

    fn months(parent: &str, months: &[(&str, &str)]) -> Vec<Partition> {
        let month = |(number, (from, to)): (usize, &(&str, &str))| {
            let bound = format!("FOR VALUES FROM ('{from}') TO ('{to}')");
            within(parent, &format!("{parent}_{}", number + 1), "range", &bound)
        };
        months.iter().enumerate().map(month).collect()
    }

    fn runways(partitions: Vec<Partition>) -> Vec<RunwayVitals> {
        vitals(&Snapshot { partitions, ..empty() }).partitioned_tables.expect("tables")
    }

    const JANUARY: (&str, &str) = ("1970-01-01", "1970-02-01");
    const FEBRUARY: (&str, &str) = ("1970-02-01", "1970-03-01");
    const DECEMBER: (&str, &str) = ("1969-12-01", "1970-01-01");

    #[test]
    fn a_runway_is_counted_in_days_from_the_snapshot() {
        let all = runways(months("events", &[JANUARY, FEBRUARY]));
        let [table] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((table.is_monthly, table.covers_now, table.runway_days), (true, true, Some(49.0)));
        assert_eq!(table.partitions.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["events_1", "events_2"]);
    }

    #[test]
    fn what_has_ended_has_a_negative_runway_and_comes_first() {
        let days = |from: &str, to: &str| months("days", &[(from, to)]);
        let all = [
            months("archive", &[("1969-01-01", "1969-02-01")]),
            months("endless", &[("1970-01-01", "infinity")]),
            months("covered", &[JANUARY]),
            months("ended", &[DECEMBER]),
            months("gap", &[DECEMBER, FEBRUARY]),
            months("to_come", &[FEBRUARY]),
            days("1970-01-11", "1970-01-12"),
        ];
        let told = runways(all.concat());
        let told: Vec<_> = told.iter().map(|row| (row.name.as_str(), row.covers_now, row.runway_days)).collect();
        let expected = [
            ("ended", false, Some(-10.0)),
            ("gap", false, Some(-10.0)),
            ("days", true, Some(1.0)),
            ("covered", true, Some(21.0)),
            ("endless", true, None),
            ("to_come", false, None),
            ("archive", false, Some(-344.0)),
        ];
        assert_eq!(told, expected);
    }

    /// Facts know no rules: what both count by is the same number all the same.
    #[test]
    fn an_archive_is_what_the_rule_takes_for_one() {
        let rule = include_str!("../../rules/partition/partition_runway.yaml");
        assert!(rule.contains(&format!("max_ended_days: {{default: {ARCHIVE_DAYS}, unit: days")));
    }

    #[test]
    fn a_table_within_a_stretch_of_another_is_left_out() {
        let below = |parent: &str, strategy: &str, bound: &str| within("top", parent, strategy, bound);
        let first = "FOR VALUES FROM ('1970-01-01') TO ('1970-02-01')";
        let names = |rows: Vec<Partition>| runways(rows).into_iter().map(|row| row.name).collect::<Vec<_>>();
        let by_day = months("part", &[("1970-01-01", "1970-01-02")]);
        assert_eq!(names([vec![below("part", "range", first)], by_day.clone()].concat()), ["top"]);
        // Of a list, each part has months of its own.
        assert_eq!(names([vec![below("part", "list", "FOR VALUES IN ('a')")], by_day].concat()), ["part"]);
        // What no server says must end all the same.
        let cycle = [within("a", "b", "list", "FOR VALUES IN ('a')"), within("b", "a", "list", "FOR VALUES IN ('a')")];
        assert_eq!(names([cycle.to_vec(), months("a", &[JANUARY])].concat()), ["a"; 0]);
    }
}
