//! The plan of the stored shop in its three forms, and what `verify` says of two moments: golden texts, the
//! published schema, and the same bytes each time.

use super::{settings, shop, verdict_of};
use chrono::{DateTime, TimeDelta};
use pgassay::compare::{Measured, measure};
use pgassay::ddl::{Wish, propose, script, sound};
use pgassay::model::object::{Object, ObjectKind};
use pgassay::model::plan::{FindingRef, Left, Plan};
use pgassay::model::snapshot::{
    ForeignKey, Index, Relation, RelationKind, RelationName, Snapshot, Statement, StatementCounters, StatementKind,
    Tool,
};
use pgassay::report::{Style, write_measured, write_measured_json, write_plan};
use serde_json::Value;
use std::path::PathBuf;

fn tool() -> Tool {
    Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() }
}

/// The plan of the stored shop.
fn plan() -> Plan {
    let snapshot = shop();
    let verdict = verdict_of(&snapshot, &settings());
    let wishes: Vec<Wish> = verdict.unwaived().map(Wish::from).collect();
    propose(&wishes, &snapshot, tool())
}

fn table(plan: &Plan, width: u16) -> String {
    let mut out = Vec::new();
    write_plan(plan, Style { width, color: false }, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

fn json(plan: &Plan) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.json");
    pgassay::store::write_plan(&path, plan).expect("written");
    assert_eq!(pgassay::store::read_plan(&path).expect("read back"), *plan);
    std::fs::read_to_string(path).expect("text")
}

#[test]
fn the_plan_at_80_columns() {
    insta::assert_snapshot!(table(&plan(), 80));
}

#[test]
fn the_plan_at_140_columns() {
    insta::assert_snapshot!(table(&plan(), 140));
}

#[test]
fn the_plan_as_json() {
    insta::assert_snapshot!(json(&plan()));
}

#[test]
fn the_plan_as_a_script() {
    insta::assert_snapshot!(script(&plan()));
}

#[test]
fn the_same_findings_make_the_same_plan() {
    let (one, other) = (plan(), plan());
    assert_eq!((table(&one, 100), json(&one), script(&one)), (table(&other, 100), json(&other), script(&other)));
    let snapshot = shop();
    let verdict = verdict_of(&snapshot, &settings());
    let mut wishes: Vec<Wish> = verdict.unwaived().map(Wish::from).collect();
    wishes.reverse();
    let reversed = propose(&wishes, &snapshot, tool());
    assert_eq!(json(&reversed), json(&one), "whatever order findings come in");
    assert_eq!(sound(&one), Ok(()));
}

#[test]
fn no_line_of_a_plan_is_wider_than_the_terminal() {
    for width in [60, 80, 140] {
        let text = table(&plan(), width);
        let wide: Vec<&str> =
            text.lines().filter(|line| line.starts_with("    ") && line.chars().count() > usize::from(width)).collect();
        assert!(wide.is_empty(), "{width}: {wide:#?}");
    }
}

#[test]
fn advice_for_several_objects_is_told_once() {
    let mut plan = plan();
    let one = plan.left.first().expect("left").clone();
    let named = |name: &str| Left {
        finding: FindingRef { object: format!("shop.{name}"), ..one.finding.clone() },
        ..one.clone()
    };
    plan.left = ["first", "second", "third"].map(named).to_vec();
    let text = table(&plan, 140);
    assert_eq!(text.matches("→ for each of these 3: ").count(), 1, "{text}");
    assert!(["first", "second", "third"].iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn the_plan_keeps_its_published_schema() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/plan.json");
    let published: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("published")).expect("JSON");
    let schema = schemars::schema_for!(Plan).to_value();
    assert_eq!(published, schema, "docs/schema/plan.json is stale: run `make pages`");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let empty = Plan { steps: Vec::new(), left: Vec::new(), ..plan() };
    for plan in [plan(), empty] {
        let value: Value = serde_json::from_str(&json(&plan)).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let mut other: Value = serde_json::from_str(&json(&plan())).expect("JSON");
    other["steps"][0]["surprise"] = Value::Bool(true);
    assert!(!validator.is_valid(&other), "unknown fields are no plan");
}

/// Names and definitions that mean harm to a terminal, to SQL, and to a script for psql.
#[test]
fn hostile_names_stay_names_in_a_plan() {
    let evil = "x\u{1b}[2J\u{202e}\n\\! touch /tmp/owned\n\"; drop table t; --";
    let mut snapshot = Snapshot::empty(tool(), DateTime::UNIX_EPOCH);
    snapshot.target.database = "it's\n\\q".to_owned();
    let database = snapshot.target.database.clone();
    snapshot.relations = vec![Relation {
        database: database.clone(),
        schema: "public".to_owned(),
        name: evil.to_owned(),
        kind: RelationKind::Table,
        ..Relation::default()
    }];
    snapshot.foreign_keys = vec![ForeignKey {
        database,
        schema: "public".to_owned(),
        table: evil.to_owned(),
        name: "fk".to_owned(),
        columns: vec![evil.to_owned()],
        ..ForeignKey::default()
    }];
    let wish = Wish {
        finding: FindingRef {
            rule: "unindexed_foreign_key".to_owned(),
            object: format!("public.{evil}.fk"),
            fingerprint: "0".repeat(16),
        },
        action: "create_index".to_owned(),
        object: Object {
            kind: ObjectKind::ForeignKey,
            schema: Some("public".to_owned()),
            table: Some(evil.to_owned()),
            name: "fk".to_owned(),
            ..Object::default()
        },
        message: evil.to_owned(),
        advice: evil.to_owned(),
        caveats: vec![evil.to_owned()],
        is_doubtful: false,
        keeper: None,
        definition: None,
    };
    let plan = propose(&[wish], &snapshot, tool());
    assert_eq!(plan.steps.len(), 1, "{:#?}", plan.left);
    let text = table(&plan, 80);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    let script = script(&plan);
    // What psql would take for a command of its own: a backslash outside of comments and quotes.
    let bare: Vec<&str> = script.lines().filter(|line| !line.starts_with("-- ")).collect();
    let bare: String = bare.join("\n").split(['"', '\'']).step_by(2).collect();
    assert_eq!(bare.matches('\\').count(), 1, "{bare}");
    assert!(bare.starts_with("\\set ON_ERROR_STOP on\n") && !bare.contains("drop table"), "{bare}");
    insta::assert_snapshot!(script);
}

/// The stored shop some time after the plan was carried out: each statement was called twice as often as
/// before and touched a tenth a call; dropped indexes are gone.
fn later(plan: &Plan, before: &Snapshot) -> Snapshot {
    let mut after = before.clone();
    after.captured_at += TimeDelta::hours(1);
    for statement in &mut after.statements {
        let counters = &mut statement.counters;
        let (calls, hit, read) = (counters.calls, counters.shared_blocks_hit, counters.shared_blocks_read);
        counters.calls += 2 * calls;
        counters.total_exec_time_ms *= 1.5;
        counters.shared_blocks_hit += hit / 5;
        counters.shared_blocks_read += read / 5;
        counters.wal_bytes *= 3;
        counters.wal_full_page_images *= 3;
    }
    for step in &plan.steps {
        let Some(form) = step.change.index() else { continue };
        let (schema, name) = (form.name.schema.clone(), form.name.name.clone());
        match step.change.kind() {
            "create_index" => after.indexes.push(Index {
                schema,
                name,
                table: form.table.name.clone(),
                is_valid: true,
                bytes: 8192,
                ..Index::default()
            }),
            "drop_index" => after.indexes.retain(|index| (&index.schema, &index.name) != (&schema, &name)),
            _ => {}
        }
    }
    after
}

fn measured() -> Vec<Measured> {
    let (plan, before) = (plan(), shop());
    let after = later(&plan, &before);
    measure(&plan.steps.iter().collect::<Vec<_>>(), &before, &after, 100)
}

/// One statement of a table of which an index was dropped reads much more than before.
fn harmful() -> Vec<Measured> {
    let plan = plan();
    let step = plan.steps.iter().find(|step| step.change.kind() == "drop_index").expect("a drop");
    let look_up = |calls, shared_blocks_hit| Statement {
        fingerprint: "feed".repeat(4),
        text: "select *\n  from t where x = $1".to_owned(),
        kind: StatementKind::Select,
        relations: vec![RelationName {
            schema: Some(step.change.table().schema.clone()),
            name: step.change.table().name.clone(),
        }],
        counters: StatementCounters { calls, shared_blocks_hit, total_exec_time_ms: 900.0, ..Default::default() },
        ..Statement::default()
    };
    let mut before = shop();
    before.statements = vec![look_up(1_000, 4_000)];
    let mut after = later(&plan, &before);
    after.statements = vec![look_up(2_000, 1_004_000)];
    measure(&[step], &before, &after, 100)
}

const RUN: &str = "20261120T073000Z-4711";

fn told(measured: &[Measured]) -> String {
    let mut out = Vec::new();
    write_measured(&[(RUN, measured.to_vec())], Style { width: 100, color: false }, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

fn told_as_json(measured: &[Measured]) -> String {
    let mut out = Vec::new();
    write_measured_json(&[(RUN, measured.to_vec())], &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn what_changes_brought() {
    assert_eq!(measured(), measured(), "the same each time");
    insta::assert_snapshot!(told(&measured()));
}

#[test]
fn what_a_harmful_change_brought() {
    insta::assert_snapshot!(told(&harmful()));
}

#[test]
fn what_changes_brought_as_json() {
    insta::assert_snapshot!(told_as_json(&harmful()));
    let all: Value = serde_json::from_str(&told_as_json(&measured())).expect("JSON");
    assert_eq!(all["runs"][0]["changes"].as_array().map(Vec::len), Some(measured().len()));
}
