//! What a history holds, for people and for programs.

use super::page::{bold, lines};
use super::words::noun;
use super::{Style, escape};
use crate::model::history::{Holdings, Kept, Run, Tally};
use crate::model::units;
use comfy_table::{CellAlignment, Table, presets};
use std::io::{self, Write};

/// Names of what is no run that are shown; JSON has all.
const NAMED: usize = 5;

/// Writes the runs for people, the oldest first.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub fn write_holdings(holdings: &Holdings, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let count = holdings.runs.len();
    let bytes: u64 = holdings.runs.iter().map(|kept| kept.bytes).sum();
    let head = format!("{count} {} in {}, {}", noun(count, "run"), escape(&holdings.store), units::bytes(bytes as f64));
    writeln!(out, "{}", bold(&head, style))?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for kept in &holdings.runs {
        let run = &kept.run;
        table.add_row([
            run.captured_at.format("%F %H:%M:%S").to_string(),
            escape(&run.place()),
            run.findings.map_or_else(|| "not judged".to_owned(), counts),
            units::bytes(kept.bytes as f64),
            kept.name.clone(),
        ]);
    }
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for line in table.lines().filter(|_| count > 0) {
        writeln!(out, "{}", line.trim_end())?;
    }
    strangers(holdings, style, out)
}

fn strangers(holdings: &Holdings, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let count = holdings.strangers.len();
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "\n{}", bold(&format!("LEFT ALONE, as no runs that this program reads: {count}"), style))?;
    let shown = holdings.strangers.iter().take(NAMED).map(|one| format!("{}: {}", one.name, one.reason));
    let more = (count > NAMED).then(|| format!("… and {} more; --format json has all", count - NAMED));
    lines(&shown.chain(more).collect::<Vec<_>>(), style, out)
}

/// Writes them as JSON, version 1.
pub fn write_holdings_json(holdings: &Holdings, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, holdings)?;
    writeln!(out)
}

/// Writes one run for people.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub fn write_kept(kept: &Kept, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let Kept { name, bytes, run } = kept;
    writeln!(out, "{}", bold(name, style))?;
    let role = if run.is_standby { "standby" } else { "primary" };
    let window = (run.captured_at - run.counters_since).num_milliseconds() as f64;
    let told = [
        format!("{}, databases {}", run.place(), run.databases.join(", ")),
        format!("PostgreSQL {} {role}, read {}", run.server_version, run.captured_at.format("%F %H:%M:%S UTC")),
        format!("statement counters cover at least {}", units::millis(window)),
        format!("by {} {}; {} compressed", run.tool.name, run.tool.version, units::bytes(*bytes as f64)),
        told_findings(run),
    ];
    lines(&told, style, out)
}

fn told_findings(run: &Run) -> String {
    let gaps = match run.gaps {
        0 => String::new(),
        count => format!("; {count} {} not read", noun(count, "thing")),
    };
    let found = run
        .findings
        .map(|tally| format!("found then: {}, {} waived; exit code {}", counts(tally), tally.waived, tally.exit_code));
    format!("{}{gaps}", found.unwrap_or_else(|| "read only, not judged".to_owned()))
}

fn counts(tally: Tally) -> String {
    format!("{} critical, {} warning, {} info", tally.critical, tally.warning, tally.info)
}
