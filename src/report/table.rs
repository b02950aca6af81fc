//! The report for people: what a DBA reads in ten seconds, in the width of the terminal.

use super::{Style, escape};
use crate::model::finding::{Confidence, Finding, Severity};
use crate::model::units;
use crate::model::verdict::{RuleStatus, Verdict};
use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Narrower than this, a table is broken words; wider lines are hard to read.
const WIDTHS: std::ops::RangeInclusive<u16> = 60..=160;

/// Longest statement shown, in characters; the whole is in the JSON report.
const STATEMENT: usize = 160;

pub(super) fn write(verdict: &Verdict, style: Style, out: &mut dyn Write) -> io::Result<()> {
    header(verdict, style, out)?;
    for severity in [Severity::Critical, Severity::Warning, Severity::Info] {
        let findings: Vec<&Finding> = verdict.open().filter(|finding| finding.severity == severity).collect();
        section(severity, &findings, style, out)?;
    }
    waived(verdict, style, out)?;
    unseen(verdict, style, out)?;
    footer(verdict, style, out)
}

fn header(verdict: &Verdict, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let (target, server) = (&verdict.target, &verdict.server);
    let role = if server.is_standby { "standby" } else { "primary" };
    let place = format!("{} at {}:{}", target.name, target.host, target.port);
    let read_at = verdict.captured_at.format("%Y-%m-%d %H:%M:%S UTC");
    writeln!(out, "{}", bold(&escape(&place), style))?;
    writeln!(out, "PostgreSQL {} {role}, read {read_at} by pgassay {}", escape(&server.version), verdict.tool.version)?;
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let length = units::millis(verdict.window.seconds() as f64 * 1000.0);
    let since = verdict.window.from.format("%Y-%m-%d %H:%M:%S UTC");
    if verdict.window.from_is_reset {
        writeln!(out, "counters cover {length}, since the reset at {since}")?;
    } else {
        writeln!(out, "counters cover at least {length}, since the server's start at {since}")?;
    }
    let counts = verdict.statements;
    if counts.seen > 0 {
        let unparsed =
            if counts.unparsed > 0 { format!(", {} not understood", counts.unparsed) } else { String::new() };
        writeln!(
            out,
            "{} statements judged, from {} entries of pg_stat_statements{unparsed}",
            counts.judged, counts.seen
        )?;
    }
    writeln!(out)?;
    let of = |severity: Severity| verdict.count(severity);
    let (critical, warning, info) = (of(Severity::Critical), of(Severity::Warning), of(Severity::Info));
    writeln!(out, "{}", bold(&format!("{critical} critical, {warning} warning, {info} info"), style))
}

fn color_of(severity: Severity) -> Color {
    match severity {
        Severity::Critical => Color::Red,
        Severity::Warning => Color::Yellow,
        Severity::Info => Color::Cyan,
    }
}

fn width(style: Style) -> u16 {
    style.width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// Width of the left column.
fn left(style: Style) -> u16 {
    (width(style) * 2 / 5).min(48)
}

/// A table without borders, two columns: what and where on the left, the words on the right.
fn grid(style: Style) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width(style));
    if style.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_constraints([ColumnConstraint::UpperBoundary(Width::Fixed(left(style)))]);
    table
}

fn print(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn section(severity: Severity, findings: &[&Finding], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", bold(&severity.name().to_uppercase(), style))?;
    let mut table = grid(style);
    for finding in findings {
        let name = Cell::new(format!("{}\n  {}", finding.rule, escape(&finding.object.path())));
        table.add_row([name.fg(color_of(severity)).set_alignment(CellAlignment::Left), Cell::new(words(finding))]);
    }
    print(&table, out)
}

fn words(finding: &Finding) -> String {
    let doubt = match finding.confidence {
        Confidence::Low => " (low confidence)",
        Confidence::Medium | Confidence::High => "",
    };
    let statement =
        finding.object.statement.as_deref().map(|text| format!("\n  {}", shortened(&escape(text)))).unwrap_or_default();
    format!("{}{doubt}{statement}\n→ {}", escape(&finding.message), escape(&finding.fix.text))
}

fn shortened(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= STATEMENT {
        return flat;
    }
    format!("{} …", flat.chars().take(STATEMENT).collect::<String>().trim_end())
}

fn waived(verdict: &Verdict, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if verdict.waived().next().is_none() {
        return Ok(());
    }
    writeln!(out, "\n{}", bold("WAIVED", style))?;
    let mut table = grid(style);
    for finding in verdict.waived() {
        let Some(waiver) = &finding.waived else { continue };
        let until = waiver.until.map(|day| format!(", until {day}")).unwrap_or_default();
        let owner = waiver.owner.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
        let name = format!("{}\n  {}", finding.rule, escape(&finding.object.path()));
        table.add_row([name, format!("{} {}{owner}{until}", finding.severity.name(), escape(&waiver.reason))]);
    }
    print(&table, out)
}

/// What was not looked at, beside what was clean: gaps, and rules that did not run, by reason.
fn unseen(verdict: &Verdict, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut by_reason: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
    for rule in &verdict.rules {
        if let RuleStatus::Skipped(reason) | RuleStatus::Failed(reason) = &rule.status {
            let failed = matches!(rule.status, RuleStatus::Failed(_));
            by_reason.entry((!failed, reason)).or_default().push(&rule.id);
        }
    }
    if by_reason.is_empty() && verdict.gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", bold("NOT LOOKED AT", style))?;
    let mut table = grid(style);
    for gap in &verdict.gaps {
        let part = if gap.partial { "part of " } else { "" };
        let words = format!("{}\n→ {}", escape(&gap.reason), escape(&gap.remedy));
        table.add_row([format!("{part}{}", gap.facet.name()), words]);
    }
    for ((ran, reason), rules) in by_reason {
        let verb = if ran { "skipped" } else { "failed" };
        table.add_row([rules.join("\n"), format!("{verb}: {}", escape(reason))]);
    }
    print(&table, out)
}

fn footer(verdict: &Verdict, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let count = |status| verdict.rules_that(status);
    let mut line = format!("\n{} rules: {} passed, {} found", verdict.rules.len(), count("passed"), count("found"));
    for status in ["waived", "skipped", "failed"] {
        if count(status) > 0 {
            line.push_str(&format!(", {} {status}", count(status)));
        }
    }
    writeln!(out, "{line}")?;
    if verdict.hidden > 0 {
        writeln!(out, "{} findings below --min-severity are not shown", verdict.hidden)?;
    }
    if let Some(first) = verdict.open().next() {
        writeln!(
            out,
            "why, thresholds and when to ignore: {}",
            bold(&format!("pgassay rules show {}", first.rule), style)
        )?;
    }
    Ok(())
}

fn bold(text: &str, style: Style) -> String {
    if style.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}
