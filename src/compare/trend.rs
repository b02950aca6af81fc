//! Where the values of a chronicle lead: better, worse, or nowhere, and how certain that is.
//!
//! Two questions are asked of each line: are the last values others than those before them (a step), and is there a
//! trend in all of them (a drift). As hundreds of lines are asked at once, p-values are adjusted for their number.

use super::chronicle::{Chronicle, Line, Story, Subject};
use crate::model::snapshot::Tool;
use crate::model::trend::{
    Course, Coverage, Kind, Point, Recent, Span, Summary, TREND_VERSION, Terms, Trend, Trends, Whole, Worse,
};
use crate::model::units;
use crate::statistics::{adjusted, mann_kendall, median, rank_sum, theil_sen};
use std::collections::BTreeMap;

/// Values that are set beside as many before them.
const RECENT: usize = 10;

/// Fewer on each side could not be told apart.
const RECENT_LEAST: usize = 5;

/// Fewer values in all show no trend.
const WHOLE_LEAST: usize = 8;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What is asked for of a subject: its kind, database and name, and the metric.
pub type Wanted<'a> = &'a dyn Fn(Kind, &str, &str) -> bool;

/// A line before its p-values are adjusted.
struct Draft {
    trend: Trend,
    weight: f64,
    floor: f64,
    step: Option<f64>,
    drift: Option<f64>,
}

/// Judges what a chronicle tells of one target.
#[must_use]
pub fn trends(chronicle: &Chronicle, target: &str, terms: &Terms, wanted: Wanted<'_>, tool: Tool) -> Trends {
    let (chosen, coverage) = chosen(chronicle, terms.top, wanted);
    let mut drafts: Vec<Draft> = Vec::new();
    for (subject, story) in chosen {
        let is_asked = |name: &&str| wanted(subject.kind, &subject.object, name);
        let lines = story.lines.iter().filter(|(name, _)| is_asked(name));
        drafts.extend(lines.map(|(name, line)| draft(subject, story, name, line)));
    }
    adjust(&mut drafts, |draft| &mut draft.step);
    adjust(&mut drafts, |draft| &mut draft.drift);
    let mut weighed: Vec<(f64, Trend)> = drafts.into_iter().map(|draft| (draft.weight, judged(draft, terms))).collect();
    weighed.sort_by(|(one, a), (other, b)| {
        let course = (a.course, a.kind).cmp(&(b.course, b.kind));
        course.then_with(|| other.total_cmp(one)).then_with(|| name(a).cmp(&name(b)))
    });
    let trends: Vec<Trend> = weighed.into_iter().map(|(_, trend)| trend).collect();
    Trends {
        trend_version: TREND_VERSION,
        tool,
        target: target.to_owned(),
        terms: *terms,
        span: chronicle.span,
        runs: chronicle.runs,
        windows: chronicle.windows.len(),
        dropped: chronicle.dropped.clone(),
        coverage,
        notes: notes(chronicle),
        summary: summary(&trends),
        trends,
    }
}

/// The heaviest subjects of each kind, and how many there are.
fn chosen<'a>(
    chronicle: &'a Chronicle,
    top: usize,
    wanted: Wanted<'_>,
) -> (Vec<(&'a Subject, &'a Story)>, Vec<Coverage>) {
    let mut by_kind: BTreeMap<Kind, Vec<(&Subject, &Story)>> = BTreeMap::new();
    for (subject, story) in &chronicle.stories {
        let is_asked = |name: &str| wanted(subject.kind, &subject.object, name);
        if story.lines.keys().any(|name| is_asked(name)) {
            by_kind.entry(subject.kind).or_default().push((subject, story));
        }
    }
    let (mut chosen, mut coverage) = (Vec::new(), Vec::new());
    for (kind, mut all) in by_kind {
        all.sort_by(|(a, one), (b, other)| other.weight.total_cmp(&one.weight).then_with(|| a.cmp(b)));
        let seen = all.len();
        all.truncate(top);
        coverage.push(Coverage { kind, seen, judged: all.len() });
        chosen.extend(all);
    }
    (chosen, coverage)
}

fn draft(subject: &Subject, story: &Story, metric: &'static str, line: &Line) -> Draft {
    let values: Vec<f64> = line.points.iter().map(|point| point.value).collect();
    let (recent, step) = recent(&values).unzip();
    let (whole, drift) = whole(&line.points, &values).unzip();
    let trend = Trend {
        kind: subject.kind,
        database: subject.database.clone(),
        object: subject.object.clone(),
        text: story.text.clone(),
        metric,
        unit: line.unit,
        worse: line.worse,
        course: Course::Unknown,
        recent,
        whole,
        points: line.points.clone(),
    };
    Draft { trend, weight: story.weight, floor: line.floor, step, drift }
}

/// The last ten beside the ten before, or the second half beside the first, and the p-value.
fn recent(values: &[f64]) -> Option<(Recent, f64)> {
    let side = (values.len() / 2).min(RECENT);
    let (rest, last) = values.split_at_checked(values.len() - side).filter(|_| side >= RECENT_LEAST)?;
    let before = rest.get(rest.len() - side..)?;
    let p = rank_sum(before, last)?.p;
    let (before, after) = (median(&mut before.to_vec())?, median(&mut last.to_vec())?);
    let change_pct = percent(after - before, before);
    Some((Recent { values: side, before, after, change_pct, confidence_pct: 0.0 }, p))
}

fn whole(points: &[Point], values: &[f64]) -> Option<(Whole, f64)> {
    let first = points.first().filter(|_| points.len() >= WHOLE_LEAST)?;
    let test = mann_kendall(values)?;
    let days = |point: &Point| seconds(first.at, point.at) / DAY;
    let placed: Vec<(f64, f64)> = points.iter().map(|point| (days(point), point.value)).collect();
    let slope_per_day = theil_sen(&placed)?;
    let span = points.last().map_or(0.0, days);
    let change_pct = percent(slope_per_day * span, median(&mut values.to_vec())?);
    Some((Whole { slope_per_day, change_pct, tau: test.tau, confidence_pct: 0.0 }, test.p))
}

fn percent(change: f64, of: f64) -> Option<f64> {
    (of != 0.0).then(|| 100.0 * change / of.abs())
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of some years")]
fn seconds(from: chrono::DateTime<chrono::Utc>, to: chrono::DateTime<chrono::Utc>) -> f64 {
    (to - from).num_milliseconds() as f64 / 1000.0
}

/// Replaces p-values by what they are worth among all of them.
fn adjust(drafts: &mut [Draft], of: impl Fn(&mut Draft) -> &mut Option<f64>) {
    let p_values: Vec<f64> = drafts.iter_mut().filter_map(|draft| *of(draft)).collect();
    let mut adjusted = adjusted(&p_values).into_iter();
    for draft in drafts {
        let p = of(draft);
        if p.is_some() {
            *p = adjusted.next();
        }
    }
}

fn judged(draft: Draft, terms: &Terms) -> Trend {
    let Draft { mut trend, floor, step, drift, .. } = draft;
    let certain = |p: Option<f64>| 100.0 * (1.0 - p.unwrap_or(1.0));
    if let Some(recent) = &mut trend.recent {
        recent.confidence_pct = certain(step);
    }
    if let Some(whole) = &mut trend.whole {
        whole.confidence_pct = certain(drift);
    }
    let way = match (stepped(&trend, floor, terms), drifted(&trend, floor, terms)) {
        // A drift may lie behind us: what was last counts more.
        (Some(way @ (-1 | 1)), _) | (Some(0) | None, Some(way)) | (Some(way), None) => Some(way),
        _ => None,
    };
    trend.course = course(way, trend.worse);
    trend
}

/// Which way the last values went: −1, 0 or 1; none where there are too few.
fn stepped(trend: &Trend, floor: f64, terms: &Terms) -> Option<i8> {
    let recent = trend.recent?;
    let change = recent.after - recent.before;
    Some(way(change, recent.change_pct, recent.confidence_pct, floor, terms))
}

/// Which way all values went, if they still are there: the last are on the same side of the first.
fn drifted(trend: &Trend, floor: f64, terms: &Terms) -> Option<i8> {
    let whole = trend.whole?;
    let values: Vec<f64> = trend.points.iter().map(|point| point.value).collect();
    let side = (values.len() / 2).min(RECENT);
    let first = median(&mut values.iter().take(side).copied().collect::<Vec<_>>())?;
    let last = median(&mut values.iter().rev().take(side).copied().collect::<Vec<_>>())?;
    let days = trend.points.first().zip(trend.points.last()).map_or(0.0, |(from, to)| seconds(from.at, to.at) / DAY);
    let drift = whole.slope_per_day * days;
    let way = way(drift, whole.change_pct, whole.confidence_pct, floor, terms);
    let is_still = way == way_of(last - first) && (last - first).abs() >= floor;
    Some(if is_still { way } else { 0 })
}

fn way(change: f64, change_pct: Option<f64>, confidence_pct: f64, floor: f64, terms: &Terms) -> i8 {
    let is_large = change.abs() >= floor && change_pct.is_none_or(|pct| pct.abs() >= terms.change_pct);
    if is_large && confidence_pct >= terms.confidence_pct { way_of(change) } else { 0 }
}

fn way_of(change: f64) -> i8 {
    i8::from(change > 0.0) - i8::from(change < 0.0)
}

fn course(way: Option<i8>, worse: Worse) -> Course {
    match (way, worse) {
        (None, _) => Course::Unknown,
        (Some(0), _) => Course::Stable,
        (Some(1..), Worse::Up) | (Some(..0), Worse::Down) => Course::Degrading,
        (Some(1..), Worse::Down) | (Some(..0), Worse::Up) => Course::Improving,
        (Some(1..), Worse::Neither) => Course::Rising,
        (Some(..0), Worse::Neither) => Course::Falling,
    }
}

fn name(trend: &Trend) -> (&Option<String>, &String, &'static str) {
    (&trend.database, &trend.object, trend.metric)
}

fn summary(trends: &[Trend]) -> Summary {
    let mut summary = Summary::default();
    for trend in trends {
        *match trend.course {
            Course::Degrading => &mut summary.degrading,
            Course::Improving => &mut summary.improving,
            Course::Rising => &mut summary.rising,
            Course::Falling => &mut summary.falling,
            Course::Stable => &mut summary.stable,
            Course::Unknown => &mut summary.unknown,
        } += 1;
    }
    summary
}

/// What holds for all of it.
fn notes(chronicle: &Chronicle) -> Vec<String> {
    let mut notes = Vec::new();
    if chronicle.runs < WHOLE_LEAST {
        let are = if chronicle.runs == 1 { "run is" } else { "runs are" };
        notes.push(format!("{} {are} too few: trends are told from {WHOLE_LEAST} values on", chronicle.runs));
    }
    if chronicle.evictions > 0 {
        notes.push(format!(
            "entries of pg_stat_statements were evicted {} times: rare statements are incomplete; raise pg_stat_statements.max",
            units::count(f64::from(i32::try_from(chronicle.evictions).unwrap_or(i32::MAX)))
        ));
    }
    notes.extend(season(&chronicle.windows));
    notes
}

/// The last windows and those before are of other hours, or other days of the week.
fn season(windows: &[Span]) -> Option<String> {
    let side = (windows.len() / 2).min(RECENT);
    let last = windows.get(windows.len() - side..).filter(|_| side >= RECENT_LEAST)?;
    let length = seconds(last.first()?.from, last.last()?.to);
    let (what, every) = match length {
        // Cron is never quite on time.
        length if length < 0.95 * DAY => ("hours of the day", "1d"),
        length if length < 0.95 * 7.0 * DAY => ("days of the week", "7d"),
        _ => return None,
    };
    Some(format!(
        "the last {side} windows cover {}: they may differ from those before by the {what} alone; --every {every} sets like beside like",
        units::millis(1000.0 * length)
    ))
}

#[cfg(test)]
mod tests;
