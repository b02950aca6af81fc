//! What charts and metrics tell of a server beside the findings.

use super::common::Since;
use super::pools;
use super::server::is_client;
use super::sizes::Sizes;
use crate::model::snapshot::{Database, Facet, Session, Setting, Snapshot, Statement};
use crate::model::survey::{SurveyedPartition, SurveyedTable};
use crate::model::vitals::{
    DatabaseVitals, PARTITIONS, PartitionVitals, RunwayVitals, SessionVitals, StatementLoad, StatementVitals, TOP,
    TableVitals, Vitals,
};
use crate::partition::surveyed;
use chrono::{DateTime, Utc};
use std::cmp::Reverse;

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
    let of = |database: &str, tables: Vec<SurveyedTable>| {
        let by_time = tables.into_iter().filter(|table| table.covers_now.is_some());
        by_time.map(|table| runway(database, table, now)).collect::<Vec<_>>()
    };
    let mut all: Vec<RunwayVitals> = if snapshot.audited.len() > 1 {
        let part = |database: &String| of(database, surveyed(&snapshot.of_database(database)));
        snapshot.audited.iter().flat_map(part).collect()
    } else {
        of(&snapshot.target.database, surveyed(snapshot))
    };
    let ends = |table: &RunwayVitals| table.covered_until.unwrap_or(DateTime::<Utc>::MAX_UTC);
    all.sort_by_key(|table| (!table.is_monthly, !table.covers_now, ends(table)));
    all.iter_mut().skip(TOP).for_each(|table| table.partitions.clear());
    all
}

fn runway(database: &str, table: SurveyedTable, now: DateTime<Utc>) -> RunwayVitals {
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let days = |until: DateTime<Utc>| (until - now).num_seconds() as f64 / 86_400.0;
    let mut partitions: Vec<PartitionVitals> =
        table.partitions.into_iter().filter(|row| row.from.is_some() || row.to.is_some()).map(partition).collect();
    partitions.drain(..partitions.len().saturating_sub(PARTITIONS));
    RunwayVitals {
        database: database.to_owned(),
        schema: table.table.schema,
        name: table.table.name,
        is_monthly: table.is_monthly,
        covers_now: table.covers_now == Some(true),
        covered_until: table.covered_until,
        runway_days: table.covered_until.map(days),
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
    use crate::model::snapshot::{Gap, Index, Partition, Relation, RelationKind, Tool};
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

    #[test]
    fn a_runway_is_counted_in_days_from_the_snapshot() {
        let mut snapshot = empty();
        let month = |name: &str, bound: &str| Partition {
            parent_schema: "public".into(),
            parent_name: "events".into(),
            strategy: "range".into(),
            key_definition: "RANGE (at)".into(),
            key_types: vec!["date".into()],
            key_columns: vec!["at".into()],
            schema: Some("public".into()),
            name: Some(name.into()),
            bound: Some(bound.into()),
            is_leaf: true,
            ..Partition::default()
        };
        snapshot.partitions = vec![
            month("events_1", "FOR VALUES FROM ('1970-01-01') TO ('1970-02-01')"),
            month("events_2", "FOR VALUES FROM ('1970-02-01') TO ('1970-03-01')"),
        ];
        let all = vitals(&snapshot).partitioned_tables.expect("tables");
        let [table] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((table.is_monthly, table.covers_now, table.runway_days), (true, true, Some(49.0)));
        assert_eq!(table.partitions.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["events_1", "events_2"]);
    }
}
