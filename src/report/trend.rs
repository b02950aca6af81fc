//! Trends for people and for programs: what degrades first, with a line over time.

use super::page::{bold, lines, paint};
use super::words::{cut_flat, noun};
use super::{Style, escape};
use crate::model::trend::{Course, Coverage, Kind, Trend, Trends};
use crate::model::units;
use std::io::{self, Write};

/// Columns of a line over time.
const COLUMNS: usize = 30;

/// Longest statement shown, in characters.
const STATEMENT: usize = 100;

/// Dropped windows that are shown; JSON has all.
const SHOWN: usize = 5;

const RED: &str = "1;31";
const GREEN: &str = "1;32";

/// Writes what changed for people; with `all` what did not as well.
pub fn write_trends(trends: &Trends, all: bool, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", bold(&escape(&head(trends)), style))?;
    lines(&[outcome(trends)], style, out)?;
    for trend in trends.trends.iter().filter(|trend| all || is_change(trend)) {
        let color = match trend.course {
            Course::Degrading => RED,
            Course::Improving => GREEN,
            _ => super::page::BOLD,
        };
        let course = paint(trend.course.name(), color, style);
        writeln!(out, "\n{course}  {}  {}  {}", bold(trend.metric, style), escape(&object(trend)), line(trend))?;
        lines(&told(trend), style, out)?;
    }
    let remarks = remarks(trends);
    if !remarks.is_empty() {
        writeln!(out, "\n{}", bold("TO KNOW", style))?;
        lines(&remarks, style, out)?;
    }
    Ok(())
}

/// Writes them as JSON, version 1.
pub fn write_trends_json(trends: &Trends, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, trends)?;
    writeln!(out)
}

/// Not stable, and not unknown.
pub(super) fn is_change(trend: &Trend) -> bool {
    !matches!(trend.course, Course::Stable | Course::Unknown)
}

pub(super) fn head(trends: &Trends) -> String {
    let at = |at: chrono::DateTime<chrono::Utc>| at.format("%F %H:%M");
    let span = trends.span.map(|span| format!(" from {} to {} UTC", at(span.from), at(span.to))).unwrap_or_default();
    let (runs, windows) = (trends.runs, trends.windows);
    format!("{}: {runs} {}{span}, {windows} {} compared", trends.target, noun(runs, "run"), noun(windows, "window"))
}

pub(super) fn outcome(trends: &Trends) -> String {
    let (summary, terms) = (&trends.summary, &trends.terms);
    format!(
        "{} degrading, {} improving, {} rising, {} falling, {} stable, {} unknown; a change is at least {} % and {} % certain",
        summary.degrading,
        summary.improving,
        summary.rising,
        summary.falling,
        summary.stable,
        summary.unknown,
        units::short(terms.change_pct),
        units::short(terms.confidence_pct)
    )
}

/// What it is of, for people.
pub(super) fn object(trend: &Trend) -> String {
    let database = trend.database.as_deref().map(|name| format!(" in {name}")).unwrap_or_default();
    match trend.kind {
        Kind::Statement => format!("q:{}{database}", trend.object),
        Kind::Table => format!("{}{database}", trend.object),
        Kind::Database => format!("database {}", trend.object),
        Kind::Server => "server".to_owned(),
    }
}

fn told(trend: &Trend) -> Vec<String> {
    let count = trend.points.len();
    let last = trend.points.last().map_or(0.0, |point| point.value);
    let mut told = Vec::new();
    told.extend(step(trend).map(|step| format!("the last {step}")));
    told.extend(drift(trend).map(|drift| format!("over all {count} values {drift}")));
    if told.is_empty() {
        told.push(format!("{count} {}, the last {}", noun(count, "value"), value(last, trend.unit)));
    }
    told.extend(trend.text.as_deref().map(|text| cut_flat(text, STATEMENT).0));
    told
}

/// `10 beside the 10 before: 1.2 ms → 3.4 ms (+183 %), 99.9 % certain`
pub(super) fn step(trend: &Trend) -> Option<String> {
    let recent = trend.recent?;
    let (before, after) = (value(recent.before, trend.unit), value(recent.after, trend.unit));
    let change = recent.change_pct.map(|pct| format!(" ({})", signed(pct, "%"))).unwrap_or_default();
    let certain = certain(recent.confidence_pct);
    Some(format!("{} beside the {} before: {before} → {after}{change}, {certain}", recent.values, recent.values))
}

/// `+0.1 ms a day, +30 % in all, tau 0.8, 99.9 % certain`
pub(super) fn drift(trend: &Trend) -> Option<String> {
    let whole = trend.whole?;
    let sign = if whole.slope_per_day > 0.0 { "+" } else { "" };
    let change = whole.change_pct.map(|pct| format!(", {} in all", signed(pct, "%"))).unwrap_or_default();
    let (slope, certain) = (value(whole.slope_per_day, trend.unit), certain(whole.confidence_pct));
    Some(format!("{sign}{slope} a day{change}, tau {:.2}, {certain}", whole.tau))
}

fn certain(pct: f64) -> String {
    match pct {
        pct if pct > 99.9 => "over 99.9 % certain".to_owned(),
        pct if pct < 50.0 => "not certain".to_owned(),
        pct => format!("{pct:.1} % certain"),
    }
}

fn signed(value: f64, unit: &str) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    let text = if value.abs() >= 1.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{sign}{text} {unit}")
}

/// A value with its unit, for people.
pub(super) fn value(value: f64, unit: &str) -> String {
    match unit {
        "ms" => units::millis(value),
        "bytes" => units::bytes(value),
        "bytes/s" => format!("{}/s", units::bytes(value)),
        unit => format!("{} {unit}", units::short(value)),
    }
}

/// A line over time between the least and the largest value: each column the mean of the values it stands for.
pub(super) fn line(trend: &Trend) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values: Vec<f64> = trend.points.iter().map(|point| point.value).collect();
    let columns = values.len().min(COLUMNS);
    let means: Vec<f64> = (0..columns)
        .map(|column| {
            let (from, to) = (column * values.len() / columns, (column + 1) * values.len() / columns);
            let part = values.get(from..to).unwrap_or_default();
            #[allow(clippy::cast_precision_loss, reason = "a count of values")]
            let count = part.len() as f64;
            part.iter().sum::<f64>() / count
        })
        .collect();
    let (least, most) =
        means.iter().fold((f64::MAX, f64::MIN), |(least, most), mean| (least.min(*mean), most.max(*mean)));
    let level = |mean: &f64| {
        let share = if most > least { (mean - least) / (most - least) } else { 0.0 };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
        let level = (share * 7.0).round() as usize;
        LEVELS.get(level).copied().unwrap_or('█')
    };
    means.iter().map(level).collect()
}

/// What a reader should know: notes, windows that were dropped, what was not looked at.
pub(super) fn remarks(trends: &Trends) -> Vec<String> {
    let mut remarks = trends.notes.clone();
    let left_out = trends.coverage.iter().filter(|row| row.judged < row.seen);
    remarks.extend(left_out.map(|Coverage { kind, seen, judged }| {
        format!("{judged} of {seen} {}s were looked at, the heaviest; --top looks at more", kind.name())
    }));
    let dropped = trends.dropped.len();
    let shown = trends.dropped.iter().rev().take(SHOWN);
    remarks
        .extend(shown.map(|one| format!("not compared, up to {}: {}", one.to.format("%F %H:%M:%S UTC"), one.reason)));
    if dropped > SHOWN {
        remarks.push(format!("… and {} earlier windows; --format json has all", dropped - SHOWN));
    }
    remarks
}
