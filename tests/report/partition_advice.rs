//! What `partition advise` says: a golden text, the published schema.

use super::shop;
use pgassay::model::partition_advice::{PARTITION_ADVICE_VERSION, PartitionAdvice};
use pgassay::model::snapshot::{
    Column, ForeignKey, Index, Relation, RelationName, Snapshot, Statement, StatementCounters, StatementKind, Tool,
};
use pgassay::partition::partition_advice;
use pgassay::report::{Style, write_partition_advice, write_partition_advice_json};
use serde_json::Value;
use std::path::PathBuf;

fn statement(fingerprint: &str, text: &str, kind: StatementKind, calls: i64, ms: f64, rows: i64) -> Statement {
    Statement {
        database: "shop".to_owned(),
        fingerprint: fingerprint.to_owned(),
        text: text.to_owned(),
        kind,
        relations: vec![RelationName { schema: Some("log".to_owned()), name: "events".to_owned() }],
        counters: StatementCounters {
            calls,
            rows,
            total_exec_time_ms: ms,
            wal_bytes: rows * 90,
            ..StatementCounters::default()
        },
        ..Statement::default()
    }
}

/// The shop with a log beside it, of which rows are deleted by age, and with much in the way.
fn log() -> Snapshot {
    let mut snapshot = shop();
    let own = || ("shop".to_owned(), "log".to_owned(), "events".to_owned());
    let (database, schema, name) = own();
    let relation = Relation {
        database,
        schema,
        name,
        bytes: 300 << 30,
        estimated_rows: Some(2_000_000_000),
        trigger_count: Some(1),
        ..Relation::default()
    };
    snapshot.relations.push(Relation { name: "sent".to_owned(), ..relation.clone() });
    snapshot.relations.push(relation);
    let (database, schema, relation) = own();
    snapshot.columns.push(Column {
        database,
        schema,
        relation,
        name: "at".to_owned(),
        type_name: "timestamp with time zone".to_owned(),
        is_not_null: true,
        age_deciles_hours: (0..=10).rev().map(|tenth| tenth * 1_752).collect(),
        ..Column::default()
    });
    let (database, schema, table) = own();
    snapshot.indexes.push(Index {
        database,
        schema,
        table,
        name: "events_pkey".to_owned(),
        key_columns: vec!["id".to_owned()],
        is_unique: true,
        is_primary: true,
        bytes: 40 << 30,
        ..Index::default()
    });
    snapshot.foreign_keys.push(ForeignKey {
        database: "shop".to_owned(),
        schema: "log".to_owned(),
        table: "replies".to_owned(),
        name: "replies_event_fkey".to_owned(),
        referenced_schema: "log".to_owned(),
        referenced_table: "events".to_owned(),
        ..ForeignKey::default()
    });
    snapshot.statements.extend([
        statement("e1", "select * from log.events where id = $1", StatementKind::Select, 900_000, 90_000.0, 900_000),
        statement(
            "e2",
            "select count(*) from log.events where at > $1",
            StatementKind::Select,
            9_000,
            900_000.0,
            9_000,
        ),
        statement("e3", "delete from log.events where at < $1", StatementKind::Delete, 60, 600_000.0, 160_000_000),
        statement(
            "e4",
            "insert into log.events values ($1) on conflict (id) do nothing",
            StatementKind::Insert,
            9,
            1.0,
            9,
        ),
    ]);
    snapshot
}

fn advice(snapshot: &Snapshot) -> PartitionAdvice {
    partition_advice(snapshot, None, 10 << 30, Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() })
}

#[test]
fn what_would_gain_and_what_stands_in_the_way() {
    let mut out = Vec::new();
    write_partition_advice(&advice(&log()), Style { width: 100, color: false }, &mut out).expect("written");
    insta::assert_snapshot!(String::from_utf8(out).expect("UTF-8"));
}

#[test]
fn the_json_keeps_its_schema() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/partition-advice.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a schema")).expect("JSON");
    let own = schemars::schema_for!(PartitionAdvice);
    assert_eq!(&schema, own.as_value(), "docs/schema/partition-advice.json is stale: run `make pages`");
    let mut out = Vec::new();
    write_partition_advice_json(&advice(&log()), &mut out).expect("written");
    let written: Value = serde_json::from_slice(&out).expect("JSON");
    assert!(jsonschema::validator_for(&schema).expect("a schema").is_valid(&written), "{written:#}");
    assert_eq!(written["partition_advice_version"], PARTITION_ADVICE_VERSION);
    assert_eq!(written["tables"][0]["table"]["name"], "events");
    assert_eq!(written["passed_over"][0]["code"], "no_time_column");
}
