//! The report in its formats, made of the stored shop: golden texts, the published schema, and texts
//! that mean harm.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop")]

#[path = "report/advice.rs"]
mod advice;
#[path = "report/baseline.rs"]
mod baseline;
#[path = "report/diff.rs"]
mod diff;
#[path = "report/exposition.rs"]
mod exposition;
#[path = "report/fleet.rs"]
mod fleet;
#[path = "report/formats.rs"]
mod formats;
#[path = "report/history.rs"]
mod history;
#[path = "report/html.rs"]
mod html;
#[path = "report/measurement.rs"]
mod measurement;
#[path = "report/partition_advice.rs"]
mod partition_advice;
#[path = "report/plans.rs"]
mod plans;
#[path = "report/prometheus.rs"]
mod prometheus;
#[path = "report/saturation.rs"]
mod saturation;
#[path = "report/survey.rs"]
mod survey;
#[path = "report/trend.rs"]
mod trend;

use pgassay::audit::{Settings, field_index, judge};
use pgassay::model::finding::Severity;
use pgassay::model::snapshot::{Facet, Gap, Index, Snapshot, Tool};
use pgassay::model::verdict::{FailOn, Verdict};
use pgassay::report::{Format, Style, render, report_schema};
use pgassay::rules::{Library, Overrides, ParamValue, Waiver, builtin_sources};
use pgassay::store::read_snapshot;
use std::path::PathBuf;

fn shop() -> Snapshot {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/snapshots/shop.json.zst");
    let mut snapshot = read_snapshot(&path).expect("a snapshot");
    snapshot.target.host = "db1".to_owned();
    snapshot
}

fn settings() -> Settings {
    let params =
        [("slow_query.min_mean_ms", 20.0), ("unused_index.min_stats_age_days", 0.0), ("unused_index.min_bytes", 1e6)];
    Settings {
        overrides: Overrides {
            params: params.map(|(path, value)| (path.to_owned(), ParamValue::Number(value))).into(),
            ..Overrides::default()
        },
        waivers: vec![Waiver {
            rule: "no_primary_key".to_owned(),
            object: "shop.audit_log".to_owned(),
            reason: "rows are only appended".to_owned(),
            until: "2027-01-31".parse().ok(),
            owner: Some("data team".to_owned()),
        }],
        ..Settings::default()
    }
}

fn verdict_of(snapshot: &Snapshot, settings: &Settings) -> Verdict {
    let library = Library::load(builtin_sources(), &field_index()).expect("rules");
    judge(snapshot, &library, settings, Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() })
}

fn text(verdict: &Verdict, format: Format, width: u16, color: bool) -> String {
    let mut out = Vec::new();
    render(verdict, format, Style { width, color }, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn the_table_at_80_columns() {
    let mut snapshot = shop();
    snapshot.gaps.push(Gap {
        facet: Facet::Sequences,
        database: None,
        partial: true,
        reason: "2 of 12 sequences cannot be read by this role".to_owned(),
        sqlstate: None,
        remedy: "grant select on all sequences in schema … to auditor;".to_owned(),
        is_failure: false,
    });
    insta::assert_snapshot!(text(&verdict_of(&snapshot, &settings()), Format::Table, 80, false));
}

#[test]
fn no_line_is_wider_than_the_terminal_unless_a_name_is() {
    let mut snapshot = shop();
    snapshot.target.host = "a-long-name-of-a-host.region.cloud.example.com".to_owned();
    // Many rules need statements.
    let reason = "permission denied for view pg_stat_statements".to_owned();
    snapshot.gaps.push(Gap {
        facet: Facet::Statements,
        database: None,
        partial: false,
        reason,
        sqlstate: None,
        remedy: "grant pg_read_all_stats to auditor;".to_owned(),
        is_failure: false,
    });
    let verdict = verdict_of(&snapshot, &settings());
    let is_title = |line: &str| line.starts_with("  ") && line.trim_start().contains("  ");
    for width in [60, 80, 120, 140] {
        let report = text(&verdict, Format::Table, width, false);
        assert!(report.contains("time_hog"), "{report}");
        let too_wide: Vec<&str> =
            report.lines().filter(|line| !is_title(line) && line.chars().count() > usize::from(width)).collect();
        assert!(too_wide.is_empty(), "{width}: {too_wide:#?}");
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let verdict = verdict_of(&shop(), &settings());
    let painted = text(&verdict, Format::Table, 100, true);
    assert!(painted.contains("\u{1b}[1;31m"));
    let mut bare = String::new();
    for (number, part) in painted.split('\u{1b}').enumerate() {
        bare.push_str(if number == 0 { part } else { part.split_once('m').expect("a code").1 });
    }
    assert_eq!(bare, text(&verdict, Format::Table, 100, false));
}

#[test]
fn the_json_report_keeps_its_published_schema() {
    let schema = report_schema();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/report.json");
    let published: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("published")).expect("JSON");
    assert_eq!(published, schema, "docs/schema/report.json is stale: run `make pages`");
    let empty = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
    for snapshot in [shop(), empty] {
        let report = text(&verdict_of(&snapshot, &settings()), Format::Json, 80, false);
        let value: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn the_json_report_is_complete_and_the_same_each_time() {
    let verdict = verdict_of(&shop(), &settings());
    let report = text(&verdict, Format::Json, 80, false);
    assert_eq!(report, text(&verdict_of(&shop(), &settings()), Format::Json, 200, true));
    let value: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let finding = &value["findings"][0];
    for key in [
        "rule",
        "area",
        "title",
        "severity",
        "confidence",
        "object",
        "message",
        "evidence",
        "why",
        "fix",
        "caveats",
        "references",
        "impact",
        "fingerprint",
        "waived",
        "new",
    ] {
        assert!(finding.get(key).is_some(), "{key}");
    }
    let waived: Vec<&serde_json::Value> =
        value["findings"].as_array().unwrap().iter().filter(|finding| !finding["waived"].is_null()).collect();
    assert_eq!(waived.len(), 1);
    assert_eq!(waived[0]["waived"]["reason"], "rows are only appended");
    assert_eq!(value["summary"]["exit_code"], 1);
    assert_eq!(value["rules"].as_array().unwrap().len(), verdict.rules.len());
}

#[test]
fn findings_come_by_severity_and_fingerprints_differ() {
    let verdict = verdict_of(&shop(), &settings());
    assert!(verdict.findings.windows(2).all(|pair| pair[0].severity >= pair[1].severity));
    let mut fingerprints: Vec<String> = verdict.findings.iter().map(|finding| finding.fingerprint()).collect();
    let count = fingerprints.len();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), count);
}

#[test]
fn the_gate_and_the_gaps_decide_the_exit_code() {
    let code = |snapshot: &Snapshot, fail_on| verdict_of(snapshot, &Settings { fail_on, ..settings() }).exit_code();
    let mut quiet = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
    quiet.extensions = shop().extensions;
    quiet.statements_info = shop().statements_info;
    assert_eq!(code(&shop(), FailOn::Severity(Severity::Critical)), 1);
    assert_eq!(code(&shop(), FailOn::Never), 0);
    assert_eq!(code(&quiet, FailOn::Severity(Severity::Warning)), 0);
    let gap = |is_failure| Gap {
        facet: Facet::Columns,
        database: None,
        partial: false,
        reason: "canceling statement due to statement timeout".to_owned(),
        sqlstate: Some("57014".to_owned()),
        remedy: "raise --statement-timeout".to_owned(),
        is_failure,
    };
    quiet.gaps = vec![gap(false)];
    assert_eq!(code(&quiet, FailOn::Severity(Severity::Warning)), 0, "a facet that is absent by choice");
    quiet.gaps = vec![gap(true)];
    assert_eq!(code(&quiet, FailOn::Severity(Severity::Warning)), 3, "a facet that failed");
    let mut both = shop();
    both.gaps = vec![gap(true)];
    assert_eq!(code(&both, FailOn::Severity(Severity::Critical)), 1, "the gate comes first");
}

#[test]
fn hostile_texts_stay_texts() {
    let mut snapshot = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
    snapshot.indexes = vec![Index {
        database: "shop".to_owned(),
        schema: "public\u{1b}[2J".to_owned(),
        name: "x\u{202e}\n\"; drop table t; --<script>alert(1)</script>{{ bytes }}".to_owned(),
        table: "t".to_owned(),
        is_live: true,
        ..Index::default()
    }];
    let verdict = verdict_of(&snapshot, &settings());
    let finding = verdict.findings.iter().find(|finding| finding.rule == "invalid_index").expect("found");
    let words = format!("{} {}", finding.message, finding.fix.text);
    assert!(!words.contains("0 B }}"), "a name is never a template: {words}");
    let table = text(&verdict, Format::Table, 80, false);
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}'), "{table}");
    assert!(table.contains("\\u{1b}[2J") && table.contains("{{ bytes }}"), "{table}");
    let json = text(&verdict, Format::Json, 80, false);
    assert!(!json.contains('\u{1b}'));
}
