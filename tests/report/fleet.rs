//! The overview of many targets: golden texts, the published schema, rows of CSV, names that mean harm.

use super::history::{PLAIN, schema, written};
use super::{settings, shop, verdict_of};
use pgassay::model::fleet::{Ending, Ledger, Overview};
use pgassay::model::history::{Run, Tally};
use pgassay::model::snapshot::{Facet, Gap, Snapshot, Tool};
use pgassay::report::{write_overview, write_overview_csv, write_overview_json, write_overview_markdown};
use serde_json::Value;

fn add(ledger: &mut Ledger, name: &str, change: impl FnOnce(&mut Snapshot)) {
    let mut snapshot = shop();
    snapshot.target.name = name.to_owned();
    change(&mut snapshot);
    let verdict = verdict_of(&snapshot, &settings());
    ledger.add(&verdict, Run::of(&snapshot, snapshot.captured_at, Some(Tally::of(&verdict))), None);
}

pub(super) fn overview() -> Overview {
    let mut ledger = Ledger::default();
    add(&mut ledger, "prod-again", |_| {});
    add(&mut ledger, "prod-1", |_| {});
    // Another server, with nothing to find, and of which something could not be read.
    add(&mut ledger, "c\u{1b}[2Jrm|`x`", |snapshot| {
        let (server, captured_at) = (snapshot.server.clone(), snapshot.captured_at);
        *snapshot = Snapshot { target: snapshot.target.clone(), ..Snapshot::empty(Tool::default(), captured_at) };
        snapshot.server = server;
        snapshot.server.system_identifier = Some("1".to_owned());
        snapshot.gaps.push(Gap {
            facet: Facet::Indexes,
            database: None,
            partial: false,
            reason: "canceling statement due to statement timeout".to_owned(),
            sqlstate: Some("57014".to_owned()),
            remedy: "raise --statement-timeout".to_owned(),
            is_failure: true,
        });
    });
    ledger.miss(
        "=prod-9",
        Ending::Failed,
        "cannot connect to db9:5432/shop: connection refused\n  next: see whether it runs",
    );
    ledger.miss("prod-8", Ending::TimedOut, "db8:5432/shop was not read within 5 min\n  next: raise --target-timeout");
    ledger.miss("prod-7", Ending::NotReached, "the run was interrupted before it was read");
    let tool = Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() };
    ledger.close(tool, "3/16".parse().ok(), 97)
}

#[test]
fn the_overview_for_people() {
    let overview = overview();
    let table = written(|out| write_overview(&overview, PLAIN, out));
    let markdown = written(|out| write_overview_markdown(&overview, out));
    assert!(!table.contains('\u{1b}') && !markdown.contains('\u{1b}'));
    insta::assert_snapshot!(format!("{table}\n{markdown}"));
}

#[test]
fn the_json_of_an_overview_keeps_its_schema() {
    let schema = schema("fleet.json", &schemars::schema_for!(Overview));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let json: Value = serde_json::from_str(&written(|out| write_overview_json(&overview(), out))).expect("JSON");
    assert!(validator.is_valid(&json), "{json:#}");
    assert_eq!(json["same"], serde_json::json!([["prod-1", "prod-again"]]));
    assert_eq!(json["summary"]["exit_code"], 2, "it was interrupted");
    let names: Vec<&str> = json["targets"].as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
    assert!(names.is_sorted());
}

#[test]
fn the_csv_of_an_overview_is_one_row_a_target() {
    let text = written(|out| write_overview_csv(&overview(), out));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let cells = |at: usize| rows.iter().map(|row| row[at].to_owned()).collect::<Vec<_>>();
    assert_eq!(cells(0)[0], "'=prod-9", "spreadsheets would compute it");
    assert_eq!(cells(1), ["failed", "incomplete", "audited", "not_reached", "timed_out", "audited"]);
    assert!(rows.iter().all(|row| row.len() == 14));
}
