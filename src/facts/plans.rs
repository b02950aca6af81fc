//! What the generic plan of a statement does that a rule may mind: large scans that keep little, and
//! scans of every partition.

use super::build;
use super::correlation::correlation;
use super::lookup::{Key, Lookup};
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Plan, Relation, Statement};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

#[derive(Serialize, JsonSchema)]
struct PlanRow {
    /// Fingerprint of the statement. {text | pg_query fingerprint}
    fingerprint: String,
    /// Executions of the statement. {calls | pg_stat_statements.calls}
    calls: i64,
    /// Time executing it. {ms | pg_stat_statements.total_exec_time}
    total_exec_time_ms: f64,
    /// Mean execution of it. {ms | pg_stat_statements.mean_exec_time}
    mean_exec_time_ms: f64,
    /// Cost of the generic plan in the planner's units; none when there is no plan. {cost | EXPLAIN Total Cost}
    total_cost: Option<f64>,
    /// The largest relation that is read whole and filtered; none when there is none. {object | EXPLAIN Seq Scan}
    scanned_table: Option<String>,
    /// Size of that relation. {bytes | pg_relation_size()}
    scanned_bytes: i64,
    /// Share of its rows that the filter keeps, by the planner's estimate. {pct | EXPLAIN Plan Rows ÷ reltuples}
    kept_pct: Option<f64>,
    /// The filter. {text | EXPLAIN Filter}
    filter: Option<String>,
    /// The partitioned table of which most partitions are read; none when there is none. {object | EXPLAIN}
    partitioned_table: Option<String>,
    /// Partitions of it in the plan. {partitions | EXPLAIN}
    partitions_scanned: usize,
    /// Partitions it has. {partitions | pg_inherits}
    partition_count: usize,
    /// A condition of those scans names the partition key, so that partitions may be left out when the statement runs. {bool | EXPLAIN, pg_partitioned_table}
    names_partition_key: bool,
    /// Rows that a call returned or changed, on average; none where nothing was called. {tuples | pg_stat_statements.rows ÷ calls}
    rows_per_call: Option<f64>,
    /// The only table of the statement, where that compares several of its columns by `=` with values, and nothing else; else none. {object | EXPLAIN}
    correlated_table: Option<String>,
    /// Those columns. {text | EXPLAIN}
    correlated_columns: Option<String>,
    /// Rows that the planner expects of a call then. {tuples | EXPLAIN Plan Rows}
    correlated_expected_rows: Option<f64>,
    /// Rows that the most common value of each would give, were they independent of each other; none without statistics. {tuples | reltuples × pg_stats.most_common_freqs}
    correlated_common_rows: Option<f64>,
    /// A tenth of that table's rows changed since the last ANALYZE, or none is on record. {bool | n_mod_since_analyze}
    correlated_has_stale_statistics: bool,
    /// Why there is no plan; none when there is one. {text | SQLSTATE}
    unplannable: Option<String>,
    /// The server's words for that. {text | EXPLAIN}
    error: Option<String>,
}

/// One scan in a plan.
pub(super) struct Scan<'p> {
    pub(super) node: &'p Value,
    pub(super) schema: &'p str,
    pub(super) relation: &'p str,
    /// A LIMIT above may end it early.
    is_limited: bool,
}

pub(super) fn text<'p>(node: &'p Value, key: &str) -> Option<&'p str> {
    node.get(key).and_then(Value::as_str)
}

/// All scans of relations in a plan. A LIMIT reaches through nodes that hand rows on one by one.
pub(super) fn scans<'p>(node: &'p Value, is_limited: bool, found: &mut Vec<Scan<'p>>) {
    let kind = text(node, "Node Type").unwrap_or_default();
    let collects =
        matches!(kind, "Sort" | "Incremental Sort" | "Aggregate" | "Hash" | "Materialize" | "WindowAgg" | "SetOp");
    let is_limited = (is_limited || kind == "Limit") && !collects;
    if let (Some(schema), Some(relation)) = (text(node, "Schema"), text(node, "Relation Name")) {
        found.push(Scan { node, schema, relation, is_limited });
    }
    for child in node.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        scans(child, is_limited, found);
    }
}

/// A relation read whole.
pub(super) struct FullScan<'a, 'p> {
    pub(super) relation: &'a Relation,
    /// Rows it has, an estimate; more than none.
    pub(super) rows: f64,
    /// Rows that its filter keeps, by the planner's estimate.
    pub(super) kept: f64,
    pub(super) filter: Option<&'p str>,
    /// What the plan calls it.
    pub(super) alias: &'p str,
}

impl FullScan<'_, '_> {
    fn kept_pct(&self) -> f64 {
        (100.0 * self.kept / self.rows).min(100.0)
    }
}

/// Scans of relations whole, of which no LIMIT ends them early.
#[allow(clippy::cast_precision_loss, reason = "row counts")]
pub(super) fn full_scans<'a, 'p>(lookup: &Lookup<'a>, scans: &[Scan<'p>]) -> Vec<FullScan<'a, 'p>> {
    let read = scans.iter().filter(|scan| !scan.is_limited && text(scan.node, "Node Type") == Some("Seq Scan"));
    read.filter_map(|scan| {
        let relation = lookup.exact(scan.schema, scan.relation)?;
        // A parallel scan's estimate is one process' share; two workers help by default.
        let is_parallel = scan.node.get("Parallel Aware").and_then(Value::as_bool) == Some(true);
        Some(FullScan {
            relation,
            rows: relation.estimated_rows.filter(|rows| *rows > 0)? as f64,
            kept: scan.node.get("Plan Rows").and_then(Value::as_f64)? * if is_parallel { 3.0 } else { 1.0 },
            filter: text(scan.node, "Filter"),
            alias: text(scan.node, "Alias").unwrap_or(scan.relation),
        })
    })
    .collect()
}

/// The largest relation read whole of which the filter keeps the planner's estimate of rows.
fn full_scan<'a, 'p>(lookup: &Lookup<'a>, scans: &[Scan<'p>]) -> Option<FullScan<'a, 'p>> {
    let mut found = full_scans(lookup, scans);
    found.retain(|scan| scan.filter.is_some());
    found.sort_by_key(|scan| (-scan.relation.bytes, &scan.relation.schema, &scan.relation.name));
    found.into_iter().next()
}

/// How a plan reads the partitions of one table.
#[derive(Default)]
struct Spread {
    scanned: usize,
    names_key: bool,
}

const CONDITIONS: [&str; 6] = ["Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond"];

/// The partitioned table of which the plan reads the most partitions.
fn spread<'a>(keys: &PartitionKeys<'a>, lookup: &Lookup<'a>, scans: &[Scan<'_>]) -> Option<(Key<'a>, Spread)> {
    let mut parents: BTreeMap<Key<'a>, Spread> = BTreeMap::new();
    for scan in scans {
        let Some(relation) = lookup.exact(scan.schema, scan.relation) else { continue };
        let (Some(schema), Some(name)) = (&relation.parent_schema, &relation.parent_name) else { continue };
        let parent = parents.entry((schema, name)).or_default();
        parent.scanned += 1;
        let columns = keys.get(&(schema.as_str(), name.as_str())).map_or(&[][..], Vec::as_slice);
        let says =
            |column: &&str| CONDITIONS.iter().any(|key| text(scan.node, key).is_some_and(|said| said.contains(column)));
        parent.names_key |= columns.iter().any(says);
    }
    parents.into_iter().max_by(|a, b| a.1.scanned.cmp(&b.1.scanned).then_with(|| b.0.cmp(&a.0)))
}

fn row<'a>(lookup: &Lookup<'a>, keys: &PartitionKeys<'a>, plan: &Plan, statement: Option<&Statement>) -> PlanRow {
    let mut found = Vec::new();
    if let Some(root) = &plan.plan {
        scans(root, false, &mut found);
    }
    let full = full_scan(lookup, &found);
    let spread = spread(keys, lookup, &found);
    let path = |schema: &str, name: &str| Object::in_schema(ObjectKind::Table, &plan.database, schema, name).path();
    let counters = statement.map(|statement| &statement.counters);
    let correlated = plan.plan.as_ref().and_then(|root| correlation(lookup, root, &found));
    PlanRow {
        fingerprint: plan.fingerprint.clone(),
        calls: counters.map_or(0, |counters| counters.calls),
        total_exec_time_ms: counters.map_or(0.0, |counters| counters.total_exec_time_ms),
        mean_exec_time_ms: counters.map_or(0.0, |counters| counters.mean_exec_time_ms),
        total_cost: plan.plan.as_ref().and_then(|root| root.get("Total Cost")).and_then(Value::as_f64),
        scanned_table: full.as_ref().map(|scan| path(&scan.relation.schema, &scan.relation.name)),
        scanned_bytes: full.as_ref().map_or(0, |scan| scan.relation.bytes),
        kept_pct: full.as_ref().map(FullScan::kept_pct),
        filter: full.and_then(|scan| scan.filter.map(str::to_owned)),
        partitioned_table: spread.as_ref().map(|(parent, _)| path(parent.0, parent.1)),
        partitions_scanned: spread.as_ref().map_or(0, |(_, spread)| spread.scanned),
        partition_count: spread.as_ref().map_or(0, |(parent, _)| lookup.leaves(*parent).len()),
        names_partition_key: spread.is_some_and(|(_, spread)| spread.names_key),
        #[allow(clippy::cast_precision_loss, reason = "an average")]
        rows_per_call: counters.filter(|own| own.calls > 0).map(|own| own.rows as f64 / own.calls as f64),
        correlated_table: correlated.as_ref().map(|one| path(&one.relation.schema, &one.relation.name)),
        correlated_columns: correlated.as_ref().map(|one| one.columns.iter().cloned().collect::<Vec<_>>().join(", ")),
        correlated_expected_rows: correlated.as_ref().map(|one| one.expected),
        correlated_common_rows: correlated.as_ref().map(|one| one.most),
        correlated_has_stale_statistics: correlated.is_some_and(|one| is_stale(one.relation)),
        unplannable: plan.unplannable.clone(),
        error: plan.error.clone(),
    }
}

/// As autovacuum's default would analyze it.
#[allow(clippy::cast_precision_loss, reason = "row counts")]
fn is_stale(relation: &Relation) -> bool {
    let is_unknown = relation.last_analyze.is_none() && relation.last_autoanalyze.is_none();
    is_unknown || relation.modified_since_analyze as f64 > 0.1 * relation.live_tuples.max(1) as f64
}

/// Columns of the partition key of each partitioned table.
type PartitionKeys<'a> = HashMap<Key<'a>, Vec<&'a str>>;

fn partition_keys<'a>(lookup: &Lookup<'a>) -> PartitionKeys<'a> {
    let keys = lookup.snapshot.partitions.iter().map(|partition| {
        let columns = partition.key_columns.iter().map(String::as_str).filter(|column| !column.is_empty());
        ((partition.parent_schema.as_str(), partition.parent_name.as_str()), columns.collect())
    });
    keys.collect()
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>) -> Table<'a> {
    let statements: HashMap<&str, &Statement> =
        lookup.snapshot.statements.iter().map(|statement| (statement.fingerprint.as_str(), statement)).collect();
    let keys = partition_keys(lookup);
    let rows = lookup.snapshot.plans.iter().map(move |plan| {
        let statement = statements.get(plan.fingerprint.as_str()).copied();
        let object = Object {
            kind: ObjectKind::Statement,
            database: Some(plan.database.clone()),
            name: plan.fingerprint.clone(),
            queryid: statement.and_then(|statement| statement.queryids.first().cloned()),
            statement: statement.map(|statement| statement.text.clone()),
            ..Object::default()
        };
        (object, row(lookup, &keys, plan, statement))
    });
    build::table("plans", rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Snapshot, Tool};
    use chrono::DateTime;
    use proptest::prelude::*;
    use serde_json::json;

    /// Any JSON, with the keys of EXPLAIN more often than not.
    fn any_plan() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z ]{0,12}".prop_map(Value::from),
            Just(json!("Seq Scan")),
        ];
        let key = prop_oneof![
            Just("Node Type".to_owned()),
            Just("Plans".to_owned()),
            Just("Relation Name".to_owned()),
            Just("Schema".to_owned()),
            Just("Plan Rows".to_owned()),
            Just("Filter".to_owned()),
            "[A-Za-z ]{0,8}",
        ];
        leaf.prop_recursive(6, 60, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(key.clone(), inner, 0..6).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_plan_makes_it_panic(plan in any_plan()) {
            let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
            snapshot.relations = vec![Relation { schema: "s".into(), name: "t".into(), ..Relation::default() }];
            snapshot.plans = vec![Plan { plan: Some(plan), ..Plan::default() }];
            prop_assert_eq!(table(&Lookup::of(&snapshot)).rows.count(), 1);
        }
    }

    #[test]
    fn a_limit_reaches_through_joins_but_not_through_sorts() {
        let scan = json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": "t", "Filter": "(a = $1)"});
        let of = |root: &Value| {
            let mut found = Vec::new();
            scans(root, false, &mut found);
            found.iter().map(|scan| scan.is_limited).collect::<Vec<_>>()
        };
        assert_eq!(
            of(&json!({"Node Type": "Limit", "Plans": [{"Node Type": "Nested Loop", "Plans": [scan]}]})),
            [true]
        );
        assert_eq!(of(&json!({"Node Type": "Limit", "Plans": [{"Node Type": "Sort", "Plans": [scan]}]})), [false]);
    }
}
