//! A comparison in the formats of any report: what it was compared with, and what it was not.

use super::formats::rendered;
use super::shop;
use pgassay::audit::{Gate, Settings, field_index, judge_changes};
use pgassay::compare::{Comparison, Side};
use pgassay::model::finding::Severity;
use pgassay::model::snapshot::{Snapshot, Tool};
use pgassay::model::verdict::{FailOn, Verdict};
use pgassay::report::{Format, report_schema};
use pgassay::rules::{Library, Waiver, builtin_sources};

/// The shop a day later, on a server of its own: a look-up reads its table, another is called forty times as often.
fn later() -> Snapshot {
    let mut head = shop();
    head.captured_at += chrono::TimeDelta::days(1);
    head.server.system_identifier = Some("7312345678901234568".to_owned());
    for statement in &mut head.statements {
        if statement.text.starts_with("select id, email, display_name") {
            statement.counters.shared_blocks_hit *= 200;
        }
        if statement.text.contains("where placed_at <=") {
            statement.counters.calls *= 40;
            statement.counters.rows *= 40;
            statement.counters.shared_blocks_hit *= 40;
        }
    }
    head.settings
        .iter_mut()
        .filter(|row| row.name == "work_mem")
        .for_each(|row| row.reset_value = Some("64".to_owned()));
    head
}

/// The second finding accepted.
pub(super) fn verdict() -> Verdict {
    let (base, head) = (shop(), later());
    let alone = |snapshot| Side { snapshot, since: None };
    let comparison = Comparison::of(alone(&base), alone(&head)).expect("comparable");
    let library = Library::load(builtin_sources(), &field_index()).expect("rules");
    let waiver = Waiver {
        rule: "more_calls".to_owned(),
        object: "q:*".to_owned(),
        reason: "the new home page".to_owned(),
        until: "2027-01-31".parse().ok(),
        owner: None,
    };
    let settings =
        Settings { fail_on: FailOn::Severity(Severity::Warning), waivers: vec![waiver], ..Settings::default() };
    judge_changes(&comparison, &library, &settings, Gate::Work, Tool::default())
}

#[test]
fn the_table_of_a_comparison() {
    insta::assert_snapshot!(rendered(&verdict(), Format::Table));
}

#[test]
fn the_markdown_of_a_comparison() {
    insta::assert_snapshot!(rendered(&verdict(), Format::Markdown));
}

#[test]
fn a_comparison_keeps_the_published_schema() {
    let validator = jsonschema::validator_for(&report_schema()).expect("a schema");
    let value = serde_json::from_str(&rendered(&verdict(), Format::Json)).expect("JSON");
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!((value["diff"]["gate"].as_str(), value["summary"]["exit_code"].as_i64()), (Some("work"), Some(1)));
}
