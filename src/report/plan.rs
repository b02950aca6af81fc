//! A plan for people: each step with its reason, its SQL, what it locks and takes, and the way back.

use super::page::{bold, lines, wrapped};
use super::words::{alike, for_each};
use super::{Style, escape};
use crate::model::plan::{Estimate, Left, Plan, Statement, Step};
use crate::model::units;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Statements of one step that are shown; the files have all.
const SHOWN: usize = 4;

/// Characters of a longer command that are shown.
const HEAD: usize = 240;

/// Writes the plan.
pub fn write_plan(plan: &Plan, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let (steps, target) = (plan.steps.len(), &plan.target);
    let plural = if steps == 1 { "" } else { "s" };
    let head = format!(
        "{steps} step{plural} for database {}, planned {}",
        target.database,
        plan.captured_at.format("%F %H:%M UTC")
    );
    writeln!(out, "{}", bold(&escape(&head), style))?;
    for step in &plan.steps {
        writeln!(out)?;
        let name = format!("{}  {}", step.id, step.change.kind());
        let object = format!("{}{}", step.change.object(), place(step));
        writeln!(out, "{}  {}", bold(&name, style), escape(&object))?;
        lines(&words(step), style, out)?;
    }
    left(&plan.left, style, out)
}

fn place(step: &Step) -> String {
    let table = step.change.table();
    if table == step.change.object() { String::new() } else { format!(" on {table}") }
}

fn words(step: &Step) -> Vec<String> {
    let mut words = vec![step.why.clone()];
    words.extend(sql(&step.statements, ""));
    words.push(price(step));
    words.extend(sql(&step.undo, "undo: "));
    words.extend(step.caveats.iter().map(|caveat| format!("not if: {caveat}")));
    words
}

fn sql(statements: &[Statement], prefix: &str) -> Vec<String> {
    let commands = statements.iter().take(SHOWN).flat_map(Statement::commands);
    let mut shown: Vec<String> = commands.map(|sql| format!("{prefix}{};", shortened(sql))).collect();
    if statements.len() > SHOWN {
        shown.push(format!("{prefix}… and {} more statements", statements.len() - SHOWN));
    }
    shown
}

/// A command with its end left out, where it is long; the files have all of it.
fn shortened(sql: &str) -> String {
    match sql.char_indices().nth(HEAD * 2) {
        Some(_) => format!("{} …", sql.chars().take(HEAD).collect::<String>().trim_end()),
        None => sql.to_owned(),
    }
}

/// Locks, room and time.
pub(super) fn price(step: &Step) -> String {
    let mut locks: Vec<String> = Vec::new();
    for statement in &step.statements {
        let lock = format!("{} ({})", statement.lock, statement.class.name());
        if !locks.contains(&lock) {
            locks.push(lock);
        }
    }
    format!("locks: {}; {}", locks.join(", "), estimate(&step.estimate))
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn estimate(estimate: &Estimate) -> String {
    let size = |bytes: i64| units::bytes(bytes as f64);
    let mut words = Vec::new();
    match estimate.bytes {
        0 => {}
        freed if freed < 0 => words.push(format!("frees {}", size(-freed))),
        taken => words.push(format!("takes at most about {}", size(taken))),
    }
    if estimate.peak_bytes > estimate.bytes.max(0) {
        words.push(format!("needs at most {} while it runs", size(estimate.peak_bytes)));
    }
    if let Some(seconds) = estimate.seconds {
        words.push(format!("about {} of work", units::millis(seconds * 1000.0)));
    }
    if words.is_empty() { estimate.basis.clone() } else { format!("{} ({})", words.join(", "), estimate.basis) }
}

/// Findings without a step, by reason.
fn left(left: &[Left], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", bold("LEFT TO YOU", style))?;
    let mut reasons: BTreeMap<&str, Vec<&Left>> = BTreeMap::new();
    for one in left {
        reasons.entry(&one.reason).or_default().push(one);
    }
    for (reason, left) in reasons {
        wrapped(&[reason.to_owned()], 2, style, out)?;
        for group in alike(left.into_iter(), |left| (&left.finding.rule, &left.advice)) {
            let place = |left: &&Left| format!("{}  {}", left.finding.rule, left.finding.object);
            let mut told: Vec<String> = group.iter().map(place).collect();
            match (told.as_mut_slice(), group.as_slice()) {
                ([alone], [one]) => alone.push_str(&format!("  → {}", one.advice)),
                (_, all) => told.extend(all.first().map(|one| format!("→ {}", for_each(all.len(), &one.advice)))),
            }
            lines(&told, style, out)?;
        }
    }
    Ok(())
}
