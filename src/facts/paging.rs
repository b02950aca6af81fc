//! Statements of which each page costs the same: all rows are read before the first one is returned.

use super::lookup::{Key, Lookup};
use super::plans::{scans, text};
use serde_json::Value;
use std::collections::HashSet;

/// Fingerprints of the statements whose generic plan does so, where no index could return the rows in
/// their order instead.
pub(super) fn paged_whole<'a>(lookup: &Lookup<'a>) -> HashSet<&'a str> {
    let plans = lookup.snapshot.plans.iter();
    plans
        .filter(|plan| plan.plan.as_ref().is_some_and(|root| reads_all_first(lookup, root)))
        .map(|plan| plan.fingerprint.as_str())
        .collect()
}

/// The part of a node that its rows come from, one by one: the first child that is no side matter.
fn source(node: &Value) -> Option<&Value> {
    let is_side = |child: &&Value| matches!(text(child, "Parent Relationship"), Some("InitPlan" | "SubPlan"));
    node.get("Plans").and_then(Value::as_array)?.iter().find(|child| !is_side(child))
}

fn reads_all_first(lookup: &Lookup<'_>, root: &Value) -> bool {
    let is_limit = |node: &&Value| text(node, "Node Type") == Some("Limit");
    let mut path = std::iter::successors(Some(root), |node| source(node)).skip_while(|node| !is_limit(node));
    let Some(limit) = path.next() else { return false };
    for node in path {
        match text(node, "Node Type") {
            Some("Sort") => return !has_order(lookup, limit, node),
            Some("Aggregate") if text(node, "Strategy") != Some("Sorted") => return true,
            _ => {}
        }
    }
    false
}

/// An index of a table below the limit holds the first column of the order: deep pages alone may be why
/// the planner sorts.
fn has_order(lookup: &Lookup<'_>, limit: &Value, sort: &Value) -> bool {
    let keys = sort.get("Sort Key").and_then(Value::as_array);
    let Some(first) = keys.and_then(|keys| keys.first()).and_then(Value::as_str) else { return true };
    let words: HashSet<&str> = first.split([' ', '.', '(', ')', '"', ',']).collect();
    let mut found = Vec::new();
    scans(limit, false, &mut found);
    let tables = found.iter().filter_map(|scan| lookup.exact(scan.schema, scan.relation));
    let keys: Vec<Key<'_>> = tables.map(|table| (table.schema.as_str(), table.name.as_str())).collect();
    lookup.snapshot.indexes.iter().any(|index| {
        keys.contains(&(index.schema.as_str(), index.table.as_str()))
            && index.key_columns.iter().any(|column| words.contains(column.as_str()))
    })
}
