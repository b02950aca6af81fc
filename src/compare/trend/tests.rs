//! Steps, drifts and noise; windows that give no value; what is looked at.

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
    trends(&chronicle, "shop", &Terms::default(), &|_, _, _| true, Tool::default())
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
    let from = |of: fn(usize, f64) -> f64| noise(40, 7).into_iter().enumerate().map(|(at, ms)| of(at, ms)).collect();
    let cases: [(&str, Vec<f64>, Course); 9] = [
        ("noise", from(|_, ms| 10.0 * ms), Course::Stable),
        ("a step up in the last ten", from(|at, ms| if at < 30 { 10.0 * ms } else { 20.0 * ms }), Course::Degrading),
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
    type Change = fn(&mut Snapshot, DateTime<chrono::Utc>);
    let cases: [(&str, Change, usize); 7] = [
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
    let trends = trends(&chronicle, "shop", &terms, &|kind, _, _| kind == Kind::Statement, Tool::default());
    assert_eq!(trends.coverage, [Coverage { kind: Kind::Statement, seen: 2, judged: 1 }]);
    assert!(trends.trends.iter().all(|trend| trend.object == "f"));
}

#[test]
fn hours_that_differ_are_warned_of() {
    let note = |hours: i64| {
        let mut all = runs(&[1.0; 24]);
        let factor = i32::try_from(hours).expect("small");
        all.iter_mut()
            .for_each(|run| run.captured_at = DateTime::UNIX_EPOCH + (run.captured_at - DateTime::UNIX_EPOCH) * factor);
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
