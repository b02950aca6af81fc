//! Which tables would gain from monthly partitions, for people and for programs.

use super::page::{bold, lines, wrapped};
use super::words::noun;
use super::{Style, escape};
use crate::model::partition_advice::{Candidate, Growth, PartitionAdvice, PassedOver};
use crate::model::units;
use std::io::{self, Write};

/// Tables passed over that are shown, the largest; JSON has all.
const SHOWN: usize = 20;

/// Writes the advice for people.
pub fn write_partition_advice(advice: &PartitionAdvice, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", bold(&escape(&head(advice)), style))?;
    for table in &advice.tables {
        let title = format!("{}  by month of {}", table.table, table.key);
        writeln!(out, "\n{}  {}", bold(&escape(&title), style), escape(&table.key_type))?;
        lines(&evidence(table), style, out)?;
        part("in the way", table.obstacles.iter().map(|obstacle| obstacle.text.clone()), style, out)?;
        part("to be expected, an estimate", effect(table).into_iter(), style, out)?;
        part("next", next(table).into_iter(), style, out)?;
    }
    passed_over(advice, style, out)
}

/// Writes the advice as JSON, version 1.
pub fn write_partition_advice_json(advice: &PartitionAdvice, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, advice)?;
    writeln!(out)
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn head(advice: &PartitionAdvice) -> String {
    let count = advice.tables.len();
    let since = advice.statements_since.map_or_else(
        || "statements counted since an unknown time".to_owned(),
        |at| format!("statements since {}", at.format("%F %H:%M UTC")),
    );
    format!(
        "{count} {} of {} or more would gain from monthly partitions in database {}, read {}, {since}",
        noun(count, "table"),
        units::bytes(advice.min_bytes as f64),
        advice.target.database,
        advice.captured_at.format("%F %H:%M UTC")
    )
}

fn part(title: &str, items: impl Iterator<Item = String>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return Ok(());
    }
    lines(&[format!("{title}:")], style, out)?;
    wrapped(&items, 6, style, out)
}

fn share(value: f64) -> String {
    format!("{:.0} %", 100.0 * value)
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn evidence(table: &Candidate) -> Vec<String> {
    let (heap, indexes) = (table.table_bytes as f64, table.index_bytes as f64);
    let mut told = vec![format!(
        "{} and {} of indexes; about {} rows",
        units::bytes(heap),
        units::bytes(indexes),
        units::count(table.rows as f64)
    )];
    let grown = |growth: &Growth, by: &str| {
        let (rows, bytes) = (units::count(growth.rows_per_month as f64), units::bytes(growth.bytes_per_month as f64));
        format!("about {rows} rows, {bytes} a month over the last {:.0} days, by {by}", growth.days)
    };
    let histogram = format!("the histogram of {}", table.key);
    told.extend(table.growth.iter().map(|growth| grown(growth, &histogram)));
    told.extend(table.measured_growth.iter().map(|growth| grown(growth, "the earlier snapshot")));
    told.extend(table.key_unit.as_deref().map(|unit| {
        let what = match unit {
            "uuid_v7" => "UUIDs of version 7, which begin with a time".to_owned(),
            unit => format!("a time in {unit} since 1970"),
        };
        format!(
            "that {} holds {what}, is a guess by its histogram, until partition convert has looked at the rows",
            table.key
        )
    }));
    let found = &table.workload;
    told.push(format!(
        "{} of {} {} that read, change or delete rows {} by {}: {} of their time, {} of {} calls",
        found.by_key,
        found.statements,
        noun(found.statements, "statement"),
        if found.by_key == 1 { "goes" } else { "go" },
        table.key,
        share(found.time_share),
        share(found.calls_share),
        units::count(found.calls as f64)
    ));
    told.extend(table.retention.iter().map(|found| {
        format!(
            "deleted by age: {} rows in {} calls, {} of time, {} of WAL",
            units::count(found.rows as f64),
            units::count(found.calls as f64),
            units::millis(found.total_ms),
            units::bytes(found.wal_bytes as f64)
        )
    }));
    told
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn effect(table: &Candidate) -> Vec<String> {
    let effect = &table.effect;
    let mut told = Vec::new();
    if let (Some(partitions), Some(bytes)) = (effect.partitions, effect.bytes_per_partition) {
        told.push(format!(
            "about {partitions} months; VACUUM, REINDEX and a freeze work on about {} at a time, not on {}",
            units::bytes(bytes as f64),
            units::bytes((table.table_bytes + table.index_bytes) as f64)
        ));
    }
    if table.retention.is_some() {
        told.push("a month that is over leaves by DETACH at once, without WAL and dead rows of a DELETE".to_owned());
    }
    if table.workload.by_key > 0 {
        told.push(format!("{} of the time of its statements can leave months out", share(effect.pruned_time_share)));
    }
    if effect.probing_calls_share > 0.0 {
        let months =
            effect.partitions.map_or_else(|| "every month".to_owned(), |months| format!("each of {months} months"));
        told.push(format!(
            "{} of the calls do not name {}: they look into the indexes of {months}, and take longer",
            share(effect.probing_calls_share),
            table.key
        ));
    }
    told
}

fn next(table: &Candidate) -> Vec<String> {
    let allowed = table.obstacles.iter().filter(|obstacle| obstacle.may_be_allowed).map(|one| one.code.as_str());
    let allowed: Vec<&str> = allowed.collect();
    let allowed = if allowed.is_empty() { String::new() } else { format!(" --allow {}", allowed.join(",")) };
    let unit = table.key_unit.as_deref().filter(|unit| *unit != "uuid_v7");
    let epoch = unit.map(|unit| format!(" --epoch {unit}")).unwrap_or_default();
    vec![
        format!(
            "pgassay partition convert {} --by {}{epoch}{allowed}, which keeps the table as the first partition",
            table.table, table.key
        ),
        format!("pgassay partition new --table {} --by {}{epoch}, which prints a fresh one", table.table, table.key),
    ]
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn passed_over(advice: &PartitionAdvice, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let all = &advice.passed_over;
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", bold("as large, and passed over", style))?;
    let one =
        |table: &PassedOver| format!("{}, {}: {}", table.table, units::bytes(table.table_bytes as f64), table.reason);
    let mut told: Vec<String> = all.iter().take(SHOWN).map(one).collect();
    if all.len() > SHOWN {
        told.push(format!("… and {} more; --format json has all", all.len() - SHOWN));
    }
    lines(&told, style, out)
}
