//! Partitioned tables for people and for programs: how each is cut, how far it reaches, what is wrong, and
//! what each month holds.

use super::page::{bold, lines};
use super::words::noun;
use super::{Style, escape};
use crate::model::survey::{Span, Survey, SurveyedPartition, SurveyedTable};
use crate::model::units;
use chrono::{DateTime, Utc};
use comfy_table::{CellAlignment, Table, presets};
use std::io::{self, Write};

/// Partitions of one table that are shown, the newest; JSON has all.
const SHOWN: usize = 36;

/// Names that are shown of what is wrong with several.
const NAMED: usize = 3;

/// Longest bar, in columns.
const BAR: f64 = 24.0;

/// Writes the survey for people.
pub fn write_survey(survey: &Survey, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let count = survey.tables.len();
    let at = survey.captured_at.format("%F %H:%M UTC");
    let head =
        format!("{count} partitioned {} in database {}, read {at}", noun(count, "table"), survey.target.database);
    writeln!(out, "{}", bold(&escape(&head), style))?;
    let (within, shown): (Vec<_>, Vec<_>) = survey.tables.iter().partition(|table| is_part_of_a_month(table, survey));
    for table in shown {
        let how = format!("{}{}", escape(&table.key), told_zone(table));
        writeln!(out, "\n{}  {how}", bold(&escape(&table.table.to_string()), style))?;
        lines(&told(table), style, out)?;
        chart(table, out)?;
    }
    let left_out = within.len();
    if left_out > 0 {
        let parts = noun(left_out, "partition");
        writeln!(out, "\nnot drawn: {left_out} partitioned {parts} of these with nothing wrong; --table shows one")?;
    }
    Ok(())
}

/// A table that is itself a partition by time, of which its own line tells all that is to be told.
fn is_part_of_a_month(table: &SurveyedTable, survey: &Survey) -> bool {
    let timely = survey.tables.iter().filter(|other| other.key_kind.is_some());
    timely.flat_map(|other| &other.partitions).any(|one| one.is_partitioned && one.name == table.table)
        && table.gaps.is_empty()
        && table.stray.is_none()
        && table.misnamed.is_empty()
        && table.incomplete_indexes.is_empty()
        && !table.partitions.iter().any(|one| one.is_detach_pending || (one.is_default && one.rows > 0))
}

/// Writes the survey as JSON, version 1.
pub fn write_survey_json(survey: &Survey, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, survey)?;
    writeln!(out)
}

fn told_zone(table: &SurveyedTable) -> String {
    match (&table.key_kind, &table.zone) {
        (Some(kind), Some(zone)) => format!("  {kind}, months of {zone}"),
        (Some(kind), None) => format!("  {kind}"),
        _ => String::new(),
    }
}

fn told(table: &SurveyedTable) -> Vec<String> {
    let mut told = vec![held(table)];
    told.extend(table.manager.as_ref().map(|manager| {
        let kept = manager.retention.as_deref().map_or_else(|| "everything".to_owned(), |text| format!("{text:?}"));
        format!("kept by {}: makes {} ahead, keeps {kept}", manager.name, manager.premake)
    }));
    told.extend(reach(table));
    told.extend(table.gaps.iter().rev().take(NAMED).map(|gap| format!("no partition holds {}", span(gap))));
    if table.gaps.len() > NAMED {
        told.push(format!("… and {} earlier gaps", table.gaps.len() - NAMED));
    }
    told.extend(table.stray.as_ref().map(|stray| {
        format!("{} is not cut by {}, as those before it are: the months do not meet", stray.partition, stray.zone)
    }));
    let hidden = table.partitions.iter().filter(|partition| partition.is_detach_pending);
    told.extend(hidden.map(|partition| format!("{} is half detached: its rows are hidden", partition.name)));
    told.extend(table.incomplete_indexes.iter().map(|index| {
        let missing: Vec<String> = index.missing.iter().take(NAMED).map(ToString::to_string).collect();
        let more = index.missing.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("index {} is invalid: no part of it on {}{more}", index.index, missing.join(", "))
    }));
    told.extend(
        table.misnamed.iter().map(|one| format!("{} holds {}, its name says {}", one.partition, one.holds, one.says)),
    );
    let full = table.partitions.iter().filter(|partition| partition.is_default && partition.rows > 0);
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    told.extend(full.map(|partition| {
        format!("DEFAULT {} holds about {} rows", partition.name, units::count(partition.rows as f64))
    }));
    told
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn held(table: &SurveyedTable) -> String {
    let all = &table.partitions;
    let sum = |of: fn(&SurveyedPartition) -> i64| all.iter().map(of).sum::<i64>() as f64;
    let (tables, indexes) = (sum(|one| one.table_bytes), sum(|one| one.index_bytes));
    format!(
        "{} {}; about {} rows; {}, of which indexes {}",
        all.len(),
        noun(all.len(), "partition"),
        units::count(sum(|one| one.rows)),
        units::bytes(tables + indexes),
        units::bytes(indexes)
    )
}

/// How far into the future it reaches.
fn reach(table: &SurveyedTable) -> Option<String> {
    let until = |at: DateTime<Utc>| at.format("%F %H:%M UTC");
    match (table.covers_now?, table.covered_until, table.months_ahead) {
        (false, ..) => Some("no partition holds the present".to_owned()),
        (true, Some(at), Some(ahead)) => {
            Some(format!("covered until {}: {ahead} {} after the current one", until(at), noun(ahead, "month")))
        }
        (true, Some(at), None) => Some(format!("covered until {}", until(at))),
        (true, None, _) => Some("covered for ever: its last partition has no end".to_owned()),
    }
}

fn span(span: &Span) -> String {
    format!("{} to {}", span.from.format("%F %H:%M"), span.to.format("%F %H:%M UTC"))
}

/// A bar for each partition, the oldest first, as long as its share of the largest.
#[allow(clippy::cast_precision_loss, reason = "for people")]
fn chart(table: &SurveyedTable, out: &mut dyn Write) -> io::Result<()> {
    let bytes = |one: &SurveyedPartition| (one.table_bytes + one.index_bytes) as f64;
    let left_out = table.partitions.len().saturating_sub(SHOWN);
    let (older, shown) = table.partitions.split_at(left_out);
    let most = shown.iter().map(bytes).fold(0.0, f64::max);
    if !older.is_empty() {
        let size = units::bytes(older.iter().map(bytes).sum());
        let rows = units::count(older.iter().map(|one| one.rows).sum::<i64>() as f64);
        writeln!(out, "    … {} before these, about {rows} rows, {size}; --format json has all", older.len())?;
    }
    let mut chart = Table::new();
    chart.load_style(presets::NOTHING);
    for one in shown {
        let mark = if one.is_current { "now" } else { "" };
        let name = if one.is_partitioned { format!("{} (partitioned)", one.name.name) } else { one.name.name.clone() };
        let rows = units::count(one.rows as f64);
        chart.add_row([mark, &label(one), &bar(bytes(one), most), &units::bytes(bytes(one)), &rows, &escape(&name)]);
    }
    for right in [3, 4] {
        if let Some(column) = chart.column_mut(right) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in chart.lines() {
        writeln!(out, "   {}", line.trim_end())?;
    }
    Ok(())
}

/// The month, or what the partition holds instead.
fn label(one: &SurveyedPartition) -> String {
    let end =
        |at: Option<DateTime<Utc>>, open: &str| at.map_or_else(|| open.to_owned(), |at| at.format("%F").to_string());
    match (&one.month, one.from, one.to) {
        (Some(month), ..) => month.clone(),
        (None, None, None) => escape(&one.bound),
        (None, from, to) => format!("{}..{}", end(from, ""), end(to, "")),
    }
}

fn bar(value: f64, most: f64) -> String {
    if value <= 0.0 || most <= 0.0 {
        return String::new();
    }
    let eighths = (value / most * BAR * 8.0).round().max(1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the longest bar")]
    let (full, rest) = ((eighths / 8.0) as usize, eighths as usize % 8);
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    "█".repeat(full) + PARTS[rest]
}
