//! The planner as an oracle: how would the server run this statement? Never runs it.
//!
//! From 16 on `EXPLAIN (GENERIC_PLAN)` takes parameters as they are; before, the statement is prepared and
//! `EXPLAIN EXECUTE` asked with NULLs under `plan_cache_mode = force_generic_plan`. Each question is a
//! read-only transaction of its own.

mod consult;
mod hypopg;
mod show;
mod values;

pub use consult::{ConsultError, consult};
pub use hypopg::{Hypopg, Probe, Told};
pub use show::{Shown, show};

use crate::model::snapshot::Plan;
use crate::postgres::{ReadError, Reader, marked};
use crate::statement::{ColumnType, Refusal, Repaired, learn, redact, repair};
use serde_json::Value;
use std::collections::BTreeMap;

/// Parameters of one statement whose types are learnt from the server's refusals, at most.
const LESSONS: usize = 16;

/// One statement to be planned.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Database.
    pub database: &'a str,
    /// Identity of the statement.
    pub fingerprint: &'a str,
    /// Its text with parameters for literals.
    pub text: &'a str,
    /// search_path to resolve its names by; a list of quoted schemas.
    pub search_path: &'a str,
}

/// Asks for the generic plan of a statement.
pub async fn plan(reader: &Reader, major: i32, question: Question<'_>, column_type: &ColumnType<'_>) -> Plan {
    let mut answer = Plan {
        database: question.database.to_owned(),
        fingerprint: question.fingerprint.to_owned(),
        search_path: question.search_path.to_owned(),
        ..Plan::default()
    };
    match planned(reader, major, question, column_type).await {
        Ok((repaired, mut plan)) => {
            if filters_whole(&plan) {
                let script = without_seq_scan(script(&repaired, major));
                answer.without_seq_scan = reader.explain(&script, question.search_path).await.ok();
                answer.without_seq_scan.iter_mut().for_each(redact_plan);
            }
            redact_plan(&mut plan);
            answer.plan = Some(plan);
        }
        Err((code, words)) => {
            answer.unplannable = Some(code.to_owned());
            answer.error = Some(words);
        }
    }
    answer
}

/// Some table is read whole and filtered.
fn filters_whole(node: &Value) -> bool {
    let is_one = node.get("Node Type").and_then(Value::as_str) == Some("Seq Scan") && node.get("Filter").is_some();
    is_one || node.get("Plans").and_then(Value::as_array).into_iter().flatten().any(filters_whole)
}

/// The same question of a planner that takes sequential scans as the last resort. The last statement but one answers.
fn without_seq_scan(mut script: Vec<String>) -> Vec<String> {
    let set = |value: &str| format!("select pg_catalog.set_config('enable_seqscan', '{value}', true)");
    if script.len() == 1 {
        script.push(set("on"));
    }
    script.insert(0, set("off"));
    script
}

/// The statement as the server takes it, and its plan, which shows literals of views and policies; or a code and words why there is none. Each refusal that tells the type of a parameter is
/// followed by another attempt.
async fn planned(
    reader: &Reader,
    major: i32,
    question: Question<'_>,
    column_type: &ColumnType<'_>,
) -> Result<(Repaired, Value), (&'static str, String)> {
    let mut casts = BTreeMap::new();
    loop {
        let repaired =
            repair(question.text, column_type, &casts).map_err(|error| ("not_plannable", error.to_string()))?;
        let script = script(&repaired, major);
        let error = match reader.explain(&script, question.search_path).await {
            Ok(plan) => return Ok((repaired, plan)),
            Err(error) => error,
        };
        let refusal = Refusal {
            sqlstate: error.sqlstate.as_deref().unwrap_or_default(),
            message: &error.message,
            position: error.position.and_then(|at| position(&script, &repaired.sql, at)),
        };
        let learnt = learn(&repaired.sql, refusal, &casts);
        if learnt.is_empty() || casts.len() >= LESSONS {
            return Err((code(&error), error.message));
        }
        casts.extend(learnt);
    }
}

/// The byte of the statement itself that the server points at.
fn position(script: &[String], sql: &str, at: u32) -> Option<usize> {
    let asked = script.iter().find(|statement| statement.ends_with(sql))?;
    let character = usize::try_from(at).ok()?.checked_sub(1 + asked.len() - sql.len())?;
    sql.char_indices().nth(character).map(|(byte, _)| byte)
}

/// Parts of a plan that are expressions: they show literals of views, policies and constraints.
const EXPRESSIONS: [&str; 17] = [
    "Cache Key",
    "Conflict Filter",
    "Filter",
    "Function Call",
    "Group Key",
    "Hash Cond",
    "Index Cond",
    "Join Filter",
    "Merge Cond",
    "One-Time Filter",
    "Order By",
    "Output",
    "Presorted Key",
    "Recheck Cond",
    "Run Condition",
    "Sort Key",
    "TID Cond",
];

/// Conditions and orders of a plan.
#[must_use]
pub fn compared(node: &Value) -> Vec<&str> {
    const MADE: [&str; 2] = ["Output", "Function Call"];
    match node {
        Value::Object(map) => {
            let is_compared = |key: &str| EXPRESSIONS.contains(&key) && !MADE.contains(&key);
            map.iter().flat_map(|(key, value)| if is_compared(key) { texts(value) } else { compared(value) }).collect()
        }
        Value::Array(items) => items.iter().flat_map(compared).collect(),
        _ => Vec::new(),
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Takes the literals out of a plan's expressions.
fn redact_plan(node: &mut Value) {
    match node {
        Value::Object(map) => {
            for (key, value) in map {
                if EXPRESSIONS.contains(&key.as_str()) { redact_expression(value) } else { redact_plan(value) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_plan),
        _ => {}
    }
}

fn redact_expression(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(text).unwrap_or_default(),
        Value::Array(items) => items.iter_mut().for_each(redact_expression),
        _ => {}
    }
}

/// The statements that make the plan: one, or several of which the last but one returns it.
fn script(repaired: &Repaired, major: i32) -> Vec<String> {
    let mut statements = explaining(repaired, major, "verbose, format json");
    if statements.len() > 1 {
        let setting = "select pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)";
        statements.insert(0, setting.to_owned());
    }
    statements
}

/// As one message of a session whose `plan_cache_mode` is `force_generic_plan`.
fn message(repaired: &Repaired, major: i32, options: &str) -> String {
    let statements = explaining(repaired, major, options);
    statements.iter().map(|statement| marked(statement)).collect::<Vec<_>>().join("; ")
}

/// EXPLAIN with no regard to the values of parameters; before 16 of a statement that is prepared for it.
fn explaining(repaired: &Repaired, major: i32, options: &str) -> Vec<String> {
    let Repaired { sql, params, .. } = repaired;
    if major >= 16 {
        return vec![format!("explain (generic_plan, {options}) {sql}")];
    }
    if *params == 0 {
        return vec![format!("explain ({options}) {sql}")];
    }
    let nulls = vec!["null"; usize::try_from(*params).unwrap_or(0)].join(", ");
    vec![
        format!("prepare pgassay_question{} as {sql}", declared(repaired)),
        format!("explain ({options}) execute pgassay_question({nulls})"),
        "deallocate pgassay_question".to_owned(),
    ]
}

/// Types for the parameters that are gone from the text: the server refuses those it cannot type.
fn declared(repaired: &Repaired) -> String {
    let Some(last) = repaired.gone.last() else { return String::new() };
    let types = (1..=*last).map(|number| if repaired.gone.contains(&number) { "text" } else { "unknown" });
    format!("({})", types.collect::<Vec<_>>().join(", "))
}

/// Why the server refused, as a code.
fn code(error: &ReadError) -> &'static str {
    match error.sqlstate.as_deref() {
        Some("42P01") => "no_relation",
        Some("42702" | "42P09") => "ambiguous_name",
        Some("42501") => "no_privilege",
        Some("57014" | "55P03" | "40001" | "40P01") => "timeout",
        Some("42P18" | "42725" | "42883" | "42804" | "42P08") => "untyped_parameter",
        Some("42601" | "0A000") => "not_plannable",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_16_the_statement_is_prepared() {
        let repaired = Repaired { sql: "SELECT $1".to_owned(), params: 2, ..Repaired::default() };
        assert_eq!(script(&repaired, 16), ["explain (generic_plan, verbose, format json) SELECT $1"]);
        assert_eq!(script(&repaired, 15)[2], "explain (verbose, format json) execute pgassay_question(null, null)");
        let gone = Repaired { gone: [1].into(), ..repaired.clone() };
        assert_eq!(script(&gone, 13)[1], "prepare pgassay_question(text) as SELECT $1");
        assert_eq!(script(&Repaired { params: 0, ..repaired }, 13).len(), 1);
    }

    #[test]
    fn without_sequential_scans_the_last_but_one_answers() {
        let repaired = Repaired { sql: "SELECT $1".to_owned(), params: 1, ..Repaired::default() };
        for major in [13, 18] {
            let script = without_seq_scan(script(&repaired, major));
            assert!(script[script.len() - 2].starts_with("explain"), "{script:?}");
            assert!(script[0].contains("'enable_seqscan', 'off'"), "{script:?}");
        }
    }

    #[test]
    fn a_plan_shows_no_literals() {
        let mut plan = serde_json::json!({"Node Type": "Seq Scan", "Relation Name": "t1", "Filter": "(name = 'geheim'::text)",
            "Plans": [{"Output": ["a", "'geheim'"], "Plan Rows": 12}]});
        redact_plan(&mut plan);
        assert_eq!(plan["Filter"], "(name = $1::text)");
        assert!(
            !plan.to_string().contains("geheim")
                && plan["Relation Name"] == "t1"
                && plan["Plans"][0]["Plan Rows"] == 12
        );
    }

    #[test]
    fn the_server_points_into_the_statement() {
        let repaired = Repaired { sql: "SELECT 'ü' + $1".to_owned(), params: 1, ..Repaired::default() };
        for major in [13, 18] {
            let script = script(&repaired, major);
            let asked = script.iter().find(|statement| statement.ends_with(&repaired.sql)).expect("asked");
            let at = u32::try_from(asked.chars().count() - 3).expect("short");
            assert_eq!(position(&script, &repaired.sql, at), repaired.sql.find('+'));
            assert_eq!(position(&script, &repaired.sql, 2), None);
        }
    }

    #[test]
    fn a_refusal_has_a_code() {
        let sqlstate = Some("42501".to_owned());
        assert_eq!(code(&ReadError { message: String::new(), sqlstate, position: None }), "no_privilege");
    }
}
