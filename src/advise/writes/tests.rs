//! Tests of the price of writes.

use super::*;
use crate::advise::Key;
use crate::model::snapshot::{Plan, RelationName, StatementCounters, Tool};
use chrono::DateTime;
use serde_json::json;
use std::collections::BTreeSet;

const HOUR: Windows = Windows { tables: 3600.0, statements: 3600.0 };

fn relation(name: &str) -> Relation {
    Relation { schema: "s".into(), name: name.into(), ..Relation::default() }
}

fn index(name: &str, columns: &[&str]) -> Index {
    Index {
        schema: "s".into(),
        table: "t".into(),
        name: name.into(),
        method: "btree".into(),
        key_columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        is_ready: true,
        ..Index::default()
    }
}

fn statement(kind: StatementKind, set: &[&str], rows: i64) -> Statement {
    Statement {
        fingerprint: format!("{kind:?}{set:?}"),
        kind,
        inserts_values: kind == StatementKind::Insert,
        relations: vec![RelationName { schema: None, name: "t".into() }],
        set_columns: set.iter().map(|column| (*column).to_owned()).collect(),
        counters: StatementCounters { calls: rows, rows, ..StatementCounters::default() },
        ..Statement::default()
    }
}

/// A table with a key, many rows, a thousand inserts, a thousand updates of which 800 are HOT.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
    snapshot.relations =
        vec![Relation { live_tuples: 100_000, inserted: 1000, updated: 1000, hot_updated: 800, ..relation("t") }];
    snapshot.indexes = vec![index("t_pkey", &["id"])];
    snapshot
}

fn price(snapshot: &Snapshot, columns: &[&str]) -> Price {
    price_over(snapshot, columns, HOUR)
}

fn price_over(snapshot: &Snapshot, columns: &[&str], windows: Windows) -> Price {
    let mut pool = Pool::new(BTreeSet::new());
    let keys = columns.iter().map(|column| Key::ascending(column)).collect();
    pool.add(Candidate::btree(&Name::new("s", "t"), keys));
    pool.learn_sizes([8192 * 100]);
    prices(snapshot, &pool, windows)[0]
}

fn close(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-6 * other.abs().max(1.0), "{one} is not {other}");
}

#[test]
fn inserts_and_updates_that_are_not_hot_write_entries() {
    let price = price(&snapshot(), &["a"]);
    close(price.entries_per_second * 3600.0, 1200.0);
    close(price.hot_lost_per_second, 0.0);
    // Two levels.
    close(price.ms_per_hour, 1200.0 * 2.0 * MS_PER_BLOCK);
    close(price.cost_per_hour, price.ms_per_hour * COST_PER_MS);
    close(price.wal_bytes_per_second * 3600.0, 1200.0 * (48.0 + 16.0));
}

#[test]
fn a_load_is_no_workload() {
    let entries = |live: i64, inserted: i64, deleted: i64, hours: f64| {
        let mut snapshot = snapshot();
        snapshot.statements = vec![statement(StatementKind::Insert, &[], 360)];
        snapshot.relations = vec![Relation { live_tuples: live, inserted, deleted, ..relation("t") }];
        let windows = Windows { tables: 3600.0 * hours, ..HOUR };
        price_over(&snapshot, &["a"], windows).entries_per_second
    };
    // Filled within the hour: what statements are known to insert.
    close(entries(10_000, 10_000, 0, 1.0), 0.1);
    // It was there before, it is a queue, or it grows so for days.
    close(entries(20_000, 10_000, 0, 1.0), 10_000.0 / 3600.0);
    close(entries(10_000, 90_000, 80_000, 1.0), 25.0);
    close(entries(864_000, 864_000, 0, 48.0), 5.0);
    // Counters were reset, and the table is larger than they know.
    let mut snapshot = snapshot();
    snapshot.relations =
        vec![Relation { live_tuples: 360, estimated_rows: Some(100_000), inserted: 360, ..relation("t") }];
    close(price(&snapshot, &["a"]).entries_per_second, 0.1);
}

#[test]
fn hot_updates_of_its_columns_are_lost_to_every_index() {
    let mut snapshot = snapshot();
    snapshot.statements =
        vec![statement(StatementKind::Update, &["a", "b"], 600), statement(StatementKind::Update, &["c"], 400)];
    close(price(&snapshot, &["d"]).hot_lost_per_second, 0.0);
    // All could be HOT and four of five are.
    let hit = price(&snapshot, &["d", "a"]);
    close(hit.hot_lost_per_second * 3600.0, 480.0);
    close(hit.entries_per_second * 3600.0, 1200.0 + 480.0 * 2.0);
}

#[test]
fn what_an_index_has_already_is_not_lost_again() {
    let mut snapshot = snapshot();
    snapshot.statements =
        vec![statement(StatementKind::Update, &["a"], 800), statement(StatementKind::Update, &["c"], 200)];
    snapshot.indexes.push(index("t_c", &["c"]));
    close(price(&snapshot, &["c", "d"]).hot_lost_per_second, 0.0);
    // Those of `a` alone could be HOT, so all of them are.
    close(price(&snapshot, &["a"]).hot_lost_per_second * 3600.0, 800.0);
    snapshot.indexes[1] = Index { predicate: Some("(a > 5)".into()), ..index("t_partial", &["id"]) };
    close(price(&snapshot, &["a"]).hot_lost_per_second, 0.0);
}

#[test]
fn brin_ends_hot_updates_before_16_only() {
    for (version, lost) in [(150_000, 0.0), (160_000, 800.0)] {
        let mut snapshot = snapshot();
        snapshot.server.version_num = version;
        snapshot.statements = vec![statement(StatementKind::Update, &["a"], 1000)];
        snapshot.indexes.push(Index { method: "brin".into(), ..index("t_brin", &["a"]) });
        close(price(&snapshot, &["a"]).hot_lost_per_second * 3600.0, lost);
    }
}

#[test]
fn time_is_that_of_the_workloads_own_inserts() {
    let mut snapshot = snapshot();
    let mut insert = statement(StatementKind::Insert, &[], 1000);
    insert.counters.shared_blocks_hit = 6000;
    insert.counters.total_exec_time_ms = 60.0;
    insert.counters.wal_records = 3000;
    insert.counters.wal_full_page_images = 30;
    snapshot.statements = vec![insert];
    let price = price(&snapshot, &["a"]);
    close(price.ms_per_hour, 1200.0 * 2.0 * 0.01);
    close(price.wal_bytes_per_second * 3600.0, 1200.0 * (64.0 + 81.92));
    // Too few rows say nothing.
    snapshot.statements[0].counters.rows = 99;
    close(super::prices(&snapshot, &Pool::new(BTreeSet::new()), HOUR).len() as f64, 0.0);
    close(self::price(&snapshot, &["a"]).ms_per_hour, 1200.0 * 2.0 * MS_PER_BLOCK);
}

#[test]
fn cost_is_that_of_planned_statements() {
    let mut snapshot = snapshot();
    let mut select = statement(StatementKind::Select, &[], 10);
    select.counters.total_exec_time_ms = 50.0;
    snapshot.plans = vec![Plan {
        fingerprint: select.fingerprint.clone(),
        plan: Some(json!({"Total Cost": 2000.0})),
        ..Plan::default()
    }];
    snapshot.statements = vec![select];
    let price = price(&snapshot, &["a"]);
    close(price.cost_per_hour, price.ms_per_hour * 400.0);
}

#[test]
fn leaves_write_for_their_table() {
    let mut snapshot = snapshot();
    let leaf = |name: &str, parent: &str, inserted| Relation {
        is_partition: true,
        parent_schema: Some("s".into()),
        parent_name: Some(parent.into()),
        live_tuples: 1000,
        inserted,
        ..relation(name)
    };
    snapshot.relations = vec![relation("t"), leaf("t1", "t", 0), leaf("t11", "t1", 70), leaf("t12", "t1", 30)];
    close(price(&snapshot, &["a"]).entries_per_second * 3600.0, 100.0);
}

#[test]
fn nothing_is_known_of_a_table_that_is_not_there() {
    let mut snapshot = snapshot();
    snapshot.relations.clear();
    assert_eq!(price(&snapshot, &["a"]), Price::default());
    let mut unlogged = self::snapshot();
    unlogged.relations[0].is_unlogged = true;
    close(price(&unlogged, &["a"]).wal_bytes_per_second, 0.0);
}
