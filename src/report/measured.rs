//! What changes brought, for people.

use super::plan::{bold, lines};
use super::words::flat;
use super::{Style, escape};
use crate::compare::{Effect, Measured, PerCall, StatementEffect};
use crate::model::units;
use std::io::{self, Write};

/// Longest statement shown, in characters.
const STATEMENT: usize = 100;

/// Writes the outcome of `verify`.
pub fn write_measured(measured: &[Measured], run: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", bold(&format!("run {run}, {} changes measured", measured.len()), style))?;
    for one in measured {
        let name = format!("{}  {}", one.step, one.kind);
        writeln!(out, "\n{}  {}  {}", bold(&name, style), escape(&one.object), bold(one.effect.name(), style))?;
        let mut told = one.facts.clone();
        told.extend(one.statements.iter().map(statement));
        if one.effect == Effect::Harmful {
            told.push(format!("to take the whole run back: pgassay apply undo --run {run}"));
        }
        lines(&told, style, out)?;
    }
    Ok(())
}

fn statement(one: &StatementEffect) -> String {
    let text: String = flat(&one.text).chars().take(STATEMENT).collect();
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
