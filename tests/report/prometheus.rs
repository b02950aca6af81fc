//! Metrics of Prometheus: what an audit, a comparison and a run over many targets say in them; that the collector takes
//! them; and that the dashboard in contrib asks for nothing else.

use super::exposition::Exposition;
use super::formats::rendered;
use super::history::written;
use super::{fleet, saturation, settings, shop, verdict_of};
use pgassay::model::finding::Severity;
use pgassay::model::verdict::{Compared, Diff, Verdict};
use pgassay::report::{Format, write_overview_prometheus, write_saturation_prometheus};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The shop, with a PgBouncer before it and a table that has grown.
fn audited() -> Verdict {
    let mut verdict = verdict_of(&shop(), &settings());
    verdict.vitals.poolers = Some(saturation::saturation("shop").poolers);
    verdict.vitals.tables.iter_mut().flatten().take(1).for_each(|table| table.growth_bytes = Some(4_096));
    verdict
}

/// A comparison that found all that the shop's audit did.
fn compared() -> Verdict {
    let mut verdict = audited();
    let base = (verdict.target.clone(), verdict.server.version.clone(), verdict.window.clone());
    let counts = Diff {
        base: base.0,
        base_version: base.1,
        base_window: base.2,
        gate: "work",
        matched: 9,
        rewritten: 1,
        new: 2,
        gone: 3,
        planned: 4,
    };
    verdict.diff = Some(counts);
    verdict
}

fn metrics(verdict: &Verdict) -> Exposition {
    Exposition::read(&rendered(verdict, Format::Prometheus))
}

#[test]
fn an_audit_in_metrics() {
    insta::assert_snapshot!(rendered(&audited(), Format::Prometheus));
}

#[test]
fn metrics_say_what_the_verdict_says() {
    let verdict = audited();
    let read = metrics(&verdict);
    let sum = |metric: &str| read.of(metric).map(|sample| sample.value).sum::<f64>();
    #[allow(clippy::cast_precision_loss)]
    let open = verdict.open().count() as f64;
    assert_eq!((sum("pgassay_findings"), sum("pgassay_rule_findings")), (open, open));
    for severity in [Severity::Critical, Severity::Warning, Severity::Info] {
        let told = read.of("pgassay_findings").find(|sample| sample.label("severity") == Some(severity.name()));
        #[allow(clippy::cast_precision_loss)]
        let count = verdict.count(severity) as f64;
        assert_eq!(told.map(|sample| sample.value), Some(count), "told also where there is none");
    }
    assert!(read.samples.iter().all(|sample| sample.label("target") == Some("shop")));
    let statements = verdict.vitals.statements.as_ref().expect("statements");
    let first = read.of("pgassay_statement_exec_seconds_total").next().expect("a statement");
    assert_eq!(first.value, statements.top[0].total_ms / 1000.0);
    assert_eq!(first.label("fingerprint"), Some(statements.top[0].fingerprint.as_str()));
    for sample in read.samples.iter().filter(|sample| sample.metric.ends_with("_ratio")) {
        assert!((0.0..=1.0).contains(&sample.value), "{sample:?}");
    }
    assert!(read.samples.iter().filter(|sample| sample.metric.ends_with("_info")).all(|sample| sample.value == 1.0));
    assert!(
        read.samples
            .iter()
            .all(|sample| sample.label("statement").is_none() || sample.metric == "pgassay_statement_info")
    );
}

#[test]
fn counters_of_a_window_are_no_counters() {
    let mut verdict = audited();
    verdict.window.is_delta = true;
    let read = metrics(&verdict);
    assert!(!read.names().iter().any(|name| name.ends_with("_total")), "{:?}", read.names());
    assert!(read.of("pgassay_statement_mean_seconds").count() > 0);
}

/// Sums that fall pass for resets: evictions are told, and what they make fall is not summed.
#[test]
fn evictions_are_told_and_leave_no_sums() {
    let mut verdict = audited();
    for (evictions, told, sums) in [(Some(0), Some(0.0), 2), (Some(3), Some(3.0), 0), (None, None, 0)] {
        verdict.vitals.statements.as_mut().expect("statements").evictions = evictions;
        let read = metrics(&verdict);
        assert_eq!(read.of("pgassay_statements_evictions_total").map(|sample| sample.value).next(), told);
        let summed = ["exec_seconds", "calls"].map(|of| read.of(&format!("pgassay_statements_{of}_total")).count());
        assert_eq!(summed.iter().sum::<usize>(), sums, "{evictions:?}");
    }
}

#[test]
fn what_was_not_read_is_absent() {
    let mut verdict = audited();
    verdict.vitals = pgassay::model::vitals::Vitals::default();
    let names = metrics(&verdict).names();
    assert!(!names.iter().any(|name| name.starts_with("pgassay_statement") || name.starts_with("pgassay_sessions")));
}

#[test]
fn names_that_mean_harm_stay_in_their_labels() {
    let mut verdict = audited();
    verdict.target.name = "a\"} 1\npgassay_evil{x=\"\\\u{1b}[2J".to_owned();
    let table = verdict.vitals.tables.iter_mut().flatten().next().expect("a table");
    table.name = "drop\ntable".to_owned();
    let read = metrics(&verdict);
    assert!(!read.names().contains("pgassay_evil"));
    assert_eq!(read.samples[0].label("target"), Some("a\"} 1\npgassay_evil{x=\"\\\\u{1b}[2J"));
}

/// Files of one target, and the overview, may be in one folder: no series is in two of them, and no help differs.
#[test]
fn files_of_one_folder_do_not_collide() {
    let overview = written(|out| write_overview_prometheus(&fleet::overview(), out));
    let texts = [rendered(&audited(), Format::Prometheus), rendered(&compared(), Format::Prometheus), overview];
    let mut seen = BTreeSet::new();
    for text in &texts {
        for name in Exposition::read(text).names() {
            assert!(seen.insert(name.clone()), "{name} is in two files");
        }
    }
}

fn dashboard() -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("contrib/grafana/pgassay.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a dashboard")).expect("JSON")
}

#[test]
fn every_metric_is_explained() {
    let mut new = audited();
    new.baseline =
        Some(Compared { captured_at: new.captured_at, is_of_other_cluster: false, gone: 0, gates_new_only: false });
    let overview = written(|out| write_overview_prometheus(&fleet::overview(), out));
    let texts = [rendered(&new, Format::Prometheus), rendered(&compared(), Format::Prometheus), overview];
    let known: BTreeSet<String> = texts.iter().flat_map(|text| Exposition::read(text).names()).collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/prometheus.md");
    let page = std::fs::read_to_string(path).expect("a page");
    let metrics = page.lines().filter(|line| line.starts_with("| `")).flat_map(named);
    assert_eq!(metrics.collect::<BTreeSet<String>>(), known);
}

/// All words that could be names of ours.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("pgassay_")).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let written = [
        rendered(&audited(), Format::Prometheus),
        rendered(&compared(), Format::Prometheus),
        written(|out| write_overview_prometheus(&fleet::overview(), out)),
        written(|out| write_saturation_prometheus(&saturation::saturation("shop"), out)),
    ];
    let known: BTreeSet<String> = written.iter().flat_map(|text| Exposition::read(text).names()).collect();
    let dashboard = dashboard();
    let mut asked = named(&dashboard["templating"].to_string());
    for panel in dashboard["panels"].as_array().expect("panels").iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().expect("targets") {
            let names = named(target["expr"].as_str().expect("an expression"));
            assert!(!names.is_empty(), "{panel}");
            asked.extend(names);
        }
    }
    let unknown: Vec<&String> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "nothing writes {unknown:?}");
    for needed in [
        "statement_mean_seconds",
        "database_blocks_hit_total",
        "sessions_waiting",
        "pool_clients_waiting",
        "rule_regressions",
        "findings",
        "partition_runway_seconds",
    ] {
        assert!(asked.contains(&format!("pgassay_{needed}")), "{needed}");
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit() {
    let dashboard = dashboard();
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(
            ids.insert(panel["id"].as_u64().expect("an id")) && titles.insert(panel["title"].to_string()),
            "{panel}"
        );
        let place = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        assert!(place("x") + place("w") <= 24, "{panel}");
        for (x, y) in (0..place("w")).flat_map(|x| (0..place("h")).map(move |y| (x, y))) {
            assert!(taken.insert((place("x") + x, place("y") + y)), "it covers another: {panel}");
        }
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{panel}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{panel}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
    let variables: Vec<&str> = dashboard["templating"]["list"]
        .as_array()
        .expect("variables")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(variables, ["datasource", "target", "window"]);
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39) && dashboard["id"].is_null());
}
