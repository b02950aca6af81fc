//! What `partition list` says: golden texts, the published schema, texts that mean harm.

use super::shop;
use pgassay::model::snapshot::{Index, Partition, Relation, Snapshot, Tool};
use pgassay::model::survey::{SURVEY_VERSION, Survey};
use pgassay::partition::survey;
use pgassay::report::{Style, write_survey, write_survey_json};
use serde_json::Value;
use std::path::PathBuf;

fn partition(table: &str, name: &str, key_type: &str, bound: &str) -> Partition {
    Partition {
        database: "shop".to_owned(),
        parent_schema: "log".to_owned(),
        parent_name: table.to_owned(),
        strategy: "range".to_owned(),
        key_definition: "RANGE (at)".to_owned(),
        key_columns: vec!["at".to_owned()],
        key_types: vec![key_type.to_owned()],
        schema: Some("log".to_owned()),
        name: Some(name.to_owned()),
        bound: Some(bound.to_owned()),
        is_leaf: true,
        ..Partition::default()
    }
}

fn month(table: &str, name: &str, from: &str, to: &str) -> Partition {
    let key_type = if from.len() > 10 { "timestamp with time zone" } else { "date" };
    partition(table, name, key_type, &format!("FOR VALUES FROM ('{from}') TO ('{to}')"))
}

fn relation(name: &str, rows: i64, bytes: i64) -> Relation {
    Relation {
        database: "shop".to_owned(),
        schema: "log".to_owned(),
        name: name.to_owned(),
        live_tuples: rows,
        bytes,
        ..Relation::default()
    }
}

fn index(table: &str, name: &str, is_partitioned: bool, parent: Option<&str>) -> Index {
    Index {
        database: "shop".to_owned(),
        schema: "log".to_owned(),
        table: table.to_owned(),
        name: name.to_owned(),
        is_partitioned,
        is_valid: !is_partitioned,
        parent_schema: parent.map(|_| "log".to_owned()),
        parent_name: parent.map(str::to_owned),
        bytes: 4_000_000,
        ..Index::default()
    }
}

/// The shop with two more tables, in which everything is wrong that can be.
fn troubled() -> Snapshot {
    let mut snapshot = shop();
    let york = |name, from, to| month("calls", name, from, to);
    snapshot.partitions.extend([
        york("calls_2026_08", "2026-08-01 04:00:00+00", "2026-09-01 04:00:00+00"),
        york("calls_2026_09", "2026-09-01 04:00:00+00", "2026-10-01 04:00:00+00"),
        york("calls_2026_11", "2026-11-01 00:00:00+00", "2026-12-01 00:00:00+00"),
        month("steps", "steps_2026_10", "2026-10-01", "2026-11-01"),
        month("steps", "steps_2026_12", "2026-11-01", "2026-12-01"),
        partition("steps", "steps_before", "date", "FOR VALUES FROM (MINVALUE) TO ('2026-09-01')"),
        Partition { is_default: true, ..partition("steps", "steps_rest", "date", "DEFAULT") },
        Partition { is_detach_pending: true, ..month("steps", "steps_2026_09", "2026-09-01", "2026-10-01") },
        Partition { strategy: "list".to_owned(), ..partition("regions", "regions_eu", "text", "FOR VALUES IN ('eu')") },
    ]);
    snapshot.relations.extend([
        relation("steps_before", 9_000_000, 900_000_000),
        relation("steps_2026_09", 1_000_000, 100_000_000),
        relation("steps_2026_10", 500_000, 50_000_000),
        relation("steps_2026_12", 3, 8_192),
        relation("steps_rest", 12, 8_192),
    ]);
    snapshot.indexes.extend([
        index("steps", "steps_at_idx", true, None),
        index("steps_2026_10", "steps_2026_10_at_idx", false, Some("steps_at_idx")),
    ]);
    snapshot
}

fn of(snapshot: &Snapshot) -> Survey {
    survey(snapshot, Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() })
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

fn table(survey: &Survey) -> String {
    written(|out| write_survey(survey, Style { width: 100, color: false }, out))
}

fn json(survey: &Survey) -> Value {
    serde_json::from_str(&written(|out| write_survey_json(survey, out))).expect("JSON")
}

#[test]
fn the_chart() {
    insta::assert_snapshot!(table(&of(&troubled())));
}

#[test]
fn only_the_newest_months_are_drawn() {
    let mut snapshot = Snapshot { partitions: Vec::new(), ..shop() };
    for year in 2017..2027 {
        for number in 1..=12 {
            let next =
                if number == 12 { format!("{}-01-01", year + 1) } else { format!("{year}-{:02}-01", number + 1) };
            let name = format!("steps_{year}_{number:02}");
            snapshot.partitions.push(month("steps", &name, &format!("{year}-{number:02}-01"), &next));
            snapshot.relations.push(relation(&name, 10, 8_192));
        }
    }
    let text = table(&of(&snapshot));
    assert!(text.contains("… 84 before these, about 840 rows, 672 KiB; --format json has all"), "{text}");
    assert!(text.contains("covered until 2027-01-01 00:00 UTC: 1 month after the current one"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("steps_20")).count(), 36, "{text}");
    assert_eq!(json(&of(&snapshot))["tables"][0]["partitions"].as_array().map(Vec::len), Some(120));
}

#[test]
fn months_that_are_partitioned_are_not_drawn_once_more() {
    let mut snapshot = Snapshot { partitions: Vec::new(), relations: Vec::new(), indexes: Vec::new(), ..shop() };
    for (name, from, to) in [("steps_11", "2026-11-01", "2026-12-01"), ("steps_12", "2026-12-01", "2027-01-01")] {
        snapshot.partitions.push(Partition { is_leaf: false, ..month("steps", name, from, to) });
        let bucket = partition(name, &format!("{name}_p0"), "bigint", "FOR VALUES WITH (modulus 1, remainder 0)");
        let strategy = "hash".to_owned();
        snapshot.partitions.push(Partition { strategy, key_definition: "HASH (id)".to_owned(), ..bucket });
        snapshot.relations.push(relation(&format!("{name}_p0"), 70, 8_192));
    }
    let text = table(&of(&snapshot));
    assert!(text.contains("2 partitions; about 140 rows; 16 KiB"), "the sum of the leaves: {text}");
    assert!(!text.contains("HASH (id)"), "{text}");
    assert!(
        text.ends_with("not drawn: 2 partitioned partitions of these with nothing wrong; --table shows one\n"),
        "{text}"
    );
    snapshot.indexes.push(index("steps_12", "steps_12_id", true, None));
    let text = table(&of(&snapshot));
    assert!(text.contains("index log.steps_12_id is invalid: no part of it on log.steps_12_p0"), "{text}");
    assert!(text.contains("not drawn: 1 partitioned partition of these"), "{text}");
}

#[test]
fn the_json_keeps_its_schema() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/survey.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a schema")).expect("JSON");
    let own = schemars::schema_for!(Survey);
    assert_eq!(&schema, own.as_value(), "docs/schema/survey.json is stale: run `make pages`");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let written = json(&of(&troubled()));
    assert!(validator.is_valid(&written), "{written:#}");
    assert_eq!(written["survey_version"], SURVEY_VERSION);
    let steps = written["tables"].as_array().expect("tables").iter().find(|table| table["table"]["name"] == "steps");
    let steps = steps.expect("steps");
    assert_eq!(steps["partitions"][0]["name"]["name"], "steps_before");
    assert_eq!(steps["partitions"][0]["from"], Value::Null);
    assert_eq!(steps["misnamed"][0]["holds"], "2026-11");
}

#[test]
fn names_do_not_move_the_cursor() {
    let mut snapshot = Snapshot { partitions: Vec::new(), ..shop() };
    snapshot.partitions.push(month("a\u{1b}[2J", "b\u{202e}\n", "2026-11-01", "2026-12-01"));
    let text = table(&of(&snapshot));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    assert_eq!(text.lines().count(), 6, "{text}");
}
