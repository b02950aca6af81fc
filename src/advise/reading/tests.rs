//! Plans, and what they ask.

use super::*;
use crate::advise::workload::workload;
use crate::model::snapshot::{Extension, Index, Plan, Relation, Snapshot, Statement, StatementCounters, Tool};
use chrono::DateTime;
use serde_json::json;
use std::collections::BTreeSet;

fn snapshot(plan: Value) -> Snapshot {
    let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
    let relation = |name: &str| Relation { schema: "s".into(), name: name.into(), ..Relation::default() };
    let partition = |name: &str, parent: &str| Relation {
        is_partition: true,
        parent_schema: Some("s".into()),
        parent_name: Some(parent.into()),
        ..relation(name)
    };
    snapshot.relations = vec![relation("orders"), relation("users"), relation("logs")];
    snapshot.relations.extend([partition("logs_24", "logs"), partition("logs_24_1", "logs_24")]);
    snapshot.indexes = vec![Index {
        schema: "s".into(),
        name: "orders_at".into(),
        method: "btree".into(),
        key_columns: vec!["at".into(), "id".into()],
        orders: vec![3, 3],
        ..Index::default()
    }];
    let counters = StatementCounters { calls: 3, ..StatementCounters::default() };
    snapshot.statements = vec![Statement { fingerprint: "f".into(), counters, ..Statement::default() }];
    snapshot.plans = vec![
        Plan { fingerprint: "f".into(), plan: Some(plan), ..Plan::default() },
        Plan { fingerprint: "g".into(), unplannable: Some("no_relation".into()), ..Plan::default() },
    ];
    snapshot
}

/// What a plan asks of a table of the schema.
fn asked(plan: Value, table: &str) -> Uses {
    workload(&snapshot(plan)).queries[0].tables.get(&Name::new("s", table)).cloned().unwrap_or_default()
}

fn scan(relation: &str, alias: &str, filter: &str) -> Value {
    json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": relation, "Alias": alias, "Filter": filter,
        "Output": ["id"]})
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn partitions_stand_for_their_table() {
    let plan = json!({"Node Type": "Sort", "Sort Key": ["l.at"], "Plans": [{"Node Type": "Append",
        "Plans": [scan("logs_24_1", "l_1", "(l_1.kind = $1)")]}]});
    let read = workload(&snapshot(plan.clone()));
    assert_eq!(read.queries[0].tables.keys().collect::<Vec<_>>(), [&Name::new("s", "logs")]);
    let logs = asked(plan, "logs");
    assert_eq!((logs.equal, logs.orders), (set(&["kind"]), BTreeSet::from([vec![Key::ascending("at")]])));
}

#[test]
fn partitions_that_go_in_circles_come_to_an_end() {
    let mut snapshot = snapshot(scan("logs", "l", "(l.kind = $1)"));
    let of = |row: &mut Relation, parent: &str| {
        row.is_partition = true;
        (row.parent_schema, row.parent_name) = (Some("s".into()), Some(parent.into()));
    };
    for row in &mut snapshot.relations {
        match row.name.as_str() {
            "logs" => of(row, "logs_24"),
            "logs_24" => of(row, "logs"),
            _ => {}
        }
    }
    assert_eq!(workload(&snapshot).queries.len(), 1);
}

#[test]
fn an_alias_with_a_number_is_no_partition() {
    let plan = json!({"Node Type": "Append", "Plans": [
        scan("orders", "o", "(o.n = $1)"), scan("users", "o_1", "(o_1.m = $2)")]});
    assert_eq!((asked(plan.clone(), "orders").equal, asked(plan, "users").equal), (set(&["n"]), set(&["m"])));
}

#[test]
fn the_order_an_index_gives_is_wanted_under_a_limit() {
    let scan = |condition: Value| {
        let mut scan = json!({"Node Type": "Index Scan", "Schema": "s", "Relation Name": "orders", "Alias": "o",
            "Index Name": "orders_at", "Filter": "(o.state = $1)"});
        if !condition.is_null() {
            scan["Index Cond"] = condition;
        }
        scan
    };
    let order = BTreeSet::from([vec![Key::ascending("at"), Key::ascending("id")]]);
    let limit = |below: Value| json!({"Node Type": "Limit", "Plans": [below]});
    assert_eq!(asked(limit(scan(Value::Null)), "orders").orders, order);
    assert_eq!(asked(limit(scan(json!("(o.at > $2)"))), "orders").orders, order);
    // Only looked up in.
    assert_eq!(asked(scan(json!("(o.at > $2)")), "orders").orders, BTreeSet::new());
    let grouped = json!({"Node Type": "Aggregate", "Plans": [scan(json!("(o.at > $2)"))]});
    let sorted = json!({"Node Type": "Sort", "Sort Key": ["(sum(o.n))"], "Plans": [grouped]});
    assert_eq!(asked(limit(sorted), "orders").orders, BTreeSet::new());
}

#[test]
fn least_and_greatest_want_an_order() {
    let plan = |strategy: &str| {
        json!({"Node Type": "Aggregate", "Strategy": strategy, "Output": ["max(at)"],
            "Plans": [scan("orders", "o", "(o.n = $1)")]})
    };
    assert_eq!(asked(plan("Plain"), "orders").orders, BTreeSet::from([vec![Key::ascending("at")]]));
    assert_eq!(asked(plan("Hashed"), "orders").orders, BTreeSet::new());
}

#[test]
fn a_hashed_sub_plan_could_be_looked_up() {
    let plan = |filter: &str| {
        let mut sub_plan = scan("orders", "o", "(o.at > $1)");
        sub_plan["Parent Relationship"] = json!("SubPlan");
        sub_plan["Subplan Name"] = json!("SubPlan 2");
        sub_plan["Output"] = json!(["o.user_id"]);
        let mut users = scan("users", "u", filter);
        users["Plans"] = json!([sub_plan]);
        users
    };
    assert_eq!(asked(plan("((hashed SubPlan 2) OR (u.id = 5))"), "orders").equal, set(&["user_id"]));
    assert_eq!(asked(plan("(ANY (u.id = (hashed SubPlan 2).col1))"), "orders").equal, set(&["user_id"]));
    assert_eq!(asked(plan("((SubPlan 2) > 3)"), "orders").equal, set(&[]));
}

#[test]
fn what_writes_or_locks_rows_reads_them_all() {
    let mut below = scan("orders", "o", "(o.n = (InitPlan $1).col1)");
    below["Output"] = json!(["$1", "o.ctid", "o.total"]);
    let plan = json!({"Node Type": "ModifyTable", "Schema": "s", "Relation Name": "orders", "Alias": "o",
        "Output": ["o.id"], "Plans": [below]});
    assert_eq!(asked(plan, "orders").needed, set(&["n"]));
}

#[test]
fn whole_rows_below_an_aggregate_are_not_needed() {
    let mut below = scan("orders", "o", "(o.n = $1)");
    below["Output"] = json!(["o.id", "o.n", "o.total", "o.pad"]);
    let plan = |kind: &str| json!({"Node Type": kind, "Output": ["o.k", "sum(o.total)"], "Plans": [below.clone()]});
    assert_eq!(asked(plan("Aggregate"), "orders").needed, set(&["k", "n", "total"]));
    assert_eq!(asked(plan("Sort"), "orders").needed, set(&["id", "n", "pad", "total"]));
}

#[test]
fn grouping_sets_are_read() {
    let plan = json!({"Node Type": "Aggregate", "Strategy": "Hashed",
        "Grouping Sets": [{"Hash Keys": [["o.n", "o.m"]]}, {"Group Keys": [[]]}],
        "Plans": [scan("orders", "o", "(o.k > $1)")]});
    assert_eq!(asked(plan, "orders").other, set(&["m", "n"]));
}

#[test]
fn a_plan_says_what_a_statement_asks() {
    let scan = |relation: &str, alias: &str, output: Value| {
        json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": relation, "Alias": alias, "Output": output,
            "Filter": format!("(({alias}.state = $1) AND ({alias}.at > $2))")})
    };
    let plan = json!({"Node Type": "Sort", "Sort Key": ["o.at DESC", "o.id DESC"], "Plans": [
        {"Node Type": "Hash Join", "Hash Cond": "(o.user_id = u.id)", "Output": ["o.total", "u.name"],
         "Plans": [scan("orders", "o", json!(["o.id", "o.total"])), scan("users", "u", json!(["u.name"]))]}]});
    let read = workload(&snapshot(plan));
    assert_eq!(read.unplanned, BTreeMap::from([("no_relation".to_owned(), 1)]));
    let orders = &read.queries[0].tables[&Name::new("s", "orders")];
    let relevant: Vec<String> = orders.relevant().iter().map(Key::sql).collect();
    assert_eq!(relevant, ["state", "user_id", "at", "id"]);
    assert_eq!(orders.orders, BTreeSet::from([vec![Key::ascending("at"), Key::ascending("id")]]));
    assert!(orders.needed.contains("total") && !orders.needed.contains("name"));
    assert!(!orders.needed.contains("note"), "the join does not hand it on");
    let users = &read.queries[0].tables[&Name::new("s", "users")];
    assert_eq!(users.equal, BTreeSet::from(["id".to_owned(), "state".to_owned()]));
}

#[test]
fn releases_of_hypopg_that_crashed_by_include_are_not_asked_about_it() {
    let needed = |version: &str| {
        let mut snapshot = snapshot(scan("orders", "o", "(o.n = $1)"));
        snapshot.extensions =
            vec![Extension { name: "hypopg".into(), version: version.into(), ..Extension::default() }];
        workload(&snapshot).queries[0].tables[&Name::new("s", "orders")].needed.clone()
    };
    assert_eq!(needed("1.4.1"), set(&[]));
    assert_eq!(needed("1.3.1"), set(&["id", "n"]));
}
