//! How often a plan visits rows by an index one by one, on the inner side of nested loops. The planner takes pages that are
//! visited again for cached and free (Mackert and Lohman 1989; `index_pages_fetched`, costsize.c), which the processor does not.

use super::estimate::workers;
use super::reading::{children, text};
use serde_json::Value;

/// Visits of one execution: for each search the rows that it finds, one at least; an index-only scan visits the index alone.
#[must_use]
pub fn visits(plan: &Value) -> f64 {
    counted(plan, Times { runs: 1.0, share: 1.0, is_inner: false })
}

/// How often a node is run.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// In all worker processes together.
    runs: f64,
    /// Share of its rows that is wanted, as of a LIMIT above.
    share: f64,
    /// Once for each row of another.
    is_inner: bool,
}

fn rows(node: &Value) -> f64 {
    node.get("Plan Rows").and_then(Value::as_f64).unwrap_or(0.0)
}

fn counted(node: &Value, times: Times) -> f64 {
    let kind = text(node, "Node Type").unwrap_or_default();
    let own = match kind {
        "Index Scan" | "Bitmap Heap Scan" if times.is_inner => times.runs * times.share * rows(node).max(1.0),
        "Index Only Scan" if times.is_inner => times.runs * times.share,
        _ => 0.0,
    };
    let told = children(node).map(|child| below(node, kind, child, times));
    // Of partitions that are looked up in by their key one is visited: the others are pruned when it is run.
    let is_pruned = times.is_inner && matches!(kind, "Append" | "Merge Append");
    own + if is_pruned { told.fold(0.0, f64::max) } else { told.sum::<f64>() }
}

fn below(node: &Value, kind: &str, child: &Value, times: Times) -> f64 {
    let is_inner = text(child, "Parent Relationship") == Some("Inner");
    let whole = Times { share: 1.0, ..times };
    if text(child, "Parent Relationship") == Some("InitPlan") {
        return counted(child, Times { runs: 1.0, share: 1.0, is_inner: false });
    }
    match kind {
        // Of what is remembered nobody knows how much is looked up again.
        "Memoize" => 0.0,
        "Nested Loop" if is_inner => {
            let outer = children(node).find(|other| text(other, "Parent Relationship") == Some("Outer"));
            let runs = times.runs * times.share * outer.map_or(1.0, rows);
            counted(child, Times { runs, share: 1.0, is_inner: true })
        }
        // Their rows are kept and read again.
        "Materialize" | "Hash" => counted(child, Times { is_inner: false, runs: 1.0, share: 1.0 }),
        "Limit" => {
            let share = (rows(node) / rows(child).max(1.0)).min(1.0);
            counted(child, Times { share: times.share * share, ..times })
        }
        "Gather" | "Gather Merge" => counted(child, Times { runs: times.runs * workers(node), ..times }),
        "Nested Loop" | "Append" | "Merge Append" | "Result" | "Subquery Scan" | "LockRows" | "Unique" | "Group" => {
            counted(child, times)
        }
        _ => counted(child, whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(kind: &str, place: &str, rows: i64, plans: Value) -> Value {
        json!({"Node Type": kind, "Parent Relationship": place, "Plan Rows": rows, "Plans": plans})
    }

    fn looked_up(outer: Value, inner: &str, rows: i64) -> Value {
        node("Nested Loop", "Outer", 1_000, json!([outer, node(inner, "Inner", rows, json!([]))]))
    }

    #[test]
    fn visits_are_those_of_inner_sides() {
        let scan = || node("Seq Scan", "Outer", 1_000, json!([]));
        let inner = |kind: &str, rows| looked_up(scan(), kind, rows);
        let gather =
            |child: Value| json!({"Node Type": "Gather", "Plan Rows": 1_000, "Workers Planned": 2, "Plans": [child]});
        let kept = node("Materialize", "Inner", 1, json!([node("Index Scan", "Outer", 1, json!([]))]));
        let known = node("Memoize", "Inner", 1, json!([node("Index Scan", "Outer", 1, json!([]))]));
        for (plan, expected) in [
            (inner("Index Scan", 4), 4_000.0),
            (inner("Bitmap Heap Scan", 0), 1_000.0),
            (inner("Index Only Scan", 4), 1_000.0),
            (inner("Seq Scan", 4), 0.0),
            (node("Index Scan", "Outer", 500, json!([])), 0.0),
            (looked_up(inner("Index Scan", 4), "Index Scan", 2), 6_000.0),
            (gather(inner("Index Scan", 4)), 9_600.0),
            (node("Limit", "Outer", 10, json!([inner("Index Scan", 4)])), 40.0),
            (
                node("Limit", "Outer", 10, json!([node("Sort", "Outer", 1_000, json!([inner("Index Scan", 4)]))])),
                4_000.0,
            ),
            (node("Nested Loop", "Outer", 1, json!([scan(), kept])), 0.0),
            (node("Nested Loop", "Outer", 1, json!([scan(), known])), 0.0),
            (
                node(
                    "Nested Loop",
                    "Outer",
                    1,
                    json!([
                        scan(),
                        node(
                            "Append",
                            "Inner",
                            2,
                            json!([
                                node("Index Scan", "Member", 1, json!([])),
                                node("Index Scan", "Member", 2, json!([])),
                            ])
                        )
                    ]),
                ),
                2_000.0,
            ),
            (
                node(
                    "Limit",
                    "Outer",
                    10,
                    json!([scan(), node("Result", "InitPlan", 1, json!([inner("Index Scan", 4)]))]),
                ),
                4_000.0,
            ),
            (json!({}), 0.0),
        ] {
            assert!((visits(&plan) - expected).abs() < 1e-6, "{} of {plan:#}", visits(&plan));
        }
    }
}
