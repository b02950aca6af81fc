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
    let limit = std::iter::successors(Some(root), |node| source(node)).find(is_limit);
    limit.is_some_and(|limit| is_ready(lookup, limit, limit))
}

/// Rows of this node are all there, read and in order, before the first is returned, and to return
/// one more reads nothing more: a join or a subquery above the sort would, for each row skipped.
fn is_ready(lookup: &Lookup<'_>, limit: &Value, node: &Value) -> bool {
    let children = node.get("Plans").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_of = |child: &&Value, relation| text(child, "Parent Relationship") == Some(relation);
    let reads_by_row = children.iter().any(|child| is_of(&child, "SubPlan"));
    let sources: Vec<&Value> = children.iter().filter(|child| !is_of(child, "InitPlan")).collect();
    match text(node, "Node Type") {
        Some("Sort") => !has_order(lookup, limit, node),
        Some("Aggregate") if text(node, "Strategy") != Some("Sorted") => !reads_by_row,
        Some("Merge Append") => !sources.is_empty() && sources.iter().all(|child| is_ready(lookup, limit, child)),
        Some("LockRows") => false,
        _ => matches!(sources.as_slice(), [child] if !reads_by_row && is_ready(lookup, limit, child)),
    }
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
