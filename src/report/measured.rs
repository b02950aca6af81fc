//! What changes brought, for people.

use super::page::{bold, lines};
use super::words::{cut_flat, noun};
use super::{Style, escape};
use crate::compare::{Effect, Measured, PerCall, StatementEffect};
use crate::model::units;
use serde::Serialize;
use std::io::{self, Write};

/// Longest statement shown, in characters.
const STATEMENT: usize = 100;

/// Writes the outcome of `verify`: of each run its changes.
pub fn write_measured(outcomes: &[(&str, Vec<Measured>)], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if outcomes.is_empty() {
        return writeln!(out, "no run of this plan changed anything");
    }
    for (at, (run, changes)) in outcomes.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let count = changes.len();
        writeln!(out, "{}", bold(&format!("run {run}, {count} {} measured", noun(count, "change")), style))?;
        for one in changes {
            change(one, run, style, out)?;
        }
    }
    Ok(())
}

fn change(one: &Measured, run: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let name = format!("{}  {}", one.step, one.kind);
    writeln!(out, "\n{}  {}  {}", bold(&name, style), escape(&one.object), bold(one.effect.name(), style))?;
    let mut told = one.facts.clone();
    told.extend(one.statements.iter().map(statement));
    if one.effect == Effect::Harmful {
        told.push(format!("to take the whole run back: pgassay apply undo --run {run}"));
    }
    lines(&told, style, out)
}

/// What `verify` says, for programs.
#[derive(Serialize)]
struct Outcome<'a> {
    /// Version of this form.
    schema_version: u32,
    runs: Vec<RunOutcome<'a>>,
}

#[derive(Serialize)]
struct RunOutcome<'a> {
    run: &'a str,
    changes: &'a [Measured],
}

/// Writes the outcome of `verify` as JSON, version 1.
pub fn write_measured_json(outcomes: &[(&str, Vec<Measured>)], out: &mut dyn Write) -> io::Result<()> {
    let runs = outcomes.iter().map(|(run, changes)| RunOutcome { run, changes }).collect();
    serde_json::to_writer_pretty(&mut *out, &Outcome { schema_version: 1, runs })?;
    writeln!(out)
}

fn statement(one: &StatementEffect) -> String {
    let (text, _) = cut_flat(&one.text, STATEMENT);
    let used = if one.uses_index { ", by this index" } else { "" };
    format!("q:{} {text}: {} → {}{used}", one.fingerprint, per_call(one.before), per_call(one.since))
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn per_call(one: PerCall) -> String {
    let wal = if one.wal_bytes >= 1.0 { format!(", {} of WAL", units::bytes(one.wal_bytes)) } else { String::new() };
    format!(
        "{} and {} blocks{wal} a call over {} calls",
        units::millis(one.ms),
        units::short(one.blocks),
        units::count(one.calls as f64)
    )
}
