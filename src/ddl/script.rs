//! A plan as a script for psql, for those who carry it out by hand.

use super::quote::literal;
use crate::model::escape::escape;
use crate::model::plan::{LockClass, Plan, Statement, Step};
use crate::model::units;
use std::fmt::Write;

/// Wait for a lock that others would queue behind, in the script.
const LOCK_TIMEOUT: &str = "1s";

/// The script. Comments are made of single lines, so that no name can end one.
#[must_use]
pub fn script(plan: &Plan) -> String {
    let mut text = String::new();
    head(plan, &mut text);
    for step in &plan.steps {
        self::step(step, &mut text);
    }
    for left in &plan.left {
        comment(&mut text, &format!("left: {} {}: {}", left.finding.rule, left.finding.object, left.reason));
    }
    text
}

fn head(plan: &Plan, text: &mut String) {
    let target = &plan.target;
    let steps = plan.steps.len();
    let plural = if steps == 1 { "" } else { "s" };
    comment(text, &format!("{steps} step{plural} for database {}, planned {}", target.database, plan.captured_at));
    comment(text, "run it with: psql --no-psqlrc --file THIS over a direct connection, not through a pooler");
    comment(text, "a step that fails stops the script; `pgassay apply` retries, watches, repairs and resumes besides");
    text.push_str("\\set ON_ERROR_STOP on\n");
    text.push_str("SET search_path = pg_catalog;\nSET statement_timeout = 0;\n");
    // Else a snapshot would be older than the locks that a transaction waits for.
    text.push_str("SET default_transaction_isolation = 'read committed';\n");
    let database = literal(&target.database);
    comment(text, "divides by zero, and so stops, in any other database than the planned one");
    let _ = writeln!(text, "SELECT 1 / (current_database() = {database})::int AS is_planned_database;");
}

fn step(step: &Step, text: &mut String) {
    text.push('\n');
    comment(text, &format!("step {}: {} {}", step.id, step.change.kind(), step.change.object()));
    comment(text, &step.why);
    for caveat in &step.caveats {
        comment(text, &format!("but: {caveat}"));
    }
    if step.estimate.bytes != 0 {
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let bytes = units::bytes(step.estimate.bytes.unsigned_abs() as f64);
        let verb = if step.estimate.bytes < 0 { "frees" } else { "takes at most" };
        comment(text, &format!("{verb} about {bytes}: {}", step.estimate.basis));
    }
    for statement in &step.statements {
        run(statement, text);
    }
    for sql in step.undo.iter().flat_map(Statement::commands) {
        comment(text, &format!("undo: {sql};"));
    }
}

fn run(statement: &Statement, text: &mut String) {
    comment(text, &format!("{} on {}, {}", statement.lock, statement.on, statement.class.name()));
    let timeout = match statement.class {
        LockClass::Blocking => LOCK_TIMEOUT,
        LockClass::Waiting => "0",
    };
    let _ = writeln!(text, "SET lock_timeout = '{timeout}';");
    if !statement.then.is_empty() {
        text.push_str("BEGIN;\n");
    }
    statement.commands().for_each(|sql| {
        let _ = writeln!(text, "{sql};");
    });
    if !statement.then.is_empty() {
        text.push_str("COMMIT;\n");
    }
}

fn comment(text: &mut String, line: &str) {
    let _ = writeln!(text, "-- {}", escape(&line.split_whitespace().collect::<Vec<_>>().join(" ")));
}
