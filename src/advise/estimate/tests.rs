//! Plans of a real planner, without an index and with it, and what the estimate makes of the former.

use super::*;
use crate::advise::key::Key;
use crate::advise::workload::workload;
use crate::model::snapshot::{Column, Plan, Relation, Statement, Tool};
use chrono::DateTime;
use serde_json::json;

/// `customers` of `fixtures/advice/schema.sql` on PostgreSQL 15, all of it analyzed: 20,000 rows on 617 pages.
fn snapshot(plan: Value) -> Snapshot {
    let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
    snapshot.server.version_num = 150_004;
    snapshot.relations = vec![Relation {
        schema: "s".into(),
        name: "customers".into(),
        estimated_rows: Some(20_000),
        bytes: 617 * 8192,
        all_visible_fraction: Some(1.0),
        ..Relation::default()
    }];
    let column = |name: &str, width: i64, distinct: f64, correlation: f64, common: f64| Column {
        schema: "s".into(),
        relation: "customers".into(),
        name: name.into(),
        type_name: "text".into(),
        is_not_null: true,
        null_fraction: Some(0.0),
        average_width_bytes: Some(width),
        distinct: Some(distinct),
        correlation: Some(correlation),
        most_common_fraction: Some(common),
        ..Column::default()
    };
    snapshot.columns = vec![
        column("email", 21, -1.0, 0.2, 1.0),
        column("city", 7, 400.0, 0.003, 0.0025),
        column("segment", 4, 20.0, 0.05, 0.05),
        column("is_active", 1, 2.0, 0.96, 0.98),
        column("created_at", 8, -1.0, 0.01, 1.0),
    ];
    snapshot.statements = vec![Statement { fingerprint: "f".into(), ..Statement::default() }];
    snapshot.plans = vec![Plan { fingerprint: "f".into(), plan: Some(plan), ..Plan::default() }];
    snapshot
}

fn scan(filter: &str, rows: f64, total: f64) -> Value {
    json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": "customers", "Alias": "c", "Filter": filter,
        "Output": ["c.email", "c.city", "c.pad"], "Startup Cost": 0.0, "Total Cost": total, "Plan Rows": rows, "Plan Width": 190})
}

/// Costs without and with an index on these columns.
fn costs(plan: Value, columns: &[&str]) -> (f64, f64) {
    let snapshot = snapshot(plan);
    let workload = workload(&snapshot);
    let mut estimate = Estimate::new(&snapshot, &workload.queries);
    assert_eq!(estimate.understood(), 1);
    let mut pool = Pool::default();
    let keys = columns.iter().map(|column| Key::ascending(column)).collect();
    let id = pool.add(Candidate::btree(&Name::new("s", "customers"), keys)).expect("new");
    let question = |alive: &[Id]| Question { query: 0, alive: alive.to_vec() };
    let answers = estimate.ask(&pool, &[question(&[]), question(&[id])]);
    let cost = |at: usize| answers[at].as_ref().expect("an answer").cost;
    (cost(0), cost(1))
}

#[test]
fn a_boolean() {
    let (before, after) = costs(scan("(NOT c.is_active)", 400.0, 817.0), &["is_active"]);
    assert!(before > 800.0 && after < 200.0, "{before} {after}");
}
