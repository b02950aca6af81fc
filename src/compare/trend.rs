//! Where the values of a chronicle lead: better, worse, or nowhere, and how certain that is.
//!
//! Two questions are asked of each line: are the last values others than those before them (a step), and is there a
//! trend in all of them (a drift). As hundreds of lines are asked at once, p-values are adjusted for their number.

use super::chronicle::{Chronicle, Line, Story, Subject};
use super::statistics::{adjusted, mann_kendall, median, rank_sum, theil_sen};
use crate::model::snapshot::Tool;
use crate::model::trend::{
    Course, Coverage, Kind, Point, Recent, Span, Summary, TREND_VERSION, Terms, Trend, Trends, Whole, Worse,
};
use crate::model::units;
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
pub type Wanted<'a> = &'a dyn Fn(Kind, Option<&str>, &str, &str) -> bool;

/// A line before its p-values are adjusted.
struct Draft {
    trend: Trend,
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
        let is_asked = |name: &&str| wanted(subject.kind, subject.database.as_deref(), &subject.object, name);
        let lines = story.lines.iter().filter(|(name, _)| is_asked(name));
        drafts.extend(lines.map(|(name, line)| draft(subject, story, name, line)));
    }
    adjust(&mut drafts, |draft| &mut draft.step);
    adjust(&mut drafts, |draft| &mut draft.drift);
    let mut trends: Vec<Trend> = drafts.into_iter().map(|draft| judged(draft, terms)).collect();
    trends.sort_by(|a, b| order(a).cmp(&order(b)));
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
        let is_asked = |name: &str| wanted(subject.kind, subject.database.as_deref(), &subject.object, name);
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
    Draft { trend, floor: line.floor, step, drift }
}

/// The last ten beside the ten before, or the second half beside the first, and the p-value.
fn recent(values: &[f64]) -> Option<(Recent, f64)> {
    let side = (values.len() / 2).min(RECENT);
    let (rest, last) = values.split_at_checked(values.len() - side).filter(|_| side >= RECENT_LEAST)?;
    let before = rest.get(rest.len() - side..)?;
    let p = rank_sum(before, last)?;
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
    let Draft { mut trend, floor, step, drift } = draft;
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

fn order(trend: &Trend) -> (Course, Kind, &Option<String>, &String, &'static str) {
    (trend.course, trend.kind, &trend.database, &trend.object, trend.metric)
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
        notes.push(format!("{} runs are too few: trends are told from {WHOLE_LEAST} values on", chronicle.runs));
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
mod tests {
    use super::*;
    use crate::model::snapshot::{Relation, RelationKind, Snapshot, Statement, StatementCounters, StatementsInfo};
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    const CALLS: i64 = 100;

    /// An hourly run with one statement that took so many milliseconds a call in all.
    fn runs(ms_per_call: &[f64]) -> Vec<Snapshot> {
        let mut counters = StatementCounters::default();
        let first = std::iter::once(&0.0);
        first
            .chain(ms_per_call)
            .enumerate()
            .map(|(hour, ms)| {
                counters.calls += CALLS;
                #[allow(clippy::cast_precision_loss, reason = "small")]
                {
                    counters.total_exec_time_ms += CALLS as f64 * ms;
                }
                let at = DateTime::UNIX_EPOCH + TimeDelta::hours(i64::try_from(hour).expect("small"));
                let mut snapshot = Snapshot::empty(Tool::default(), at);
                snapshot.audited = vec!["shop".to_owned()];
                snapshot.statements_info = vec![StatementsInfo::default()];
                snapshot.statements = vec![Statement {
                    database: "shop".to_owned(),
                    fingerprint: "f".to_owned(),
                    counters: counters.clone(),
                    ..Statement::default()
                }];
                snapshot
            })
            .collect()
    }

    fn judge(runs: Vec<Snapshot>) -> Trends {
        let mut chronicle = Chronicle::new(10);
        runs.into_iter().for_each(|run| chronicle.add(run, None));
        trends(&chronicle, "shop", &Terms::default(), &|_, _, _, _| true, Tool::default())
    }

    fn of<'a>(trends: &'a Trends, metric: &str) -> &'a Trend {
        trends.trends.iter().find(|trend| trend.metric == metric).expect("followed")
    }

    /// Around 1, never the same twice, without any order.
    fn noise(count: usize, seed: u32) -> Vec<f64> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        (0..count).map(|_| 0.8 + 0.4 * next()).collect()
    }

    #[test]
    fn steps_and_drifts_are_told_and_noise_is_not() {
        let from =
            |of: fn(usize, f64) -> f64| noise(40, 7).into_iter().enumerate().map(|(at, ms)| of(at, ms)).collect();
        let cases: [(&str, Vec<f64>, Course); 9] = [
            ("noise", from(|_, ms| 10.0 * ms), Course::Stable),
            (
                "a step up in the last ten",
                from(|at, ms| if at < 30 { 10.0 * ms } else { 20.0 * ms }),
                Course::Degrading,
            ),
            ("a step down", from(|at, ms| if at < 30 { 20.0 * ms } else { 10.0 * ms }), Course::Improving),
            ("a slow rise", from(|at, ms| 10.0 * ms + at as f64 / 4.0), Course::Degrading),
            ("a step up long ago", from(|at, ms| if at < 20 { 10.0 * ms } else { 20.0 * ms }), Course::Degrading),
            (
                "up, and mended",
                from(|at, ms| if (10..30).contains(&at) { 20.0 * ms } else { 10.0 * ms }),
                Course::Improving,
            ),
            (
                "up for a while, long ago",
                from(|at, ms| if (12..22).contains(&at) { 20.0 * ms } else { 10.0 * ms }),
                Course::Stable,
            ),
            ("a rise too small to matter", from(|at, _| 10.0 + at as f64 / 1000.0), Course::Stable),
            ("a rise below the floor", from(|at, ms| (ms + at as f64 / 4.0) / 1000.0), Course::Stable),
        ];
        for (what, ms, expected) in cases {
            let trends = judge(runs(&ms));
            assert_eq!(of(&trends, "ms_per_call").course, expected, "{what}: {:#?}", of(&trends, "ms_per_call"));
        }
    }

    #[test]
    fn few_values_are_unknown() {
        for (count, expected) in [(0, None), (7, Some(Course::Unknown)), (8, Some(Course::Degrading))] {
            let rising: Vec<f64> = (1..=count).map(f64::from).collect();
            let trends = judge(runs(&rising));
            let trend = trends.trends.iter().find(|trend| trend.metric == "ms_per_call");
            assert_eq!(trend.map(|trend| trend.course), expected, "{count}");
        }
    }

    /// Two hundred statements of noise: a test at 95 % by itself would call some ten of each sort.
    #[test]
    fn many_lines_of_noise_raise_no_alarm() {
        let mut all = runs(&noise(60, 0));
        for seed in 1..200 {
            let other = runs(&noise(60, seed).iter().map(|ms| 10.0 * ms).collect::<Vec<_>>());
            for (run, mut other) in all.iter_mut().zip(other) {
                other.statements.iter_mut().for_each(|row| row.fingerprint = format!("{seed}"));
                run.statements.append(&mut other.statements);
            }
        }
        let summary = judge(all).summary;
        assert_eq!((summary.degrading, summary.improving), (0, 0), "{summary:?}");
    }

    #[test]
    fn windows_across_resets_and_restarts_give_no_value() {
        let moment = DateTime::UNIX_EPOCH + TimeDelta::days(9);
        let cases: [(&str, fn(&mut Snapshot, DateTime<chrono::Utc>), usize); 7] = [
            ("nothing", |_, _| {}, 11),
            ("another cluster", |run, _| run.server.system_identifier = Some("2".to_owned()), 10),
            ("a restart", |run, at| run.server.started_at = at, 10),
            ("a crash", |run, at| run.server.counters_reset = Some(at), 10),
            ("a failover", |run, _| run.server.is_standby = true, 10),
            ("pg_stat_statements_reset()", |run, at| run.statements_info[0].stats_reset = Some(at), 10),
            ("an entry evicted", |run, at| run.statements[0].counters.stats_since = Some(at), 10),
        ];
        for (what, change, expected) in cases {
            let mut all = runs(&[1.0; 11]);
            for run in &mut all {
                run.server.system_identifier = Some("1".to_owned());
            }
            all.iter_mut().skip(6).for_each(|run| change(run, moment));
            let trends = judge(all);
            let is_told = !trends.dropped.is_empty();
            assert_eq!(of(&trends, "ms_per_call").points.len(), expected, "{what}");
            assert_eq!(is_told, expected == 10 && what != "an entry evicted", "{what}: {:?}", trends.dropped);
        }
        // Counters that went back were reset, whoever says so.
        let mut all = runs(&[1.0; 11]);
        for run in all.iter_mut().skip(6) {
            run.statements[0].counters.calls -= 690;
            run.statements[0].counters.total_exec_time_ms -= 590.0;
        }
        assert_eq!(of(&judge(all), "ms_per_call").points.len(), 10);
    }

    #[test]
    fn a_partition_is_counted_with_its_table_and_may_come_and_go() {
        let leaf = |name: &str, inserted: i64| Relation {
            database: "shop".to_owned(),
            schema: "log".to_owned(),
            name: name.to_owned(),
            is_partition: true,
            parent_schema: Some("log".to_owned()),
            parent_name: Some("steps".to_owned()),
            inserted,
            bytes: inserted,
            ..Relation::default()
        };
        let root = Relation { kind: RelationKind::PartitionedTable, is_partition: false, ..leaf("steps", 0) };
        let mut all = runs(&[1.0; 3]);
        all[0].relations = vec![root.clone(), leaf("old", 900), leaf("now", 0)];
        all[1].relations = vec![root.clone(), leaf("old", 900), leaf("now", 3_600)];
        all[2].relations = vec![root.clone(), leaf("now", 7_200), leaf("next", 50)];
        all[3].relations = vec![root, leaf("now", 10_800), leaf("next", 50)];
        let trends = judge(all);
        let values = |metric| of(&trends, metric).points.iter().map(|point| point.value).collect::<Vec<_>>();
        assert_eq!(of(&trends, "writes_per_second").object, "log.steps");
        assert_eq!(values("writes_per_second"), [1.0, 1.0, 1.0]);
        let mut bytes = judge_bytes(&trends);
        bytes.sort_by(f64::total_cmp);
        assert_eq!(bytes, [900.0, 4_500.0, 7_250.0, 10_850.0]);
    }

    fn judge_bytes(trends: &Trends) -> Vec<f64> {
        let table = trends.trends.iter().find(|trend| trend.metric == "bytes" && trend.kind == Kind::Table);
        table.expect("followed").points.iter().map(|point| point.value).collect()
    }

    #[test]
    fn the_heaviest_are_looked_at_and_the_rest_is_counted() {
        let mut all = runs(&[5.0; 12]);
        for (run, mut light) in all.iter_mut().zip(runs(&[1.0; 12])) {
            light.statements[0].fingerprint = "light".to_owned();
            run.statements.append(&mut light.statements);
        }
        let mut chronicle = Chronicle::new(10);
        all.into_iter().for_each(|run| chronicle.add(run, None));
        let terms = Terms { top: 1, ..Terms::default() };
        let trends = trends(&chronicle, "shop", &terms, &|kind, _, _, _| kind == Kind::Statement, Tool::default());
        assert_eq!(trends.coverage, [Coverage { kind: Kind::Statement, seen: 2, judged: 1 }]);
        assert!(trends.trends.iter().all(|trend| trend.object == "f"));
    }

    #[test]
    fn hours_that_differ_are_warned_of() {
        let note = |hours: i64| {
            let mut all = runs(&[1.0; 24]);
            let factor = i32::try_from(hours).expect("small");
            all.iter_mut().for_each(|run| {
                run.captured_at = DateTime::UNIX_EPOCH + (run.captured_at - DateTime::UNIX_EPOCH) * factor
            });
            judge(all).notes.join("\n")
        };
        assert!(note(1).contains("hours of the day alone; --every 1d"), "{}", note(1));
        assert!(note(6).contains("days of the week alone; --every 7d"), "{}", note(6));
        assert_eq!(note(24), "");
    }

    proptest! {
        /// What rises one way falls the other, and whatever the values, nothing breaks.
        #[test]
        fn courses_mirror(ms in proptest::collection::vec(0.0f64..1e6, 0..60)) {
            let (forth, mut turned) = (judge(runs(&ms)), ms.clone());
            turned.reverse();
            let back = judge(runs(&turned));
            for metric in ["ms_per_call", "rows_per_call"] {
                let find = |trends: &Trends| trends.trends.iter().find(|trend| trend.metric == metric).and_then(|trend| trend.whole);
                if let (Some(one), Some(other)) = (find(&forth), find(&back)) {
                    prop_assert!((one.tau + other.tau).abs() < 1e-9);
                    prop_assert!((one.confidence_pct - other.confidence_pct).abs() < 1e-6);
                }
            }
        }
    }
}
