//! Many targets in one overview, for people and for programs: the worst first, what was not audited, and what ails most.

use super::csv::cell;
use super::markdown::{code, folded, prose};
use super::page::{bold, lines};
use super::words::noun;
use super::{Style, escape};
use crate::model::finding::Severity;
use crate::model::fleet::{Audited, Headline, Overview, Spread};
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write as _;
use std::io::{self, Write};

/// Rules that are shown; JSON has all.
const RULES: usize = 15;

const SEVERITIES: [Severity; 3] = [Severity::Critical, Severity::Warning, Severity::Info];

const HEADER: &str = "target,ending,host,port,database,server_version,captured_at,critical,warning,info,waived,worst_rule,worst_object,error";

/// Writes the overview for people.
pub fn write_overview(overview: &Overview, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", bold(&head(overview), style))?;
    writeln!(out, "{}", counts(overview))?;
    let read = worst_first(overview);
    if !read.is_empty() {
        let mut table = plain(&["", "critical", "warning", "info", "first"]);
        for target in &read {
            let [critical, warning, info] = SEVERITIES.map(|severity| target.count(severity).to_string());
            table.add_row([escape(&target.name), critical, warning, info, escape(&worst(target))]);
        }
        print(table, 1..=3, out)?;
    }
    if !overview.rules.is_empty() {
        writeln!(out, "\n{}", bold("WHAT AILS MOST", style))?;
        let mut table = plain(&["", "severity", "targets", "findings"]);
        for rule in overview.rules.iter().take(RULES) {
            let Spread { rule, severity, targets, findings } = rule;
            table.add_row([rule.clone(), severity.name().to_owned(), targets.to_string(), findings.to_string()]);
        }
        print(table, 2..=3, out)?;
        let more = overview.rules.len().saturating_sub(RULES);
        if more > 0 {
            writeln!(out, "  … and {more} more; --format json has all")?;
        }
    }
    section("IN PART OR NOT AT ALL", &missed(overview), style, out)?;
    section("ONE DATABASE UNDER SEVERAL NAMES", &same(overview), style, out)
}

/// Writes the overview as JSON, version 1.
pub fn write_overview_json(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, overview)?;
    writeln!(out)
}

/// Writes the overview as Markdown.
pub fn write_overview_markdown(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let mut text = format!("## pgassay: {}\n\n{}\n\n", prose(&head(overview)), prose(&counts(overview)));
    let read = worst_first(overview);
    if !read.is_empty() {
        text.push_str("| target | critical | warning | info | first |\n|---|---:|---:|---:|---|\n");
    }
    for target in &read {
        let [critical, warning, info] = SEVERITIES.map(|severity| target.count(severity));
        let first = target.worst.as_ref().map(|worst| format!("{} {}", code(&worst.rule), code(&worst.object)));
        let first = first.unwrap_or_default();
        let _ = writeln!(text, "| {} | {critical} | {warning} | {info} | {first} |", prose(&target.name));
    }
    let rules = overview.rules.iter().map(|rule| {
        let Spread { rule, severity, targets, findings } = rule;
        let (of_targets, of_findings) = (noun(*targets, "target"), noun(*findings, "finding"));
        format!("- {} {}: {targets} {of_targets}, {findings} {of_findings}\n", severity.name(), code(rule))
    });
    text.push('\n');
    text.push_str(&folded("What ails most", &rules.collect::<Vec<_>>()));
    let items = |items: Vec<(String, String)>| -> Vec<String> {
        items.iter().map(|(title, told)| format!("- {}: {}\n", prose(title), prose(told))).collect()
    };
    text.push_str(&folded("In part or not at all", &items(missed(overview))));
    text.push_str(&folded("One database under several names", &items(same(overview))));
    out.write_all(text.as_bytes())
}

/// Writes the overview as CSV (RFC 4180), one target a row.
pub fn write_overview_csv(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{HEADER}\r\n")?;
    for target in &overview.targets {
        let run = target.run.as_ref();
        let of_run = |value: Option<String>| cell(&value.unwrap_or_default());
        let tally = run.and_then(|run| run.findings);
        let number = |value: Option<usize>| value.map(|value| value.to_string()).unwrap_or_default();
        let row = [
            cell(&target.name),
            target.ending.name().to_owned(),
            of_run(run.map(|run| run.target.host.clone())),
            of_run(run.map(|run| run.target.port.to_string())),
            of_run(run.map(|run| run.target.database.clone())),
            of_run(run.map(|run| run.server_version.clone())),
            of_run(run.map(|run| run.captured_at.to_rfc3339())),
            number(tally.map(|tally| tally.critical)),
            number(tally.map(|tally| tally.warning)),
            number(tally.map(|tally| tally.info)),
            number(tally.map(|tally| tally.waived)),
            of_run(target.worst.as_ref().map(|worst| worst.rule.clone())),
            of_run(target.worst.as_ref().map(|worst| worst.object.clone())),
            of_run(target.error.clone()),
        ];
        write!(out, "{}\r\n", row.join(","))?;
    }
    Ok(())
}

fn head(overview: &Overview) -> String {
    let (count, named) = (overview.summary.targets, overview.named);
    match &overview.shard {
        Some(shard) => format!("{count} of {named} {}, shard {shard}", noun(named, "target")),
        None => format!("{count} {}", noun(count, "target")),
    }
}

/// `11 audited, 1 of them incomplete, 1 failed: 3 critical, 17 warning, 40 info`
fn counts(overview: &Overview) -> String {
    let summary = &overview.summary;
    let some = |count: usize, words: &str| if count > 0 { format!(", {count} {words}") } else { String::new() };
    format!(
        "{} audited{}{}{}: {} critical, {} warning, {} info",
        summary.audited,
        some(summary.incomplete, "of them incomplete"),
        some(summary.failed, "failed"),
        some(summary.not_reached, "not reached"),
        summary.critical,
        summary.warning,
        summary.info
    )
}

/// Targets of which there is a verdict.
fn worst_first(overview: &Overview) -> Vec<&Audited> {
    let mut read: Vec<&Audited> = overview.targets.iter().filter(|target| target.run.is_some()).collect();
    // Stable: of the same counts the names stay in order.
    read.sort_by_key(|target| std::cmp::Reverse(SEVERITIES.map(|severity| target.count(severity))));
    read
}

fn worst(target: &Audited) -> String {
    target.worst.as_ref().map(|Headline { rule, object, .. }| format!("{rule}  {object}")).unwrap_or_default()
}

/// Targets that were not audited, or not wholly, and why.
fn missed(overview: &Overview) -> Vec<(String, String)> {
    let told = |target: &Audited| {
        let why = target.error.clone().or_else(|| {
            let gaps = target.run.as_ref().map_or(0, |run| run.gaps);
            let is_part = target.ending == crate::model::fleet::Ending::Incomplete;
            is_part.then(|| format!("a rule or a facet failed, {gaps} {} in its report", noun(gaps, "gap")))
        })?;
        Some((target.name.clone(), format!("{}: {why}", target.ending.name().replace('_', " "))))
    };
    overview.targets.iter().filter_map(told).collect()
}

fn same(overview: &Overview) -> Vec<(String, String)> {
    let told = "its findings are counted for each: leave one of them out of the config";
    overview.same.iter().map(|names| (names.join(", "), told.to_owned())).collect()
}

fn section(title: &str, items: &[(String, String)], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", bold(title, style))?;
    for (title, told) in items {
        writeln!(out, "  {}", bold(&escape(title), style))?;
        let told: Vec<String> = told.lines().map(|line| line.trim().to_owned()).collect();
        lines(&told, style, out)?;
    }
    Ok(())
}

fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    table
}

/// A table with numbers in some of its columns.
fn print(mut table: Table, numbers: std::ops::RangeInclusive<usize>, out: &mut dyn Write) -> io::Result<()> {
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, " {}", line.trim_end())?;
    }
    Ok(())
}
