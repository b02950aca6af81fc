//! What `history trend` says: golden texts in its formats, and the published schema.

use super::history::{PLAIN, schema, written};
use super::shop;
use pgassay::compare::{Chronicle, metric_names, trends};
use pgassay::model::history::Tally;
use pgassay::model::snapshot::{Snapshot, Tool};
use pgassay::model::trend::{Terms, Trends};
use pgassay::report::{
    write_trends, write_trends_csv, write_trends_json, write_trends_markdown, write_trends_prometheus,
};
use serde_json::Value;

/// The shop on the day `day`: its first statement takes longer from the fifteenth day on, its first table grows, and
/// findings become fewer.
fn day(day: i64) -> (Snapshot, Tally) {
    let mut snapshot = shop();
    snapshot.captured_at = "2026-11-20T07:30:00Z".parse().expect("a time");
    snapshot.captured_at += chrono::TimeDelta::days(day - 24);
    snapshot.target.port = 5432;
    snapshot.statements.truncate(2);
    snapshot.relations.truncate(2);
    snapshot.indexes.clear();
    let slow = (day - 15).max(0);
    let [first, second] = &mut snapshot.statements[..] else { panic!("two statements") };
    first.text = "select * from a\u{1b}[2J where b = $1".to_owned();
    for (statement, blocks) in [(first, 100 * day + 900 * slow), (second, 50 * day)] {
        let counters = &mut statement.counters;
        counters.calls = 1_000 + 100 * day;
        counters.rows = 1_000 + 100 * day;
        counters.shared_blocks_hit = 100 * blocks;
        counters.shared_blocks_read = 0;
        counters.total_exec_time_ms = f64::from(i32::try_from(blocks + day % 3).expect("small"));
        counters.stats_since = None;
    }
    snapshot.relations[0].bytes = 50_000_000 + 3_000_000 * day;
    let critical = if day < 14 { 3 } else { 1 };
    (snapshot, Tally { critical, warning: 5, info: 0, waived: 0, exit_code: 1 })
}

pub(super) fn judged(days: i64) -> Trends {
    let mut chronicle = Chronicle::new(10);
    for number in 0..days {
        let (mut snapshot, tally) = day(number);
        if number < 2 {
            snapshot.server.started_at -= chrono::TimeDelta::days(1);
        }
        chronicle.add(snapshot, Some(tally));
    }
    let tool = Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() };
    trends(&chronicle, "shop@db1:5432", &Terms { top: 1, ..Terms::default() }, &|_, _, _| true, tool)
}

#[test]
fn what_changed_in_every_format() {
    let trends = judged(25);
    insta::assert_snapshot!("trend_table", written(|out| write_trends(&trends, false, PLAIN, out)));
    insta::assert_snapshot!("trend_markdown", written(|out| write_trends_markdown(&trends, out)));
    insta::assert_snapshot!("trend_prometheus", written(|out| write_trends_prometheus(&trends, out)));
    let csv = written(|out| write_trends_csv(&trends, out));
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(csv.as_bytes()).records().collect::<Result<_, _>>().expect("CSV");
    assert_eq!(rows.len(), trends.trends.len());
    assert_eq!(rows[0].get(0), Some("degrading"));
}

#[test]
fn all_of_it_has_what_is_stable_and_no_escape() {
    let all = written(|out| write_trends(&judged(25), true, PLAIN, out));
    assert!(all.contains("stable  calls_per_second") && !all.contains('\u{1b}'), "{all}");
    let few = written(|out| write_trends(&judged(3), true, PLAIN, out));
    let one = written(|out| write_trends(&judged(1), true, PLAIN, out));
    assert!(one.contains("1 run is too few"), "{one}");
    assert!(few.contains("3 runs are too few") && few.contains("unknown  bytes"), "{few}");
    let none = written(|out| write_trends(&judged(0), false, PLAIN, out));
    assert!(none.starts_with("shop@db1:5432: 0 runs, 0 windows compared\n"), "{none}");
}

#[test]
fn every_metric_has_its_line_in_the_page() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands/history.md");
    let page = std::fs::read_to_string(page).expect("a page");
    for name in metric_names() {
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/commands/history.md");
    }
}

#[test]
fn the_json_of_trends_keeps_its_schema() {
    let schema = schema("trend.json", &schemars::schema_for!(Trends));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for days in [0, 3, 25] {
        let json: Value = serde_json::from_str(&written(|out| write_trends_json(&judged(days), out))).expect("JSON");
        assert!(validator.is_valid(&json), "{json:#}");
    }
}
