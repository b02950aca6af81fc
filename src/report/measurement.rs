//! How long a statement takes: figures side by side, what they say, and how it was run. For people, programs, pull
//! requests and spreadsheets.

use super::csv::cell;
use super::markdown::{code, prose};
use super::page::{bold, lines, paint};
use super::words::{cut_flat, noun};
use super::{Style, escape};
use crate::model::measurement::{Comparison, Measurement, Outcome, Range, Side};
use crate::model::units;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write as _;
use std::io::{self, Write};

/// Longest statement shown, in characters; JSON has it whole.
const STATEMENT: usize = 200;

/// Smallest probability that is told as it is.
const LEAST_P: f64 = 0.0001;

/// Writes it for people.
pub fn write_measurement(measurement: &Measurement, style: Style, out: &mut dyn Write) -> io::Result<()> {
    for text in statements(measurement) {
        writeln!(out, "{}", bold(&escape(&text), style))?;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, cells) in rows(measurement) {
        table.add_row(std::iter::once(name.to_owned()).chain(cells.iter().map(|cell| escape(cell))));
    }
    for at in 1..=measurement.sides.len() {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, "   {}", line.trim_end())?;
    }
    if let Some(comparison) = &measurement.comparison {
        let color = match comparison.outcome {
            Outcome::Slower => "1;31",
            Outcome::Faster => "1;32",
            Outcome::Doubtful | Outcome::NoDifference | Outcome::TooFew => "1",
        };
        writeln!(out, "\n{}", paint(&told(comparison), color, style))?;
        lines(&because(comparison), style, out)?;
    }
    let stopped = stopped(measurement);
    if !stopped.is_empty() {
        writeln!(out, "\n{}", bold("NOT WHOLE", style))?;
        lines(&stopped, style, out)?;
    }
    for (name, plan) in plans(measurement) {
        writeln!(out, "\n{}", bold(name, style))?;
        for line in plan {
            writeln!(out, "    {}", escape(line))?;
        }
    }
    Ok(())
}

/// Writes it as JSON, version 1.
pub fn write_measurement_json(measurement: &Measurement, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, measurement)?;
    writeln!(out)
}

/// Writes it as Markdown.
pub fn write_measurement_markdown(measurement: &Measurement, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    for statement in statements(measurement) {
        let _ = writeln!(text, "{}\n", code(&statement));
    }
    for (at, (name, cells)) in rows(measurement).into_iter().enumerate() {
        let cells: Vec<String> = cells.iter().map(|cell| prose(cell)).collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        if at == 0 {
            let _ = writeln!(text, "|---|{}", "--:|".repeat(cells.len()));
        }
    }
    if let Some(comparison) = &measurement.comparison {
        let _ = writeln!(text, "\n**{}**\n", prose(&told(comparison)));
        because(comparison).iter().for_each(|line| text.push_str(&format!("- {}\n", prose(line))));
    }
    stopped(measurement).iter().for_each(|line| text.push_str(&format!("\n{}\n", prose(line))));
    for (name, plan) in plans(measurement) {
        let _ = writeln!(text, "\n{name}:\n");
        plan.iter().for_each(|line| text.push_str(&format!("    {}\n", escape(line))));
    }
    out.write_all(text.as_bytes())
}

/// Writes it for spreadsheets: RFC 4180, one side a row, times in milliseconds.
pub fn write_measurement_csv(measurement: &Measurement, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "target,server_version,captured_at,fingerprint,clients,executions,min_ms,mean_ms,median_ms,p95_ms,p99_ms,max_ms,\
         deviation_ms,per_second,rows_min,rows_max,shared_hit,shared_read,temp_read,temp_written,outcome,p\r\n"
    )?;
    for (at, side) in measurement.sides.iter().enumerate() {
        let figures = &side.figures;
        let times =
            [figures.min, figures.mean, figures.median, figures.p95, figures.p99, figures.max, figures.deviation];
        let blocks = side.blocks.map(|seen| [seen.shared_hit, seen.shared_read, seen.temp_read, seen.temp_written]);
        let blocks = blocks.map_or_else(|| vec![String::new(); 4], |all| all.iter().map(ToString::to_string).collect());
        // The comparison says something of the second side.
        let comparison = measurement.comparison.as_ref().filter(|_| at > 0);
        let mut cells = vec![
            cell(&side.target.name),
            cell(&side.server_version),
            side.captured_at.to_rfc3339(),
            cell(&side.fingerprint),
            side.clients.to_string(),
            side.times_ms.len().to_string(),
        ];
        cells.extend(times.iter().chain([&side.per_second]).map(|value| format!("{value:.4}")));
        cells.extend([side.rows.min.to_string(), side.rows.max.to_string()]);
        cells.extend(blocks);
        cells.push(comparison.map(|one| one.outcome.name().to_owned()).unwrap_or_default());
        cells.push(comparison.map(|one| one.p.to_string()).unwrap_or_default());
        write!(out, "{}\r\n", cells.join(","))?;
    }
    Ok(())
}

/// The statement, or both where they differ.
fn statements(measurement: &Measurement) -> Vec<String> {
    let mut texts: Vec<String> = measurement.sides.iter().map(|side| cut_flat(&side.statement, STATEMENT).0).collect();
    texts.dedup();
    texts
}

/// A line of the table for each figure, a cell for each side.
fn rows(measurement: &Measurement) -> Vec<(&'static str, Vec<String>)> {
    let of = |cell: &dyn Fn(&Side) -> String| measurement.sides.iter().map(cell).collect::<Vec<_>>();
    let time = |pick: fn(&Side) -> f64| of(&|side| milliseconds(pick(side)));
    let mut rows = vec![
        ("", of(&|side| format!("{} at {}:{}", side.target.name, side.target.host, side.target.port))),
        ("measured", of(&|side| side.captured_at.format("%F %H:%M UTC").to_string())),
        ("PostgreSQL", of(&|side| side.server_version.clone())),
        ("executions", of(&|side| side.times_ms.len().to_string())),
        ("min", time(|side| side.figures.min)),
        ("mean", time(|side| side.figures.mean)),
        ("median", time(|side| side.figures.median)),
        ("p95", time(|side| side.figures.p95)),
        ("p99", time(|side| side.figures.p99)),
        ("max", time(|side| side.figures.max)),
        ("deviation", time(|side| side.figures.deviation)),
        ("rows", of(&|side| range(side.rows))),
        ("blocks", of(&blocks)),
    ];
    if measurement.sides.iter().any(|side| side.clients > 1) {
        rows.insert(4, ("clients", of(&|side| side.clients.to_string())));
        rows.insert(5, ("a second", of(&|side| units::short(side.per_second))));
    }
    rows
}

/// A time with as many digits as two of them can be told apart by.
fn milliseconds(value: f64) -> String {
    if value < 100.0 { format!("{value:.3} ms") } else { format!("{value:.1} ms") }
}

fn range(range: Range) -> String {
    if range.min == range.max { range.min.to_string() } else { format!("{} to {}", range.min, range.max) }
}

fn blocks(side: &Side) -> String {
    let Some(seen) = side.blocks else { return "not looked at".to_owned() };
    let mut text = format!("{} ({} read)", seen.shared_hit + seen.shared_read, seen.shared_read);
    if seen.local > 0 {
        let _ = write!(text, ", {} local", seen.local);
    }
    if seen.temp_read + seen.temp_written > 0 {
        let _ = write!(text, ", temp {} read, {} written", seen.temp_read, seen.temp_written);
    }
    text
}

/// What the comparison says in one line.
fn told(comparison: &Comparison) -> String {
    let ratio = comparison.ratio.map(|ratio| format!(", median × {ratio:.2}")).unwrap_or_default();
    let by = milliseconds(comparison.difference_ms.abs());
    match comparison.outcome {
        Outcome::Slower => format!("slower by {by}{ratio}"),
        Outcome::Faster => format!("faster by {by}{ratio}"),
        Outcome::Doubtful => {
            format!("{by} apart{ratio}, but by the same plan and blocks at another time: it may be the machine")
        }
        Outcome::NoDifference => "no difference that chance would not make, too".to_owned(),
        Outcome::TooFew => "too few executions to tell a difference".to_owned(),
    }
}

/// What that rests on.
fn because(comparison: &Comparison) -> Vec<String> {
    let interval = comparison.interval_ms.map(|[low, high]| {
        format!("95 % confidence interval of the difference: {low:+.3} to {high:+.3} ms (Hodges and Lehmann)")
    });
    let p = if comparison.p < LEAST_P { format!("< {LEAST_P}") } else { format!("= {:.4}", comparison.p) };
    let test = format!("Mann–Whitney U = {:.1}, p {p}", comparison.u);
    interval.into_iter().chain([test]).chain(comparison.notes.iter().cloned()).collect()
}

fn stopped(measurement: &Measurement) -> Vec<String> {
    let one = |side: &Side| {
        let (count, why) = (side.times_ms.len(), side.stopped.as_ref()?);
        let asked = side.iterations;
        Some(format!("{}: {count} of {asked} {}, then: {why}", side.target.name, noun(count, "execution")))
    };
    measurement.sides.iter().filter_map(one).collect()
}

/// Plans, both only where they differ.
fn plans(measurement: &Measurement) -> Vec<(&'static str, &Vec<String>)> {
    let mut plans: Vec<&Vec<String>> =
        measurement.sides.iter().map(|side| &side.plan).filter(|plan| !plan.is_empty()).collect();
    plans.dedup();
    match plans.as_slice() {
        [first, second] => vec![("plan of the first", *first), ("plan of the second", *second)],
        others => others.iter().map(|plan| ("plan", *plan)).collect(),
    }
}
