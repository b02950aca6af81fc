//! The planner as an oracle: how would the server run this statement? Never runs it.
//!
//! From 16 on `EXPLAIN (GENERIC_PLAN)` takes parameters as they are; before, the statement is prepared and
//! `EXPLAIN EXECUTE` asked with NULLs under `plan_cache_mode = force_generic_plan`. Each question is a
//! read-only transaction of its own.

mod consult;
mod hypopg;

pub use consult::{ConsultError, Consultation, Consulted, consult};
pub use hypopg::{Hypopg, Probe};

use crate::model::snapshot::Plan;
use crate::postgres::{ReadError, Reader};
use crate::statement::{Repaired, redact, repair};
use serde_json::Value;
use std::collections::BTreeMap;

/// Times a statement is mended by what the server says of it.
const ATTEMPTS: usize = 6;

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

/// Asks for the generic plan of a statement. `column_type` knows the type of a column by its name.
pub async fn plan(
    reader: &Reader,
    major: i32,
    question: Question<'_>,
    column_type: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Plan {
    let (plan, unplannable, error) = match planned(reader, major, question, column_type).await {
        Ok((_, plan)) => (Some(plan), None, None),
        Err((code, words)) => (None, Some(code.to_owned()), Some(words)),
    };
    Plan {
        database: question.database.to_owned(),
        fingerprint: question.fingerprint.to_owned(),
        search_path: question.search_path.to_owned(),
        plan,
        unplannable,
        error,
    }
}

/// The statement as the server takes it, and its plan; or why there is none, as a code and in words.
async fn planned(
    reader: &Reader,
    major: i32,
    question: Question<'_>,
    column_type: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<(Repaired, Value), (&'static str, String)> {
    let mut casts = BTreeMap::new();
    let mut outcome = Err(("not_plannable", "the parser refused the text".to_owned()));
    for _ in 0..ATTEMPTS {
        let repaired = match repair(question.text, column_type, &casts) {
            Ok(repaired) => repaired,
            Err(error) => {
                outcome = Err(("not_plannable", error.to_string()));
                break;
            }
        };
        match reader.explain(&script(&repaired, major), question.search_path).await {
            Ok(mut plan) => {
                redact_plan(&mut plan);
                return Ok((repaired, plan));
            }
            Err(error) => {
                let untyped = untyped_parameter(&error).filter(|number| !casts.contains_key(number));
                outcome = Err((code(&error), error.message));
                let Some(number) = untyped else { break };
                casts.insert(number, "text".to_owned());
            }
        }
    }
    outcome
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
    let Repaired { sql, params } = repaired;
    if major >= 16 {
        return vec![format!("explain (generic_plan, verbose, format json) {sql}")];
    }
    if *params == 0 {
        return vec![format!("explain (verbose, format json) {sql}")];
    }
    let nulls = vec!["null"; usize::try_from(*params).unwrap_or(0)].join(", ");
    vec![
        "select pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)".to_owned(),
        format!("prepare pgassay_question as {sql}"),
        format!("explain (verbose, format json) execute pgassay_question({nulls})"),
        "deallocate pgassay_question".to_owned(),
    ]
}

/// Why the server refused, as a code.
fn code(error: &ReadError) -> &'static str {
    match error.sqlstate.as_deref() {
        Some("42P01") => "no_relation",
        Some("42702" | "42P09") => "ambiguous_name",
        Some("42501") => "no_privilege",
        Some("57014" | "55P03") => "timeout",
        Some("42P18" | "42725" | "42883" | "42804" | "42P08") => "untyped_parameter",
        Some("42601" | "0A000") => "not_plannable",
        _ => "other",
    }
}

/// `could not determine data type of parameter $3`
fn untyped_parameter(error: &ReadError) -> Option<i32> {
    let is_untyped = matches!(error.sqlstate.as_deref(), Some("42P18"));
    let number = error.message.rsplit('$').next().filter(|_| is_untyped)?;
    number.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_16_the_statement_is_prepared() {
        let repaired = Repaired { sql: "SELECT $1".to_owned(), params: 2 };
        assert_eq!(script(&repaired, 16), ["explain (generic_plan, verbose, format json) SELECT $1"]);
        assert_eq!(script(&repaired, 15)[2], "explain (verbose, format json) execute pgassay_question(null, null)");
        assert_eq!(script(&Repaired { params: 0, ..repaired }, 13).len(), 1);
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
    fn the_server_names_the_parameter_it_cannot_type() {
        let error = |sqlstate: &str| ReadError {
            message: "could not determine data type of parameter $12".to_owned(),
            sqlstate: Some(sqlstate.to_owned()),
        };
        assert_eq!(untyped_parameter(&error("42P18")), Some(12));
        assert_eq!(untyped_parameter(&error("42601")), None);
        assert_eq!(code(&error("42501")), "no_privilege");
    }
}
