//! Plans, asked for and read: what a statement touches, and how it is run.

use crate::model::measurement::Blocks;
use crate::postgres::{ReadError, Stopwatch};
use serde::Deserialize;
use serde_json::Value;

/// What one execution showed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) blocks: Blocks,
    pub(super) plan: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Explained {
    #[serde(rename = "QUERY PLAN")]
    plan: Value,
}

/// The plan of a statement under these options of EXPLAIN.
pub(super) async fn plan_of(watch: &Stopwatch, options: &str, sql: &str) -> Result<Value, ReadError> {
    let rows: Vec<Explained> = watch.ask(&format!("explain ({options}, format json) {sql}"), &[]).await?;
    let plan = rows.into_iter().next().map(|row| row.plan).unwrap_or_default();
    Ok(plan.get(0).and_then(|first| first.get("Plan")).cloned().unwrap_or_default())
}

/// One execution more, looked at from inside; none where it failed, as it takes longer so.
pub(super) async fn analyse(watch: &Stopwatch, sql: &str) -> Option<Seen> {
    let plan = plan_of(watch, "analyze, buffers, timing off", sql).await.ok()?;
    let mut lines = Vec::new();
    nodes(&plan, 0, &mut lines);
    Some(Seen { blocks: blocks(&plan), plan: lines })
}

/// The outermost node counts what is below it.
fn blocks(plan: &Value) -> Blocks {
    let count = |name: &str| plan.get(name).and_then(Value::as_u64).unwrap_or(0);
    Blocks {
        shared_hit: count("Shared Hit Blocks"),
        shared_read: count("Shared Read Blocks"),
        local: count("Local Hit Blocks") + count("Local Read Blocks"),
        temp_read: count("Temp Read Blocks"),
        temp_written: count("Temp Written Blocks"),
    }
}

fn nodes(plan: &Value, depth: usize, lines: &mut Vec<String>) {
    let word = |name: &str, before: &str| {
        plan.get(name).and_then(Value::as_str).map(|text| format!("{before}{text}")).unwrap_or_default()
    };
    let relation = [word("Relation Name", " on "), word("CTE Name", " on "), word("Function Name", " on ")].concat();
    lines.push(format!("{}{}{}{relation}", "  ".repeat(depth), word("Node Type", ""), word("Index Name", " using ")));
    for child in plan.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        nodes(child, depth + 1, lines);
    }
}

/// One of these nodes is somewhere in it.
pub(super) fn has_node(plan: &Value, types: &[&str]) -> bool {
    let is_one = plan.get("Node Type").and_then(Value::as_str).is_some_and(|own| types.contains(&own));
    is_one || plan.get("Plans").and_then(Value::as_array).into_iter().flatten().any(|child| has_node(child, types))
}

/// Every text in it that is SQL: all but names, which stand as they are and not as SQL quotes them.
pub(super) fn expressions<'a>(plan: &'a Value, texts: &mut Vec<&'a str>) {
    match plan {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| expressions(item, texts)),
        Value::Object(map) => {
            let is_sql = |key: &str| !key.ends_with(" Name") && !matches!(key, "Alias" | "Schema");
            map.iter().filter(|(key, _)| is_sql(key)).for_each(|(_, value)| expressions(value, texts));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_from_its_root() {
        let plan = serde_json::json!({
            "Node Type": "Nested Loop", "Shared Hit Blocks": 7, "Shared Read Blocks": 2, "Temp Written Blocks": 3,
            "Plans": [
                {"Node Type": "Index Scan", "Index Name": "orders_pkey", "Relation Name": "orders", "Shared Hit Blocks": 4},
                {"Node Type": "Function Scan", "Function Name": "unnest"},
            ]
        });
        let found = blocks(&plan);
        assert_eq!((found.shared_hit, found.shared_read, found.temp_written), (7, 2, 3));
        let mut lines = Vec::new();
        nodes(&plan, 0, &mut lines);
        assert_eq!(lines, ["Nested Loop", "  Index Scan using orders_pkey on orders", "  Function Scan on unnest"]);
        assert!(has_node(&plan, &["Function Scan"]) && !has_node(&plan, &["LockRows"]));
    }
    #[test]
    fn names_are_no_expressions() {
        let plan = serde_json::json!({"Alias": "it's", "Index Name": "a\"b", "Plans": [{"Output": ["f(x)", "y"], "Filter": "z"}]});
        let mut texts = Vec::new();
        expressions(&plan, &mut texts);
        texts.sort_unstable();
        assert_eq!(texts, ["f(x)", "y", "z"]);
    }
}
