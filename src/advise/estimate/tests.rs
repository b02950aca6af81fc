//! Plans of a real planner, without an index and with it, and what the estimate makes of the former.

use super::*;
use crate::advise::key::Key;
use crate::advise::workload::workload;
use crate::model::snapshot::{Column, Plan, Relation, Statement, Tool};
use chrono::DateTime;
use serde_json::json;

/// Shares of the first, the middle and the last of the common values, and their number.
type Common = Option<(f64, f64, f64, i64)>;

/// `customers` of `fixtures/advice/schema.sql` on PostgreSQL 15, all of it analyzed: 20,000 rows on 667 pages.
fn snapshot(plan: Value) -> Snapshot {
    let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
    snapshot.server.version_num = 150_004;
    snapshot.relations = vec![Relation {
        schema: "s".into(),
        name: "customers".into(),
        estimated_rows: Some(20_000),
        bytes: 667 * 8192,
        all_visible_fraction: Some(1.0),
        ..Relation::default()
    }];
    let column = |name: &str, width: i64, distinct: f64, correlation: f64, common: Common| Column {
        schema: "s".into(),
        relation: "customers".into(),
        name: name.into(),
        type_name: "text".into(),
        is_not_null: true,
        null_fraction: Some(0.0),
        average_width_bytes: Some(width),
        distinct: Some(distinct),
        correlation: Some(correlation),
        most_common_fraction: common.map(|common| common.0),
        middle_common_fraction: common.map(|common| common.1),
        least_common_fraction: common.map(|common| common.2),
        common_values: common.map(|common| common.3),
        ..Column::default()
    };
    snapshot.columns = vec![
        column("email", 21, -1.0, -0.394_445, None),
        column("country", 3, 13.0, 0.077_331, Some((0.086_450, 0.076_950, 0.067_350, 13))),
        column("city", 7, 400.0, 0.005_421, Some((0.0025, 0.0025, 0.0025, 400))),
        column("segment", 4, 20.0, 0.050_713, Some((0.05, 0.05, 0.05, 20))),
        column("is_active", 1, 2.0, 0.960_653, Some((0.98, 0.98, 0.02, 2))),
        column("created_at", 8, -1.0, -0.000_736, None),
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
    costs_of(&snapshot(plan), columns)
}

fn costs_of(snapshot: &Snapshot, columns: &[&str]) -> (f64, f64) {
    let workload = workload(snapshot);
    let mut estimate = Estimate::new(snapshot, &workload.queries);
    assert_eq!(estimate.understood(), 1);
    let mut pool = Pool::default();
    let keys = columns.iter().map(|column| Key::ascending(column)).collect();
    let id = pool.add(Candidate::btree(&Name::new("s", "customers"), keys)).expect("new");
    let question = |alive: &[Id]| Question { query: 0, alive: alive.to_vec() };
    let answers = estimate.ask(&pool, &[question(&[]), question(&[id])]);
    let cost = |at: usize| answers[at].as_ref().expect("an answer").cost;
    (cost(0), cost(1))
}

/// Within a tenth of what the planner says with HypoPG.
#[track_caller]
fn is_near(own: f64, planned: f64) {
    assert!((own / planned - 1.0).abs() < 0.1, "{own}, by the planner {planned}");
}

#[test]
fn one_table() {
    let three = "((c.city = $1) AND (c.segment = $2) AND (c.country = $3))";
    for (filter, rows, before, columns, after) in [
        ("(c.email = $1)", 1.0, 917.0, &["email"][..], 8.05),
        (three, 1.0, 1_017.0, &["city"], 161.44),
        (three, 1.0, 1_017.0, &["country"], 725.5),
        (three, 1.0, 1_017.0, &["segment"], 739.93),
        (three, 1.0, 1_017.0, &["country", "segment"], 225.7),
        (three, 1.0, 1_017.0, &["segment", "city"], 11.76),
        (three, 1.0, 1_017.0, &["city", "segment", "country"], 8.06),
        ("(NOT c.is_active)", 400.0, 867.0, &["is_active"], 125.77),
        ("c.is_active", 19_600.0, 867.0, &["is_active"], 867.0),
        ("(c.pad ~~ $1)", 100.0, 917.0, &["city"], 917.0),
    ] {
        let (unchanged, own) = costs(scan(filter, rows, before), columns);
        assert!((unchanged / before - 1.0).abs() < 0.01, "{filter}: {unchanged}");
        is_near(own, after);
    }
}

#[test]
fn an_order_under_a_limit() {
    let sort = json!({"Node Type": "Sort", "Parent Relationship": "Outer", "Sort Key": ["c.created_at"], "Startup Cost": 1249.19, "Total Cost": 1299.19,
        "Plan Rows": 20_000.0, "Plan Width": 190, "Plans": [with(scan("", 20_000.0, 817.0), "Outer")]});
    let plan = json!({"Node Type": "Limit", "Startup Cost": 1249.19, "Total Cost": 1254.19, "Plan Rows": 2_000.0, "Plan Width": 190,
        "Plans": [sort]});
    let (_, own) = costs(plan.clone(), &["created_at"]);
    // A tenth of an index scan, and a row of it.
    assert!(own < 500.0, "{own}");
    let (before, other) = costs(plan, &["city"]);
    is_near(other, before);
}

/// The planner knows of one value that it does not disturb an order, and not of NULL.
#[test]
fn null_gives_no_order_to_what_is_behind_it() {
    let cost = |filter: &str| {
        let sort = json!({"Node Type": "Sort", "Parent Relationship": "Outer", "Sort Key": ["c.created_at"], "Startup Cost": 890.0, "Total Cost": 892.0,
            "Plan Rows": 1_000.0, "Plan Width": 190, "Plans": [with(scan(filter, 1_000.0, 867.0), "Outer")]});
        let plan = json!({"Node Type": "Limit", "Startup Cost": 890.0, "Total Cost": 890.1, "Plan Rows": 10.0, "Plan Width": 190, "Plans": [sort]});
        let mut snapshot = snapshot(plan);
        let segment = snapshot.columns.iter_mut().find(|column| column.name == "segment").expect("a column");
        (segment.is_not_null, segment.null_fraction) = (false, Some(0.05));
        costs_of(&snapshot, &["segment", "created_at"]).1
    };
    assert!(cost("(c.segment = $1)") < 50.0, "{}", cost("(c.segment = $1)"));
    assert!(cost("(c.segment IS NULL)") > 400.0, "{}", cost("(c.segment IS NULL)"));
}

#[test]
fn least_and_greatest_are_the_first_of_an_index() {
    let plan = json!({"Node Type": "Aggregate", "Strategy": "Plain", "Output": ["max(created_at)"], "Startup Cost": 867.0,
        "Total Cost": 867.01, "Plan Rows": 1.0, "Plan Width": 8, "Plans": [with(scan("", 20_000.0, 817.0), "Outer")]});
    let (_, own) = costs(plan, &["created_at"]);
    assert!(own < 1.0, "{own}");
}

#[test]
fn what_only_some_columns_are_read_of_needs_no_table() {
    let mut plan = scan("(c.segment = $1)", 1_000.0, 867.0);
    plan["Output"] = json!(["c.segment", "c.city"]);
    let (_, whole) = costs(plan.clone(), &["segment"]);
    let (_, only) = costs(plan, &["segment", "city"]);
    assert!(only < 60.0 && whole > 4.0 * only, "{whole} {only}");
}

#[test]
fn a_form_that_is_not_known_is_no_answer() {
    let plan = json!({"Node Type": "Hash Join", "Join Type": "Sideways", "Total Cost": 10.0,
        "Plans": [with(scan("(c.city = $1)", 50.0, 867.0), "Outer"), with(scan("", 50.0, 867.0), "Inner")]});
    let snapshot = snapshot(plan);
    let workload = workload(&snapshot);
    let mut estimate = Estimate::new(&snapshot, &workload.queries);
    assert_eq!(estimate.understood(), 0);
    assert_eq!(estimate.ask(&Pool::default(), &[Question { query: 0, alive: Vec::new() }]), [None]);
}

fn with(mut plan: Value, relationship: &str) -> Value {
    plan["Parent Relationship"] = json!(relationship);
    if plan["Filter"] == json!("") {
        plan.as_object_mut().expect("a node").remove("Filter");
    }
    plan
}

proptest::proptest! {
    /// Plans are foreign text: whatever they hold, there is an answer or none.
    #[test]
    fn no_plan_makes_it_panic(filter in "\\PC{0,40}", rows in -1.0..1e12_f64, total in -1.0..1e15_f64) {
        let snapshot = snapshot(scan(&filter, rows, total));
        let workload = workload(&snapshot);
        let mut estimate = Estimate::new(&snapshot, &workload.queries);
        let mut pool = Pool::default();
        let id = pool.add(Candidate::btree(&Name::new("s", "customers"), vec![Key::ascending("city")])).expect("new");
        let _ = estimate.ask(&pool, &[Question { query: 0, alive: vec![id] }]);
    }
}
