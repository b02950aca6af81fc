//! Verdicts over a table of events, and what adds up in them.

use super::*;
use crate::model::snapshot::{
    Constraint, ForeignKey, Index, Plan, RelationName, Statement, StatementCounters, StatementsInfo,
};
use crate::statement::analyse;
use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::json;

/// A statement with its calls, its time in milliseconds, and the rows it returned or changed.
type Work<'a> = (&'a str, i64, f64, i64);

fn statement((text, calls, ms, rows): Work<'_>) -> Statement {
    let analysis = analyse(text).expect("a statement");
    Statement {
        database: "shop".to_owned(),
        fingerprint: analysis.fingerprint,
        text: analysis.text,
        kind: analysis.kind,
        relations: analysis.relations,
        set_columns: analysis.set_columns,
        counters: StatementCounters { calls, rows, total_exec_time_ms: ms, ..StatementCounters::default() },
        ..Statement::default()
    }
}

fn column(name: &str, type_name: &str, is_not_null: bool) -> Column {
    let (relation, ages) = ("events".to_owned(), (0..=10).rev().map(|tenth| tenth * 2400).collect());
    Column {
        schema: "public".to_owned(),
        relation,
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        is_not_null,
        age_deciles_hours: ages,
        ..Column::default()
    }
}

/// A million events of 1,000 days, and what is done with them.
fn events(work: &[Work<'_>]) -> Snapshot {
    let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    snapshot.target.database = "shop".to_owned();
    snapshot.statements_info = vec![StatementsInfo { database: "shop".to_owned(), ..StatementsInfo::default() }];
    let events = Relation {
        schema: "public".to_owned(),
        name: "events".to_owned(),
        estimated_rows: Some(1_000_000),
        bytes: 100 << 30,
        trigger_count: Some(0),
        ..Relation::default()
    };
    let users = Relation { name: "users".to_owned(), bytes: 8192, ..events.clone() };
    snapshot.relations = vec![events, users];
    snapshot.columns = vec![
        column("id", "bigint", true),
        column("at", "timestamp with time zone", true),
        column("changed_at", "timestamp with time zone", true),
        column("paid_at", "timestamp with time zone", false),
    ];
    snapshot.statements = work.iter().copied().map(statement).collect();
    snapshot
}

fn advice(snapshot: &Snapshot) -> PartitionAdvice {
    partition_advice(snapshot, None, 1 << 30, Tool::default())
}

const BY_ID: Work<'_> = ("select * from events where id = $1", 1_000, 500.0, 1_000);
const BY_TIME: Work<'_> = ("select sum(id) from public.events e where e.at >= $1 and e.at < $2", 100, 5_000.0, 100);
const PRUNED: Work<'_> = ("delete from events where at < now() - $1::interval", 30, 900.0, 40_000);
const TOUCHED: Work<'_> = ("update events set changed_at = now() where id = $1", 500, 400.0, 500);

#[test]
fn only_what_goes_by_time_would_gain() {
    let once = |rows| ("delete from events where at < $1", 1, 900.0, rows);
    for (work, expected) in [
        (vec![BY_ID, BY_TIME], Ok("at")),
        (vec![BY_ID, PRUNED], Ok("at")),
        (vec![BY_ID, once(50_000)], Ok("at")),
        (vec![BY_ID, once(50)], Err("not_by_time")),
        (vec![BY_ID], Err("not_by_time")),
        (vec![BY_ID, ("select 1 from events where at > $1", 500, 100.0, 500)], Err("not_by_time")),
        (vec![("select 1 from events where at > $1", 3, 100.0, 500)], Err("not_by_time")),
        // A time in a function, or beside a column, leaves no month out.
        (vec![("select 1 from events where date(at) = $1", 500, 100.0, 500)], Err("not_by_time")),
        (vec![("select 1 from events order by at limit $1", 500, 100.0, 500)], Err("not_by_time")),
        (vec![("select 1 from events where at > $1 or id = $2", 500, 100.0, 500)], Err("not_by_time")),
        (
            vec![BY_TIME, ("insert into events values ($1) on conflict (id) do update set at = now()", 5, 1.0, 5)],
            Err("key_changes"),
        ),
        // What is deleted by the time of others has none itself.
        (
            vec![BY_ID, ("delete from users where id in (select id from events where at < $1)", 9, 1.0, 90)],
            Err("not_by_time"),
        ),
        (vec![TOUCHED, ("select 1 from events where changed_at > $1", 500, 900.0, 500)], Err("key_changes")),
        (vec![("select 1 from events where paid_at > $1", 500, 900.0, 500)], Err("not_by_time")),
        (vec![("insert into events values ($1)", 500, 900.0, 500)], Err("not_by_time")),
        (vec![], Err("no_statements")),
    ] {
        let advice = advice(&events(&work));
        let found = match (advice.tables.as_slice(), advice.passed_over.as_slice()) {
            ([one], []) => Ok(one.key.as_str()),
            ([], [one]) => Err(one.code.as_str()),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{work:?}");
        assert_eq!(timely(&events(&work)).len(), advice.tables.len(), "the rule agrees: {work:?}");
    }
}

#[test]
fn what_is_known_to_be_set_may_be_a_key() {
    let mut snapshot = events(&[("select 1 from events where paid_at > $1", 500, 900.0, 500)]);
    snapshot.columns.iter_mut().for_each(|column| column.null_fraction = Some(0.0));
    let found = &advice(&snapshot).tables[0];
    assert_eq!((found.key.as_str(), found.obstacles[0].code.as_str()), ("paid_at", "nullable_key"));
}

#[test]
fn a_number_or_a_uuid_may_tell_the_time() {
    let pruned: Work<'_> = ("delete from events where id < $1", 30, 900.0, 40_000);
    let by_range: Work<'_> = ("select count(*) from events where id >= $1 and id < $2", 100, 5_000.0, 100);
    let days = |oldest: i32, newest: i32| vec![oldest * 24, (oldest + newest) * 12, newest * 24];
    for (unit, ages, is_unique, work, expected) in [
        ("ms", days(900, 0), false, pruned, Some("id")),
        ("s", days(900, 50), false, by_range, Some("id")),
        ("uuid_v7", days(900, 0), true, by_range, Some("id")),
        // By itself that a row is looked up tells nothing of times.
        ("uuid_v7", days(900, 0), true, BY_ID, None),
        // Phone numbers are some of 1985, ids that count up are unique, and what is to come is no time of a row.
        ("ms", days(15_000, 14_900), false, by_range, None),
        ("s", days(900, 0), true, by_range, None),
        ("s", days(900, -400), false, by_range, None),
        ("s", days(3, 0), false, by_range, None),
        ("", Vec::new(), false, by_range, None),
    ] {
        let mut snapshot = events(&[work]);
        snapshot.indexes = vec![Index {
            schema: "public".to_owned(),
            table: "events".to_owned(),
            is_unique,
            key_columns: vec!["id".to_owned()],
            ..Index::default()
        }];
        snapshot.columns[0].age_deciles_hours = ages;
        snapshot.columns[0].time_unit = Some(unit.to_owned()).filter(|unit| !unit.is_empty());
        let advice = advice(&snapshot);
        let found = advice.tables.first();
        assert_eq!(found.map(|one| one.key.as_str()), expected, "{unit} {is_unique} {work:?}");
        assert_eq!(found.and_then(|one| one.key_unit.as_deref()), expected.map(|_| unit));
        assert!(timely(&snapshot).is_empty(), "the rule does not guess");
        // What is a time by its type goes first.
        snapshot.statements.push(statement(BY_TIME));
        assert_eq!(self::advice(&snapshot).tables[0].key, "at", "{unit} {work:?}");
    }
}

#[test]
fn a_plan_says_what_is_behind_a_view() {
    let mut snapshot = events(&[("select * from recent where day = $1", 500, 900.0, 500)]);
    snapshot.statements[0].relations = vec![RelationName { schema: None, name: "recent".to_owned() }];
    let plan = json!({"Node Type": "Index Scan", "Schema": "public", "Relation Name": "events", "Alias": "events",
        "Index Cond": "((events.at >= $1) AND (events.at < ($1 + '1 day'::interval)))"});
    snapshot.plans =
        vec![Plan { fingerprint: snapshot.statements[0].fingerprint.clone(), plan: Some(plan), ..Plan::default() }];
    assert_eq!(advice(&snapshot).tables[0].key, "at");
}

#[test]
fn evidence_and_effect_add_up() {
    let mut snapshot = events(&[BY_ID, BY_TIME, PRUNED]);
    snapshot.indexes =
        vec![Index { schema: "public".to_owned(), table: "events".to_owned(), bytes: 10 << 30, ..Index::default() }];
    let found = &advice(&snapshot).tables[0];
    assert_eq!((found.workload.statements, found.workload.by_key, found.workload.calls), (3, 2, 1_130));
    assert!((found.workload.time_share - 5_900.0 / 6_400.0).abs() < 1e-9);
    let retention = found.retention.as_ref().expect("deletes");
    assert_eq!((retention.calls, retention.rows), (30, 40_000));
    let growth = found.growth.expect("a histogram");
    assert_eq!((growth.rows_per_month, found.effect.partitions), (30_440, Some(34)));
    assert_eq!(growth.bytes_per_month, ((110_i64 << 30) as f64 * 0.030_44).round() as i64);
    assert!((found.effect.probing_calls_share - 1_000.0 / 1_130.0).abs() < 1e-9);
}

#[test]
fn growth_is_measured_between_snapshots() {
    let (mut now, then) = (events(&[BY_TIME]), events(&[]));
    now.captured_at += TimeDelta::days(10);
    now.relations[0].estimated_rows = Some(1_010_000);
    now.relations[0].bytes += 1 << 30;
    let found = &partition_advice(&now, Some(&then), 0, Tool::default()).tables[0];
    let growth = found.measured_growth.expect("two snapshots");
    assert_eq!(
        (growth.rows_per_month, growth.bytes_per_month),
        (30_440, ((1_i64 << 30) as f64 * 3.044).round() as i64)
    );
}

#[test]
fn what_stands_in_the_way_is_told() {
    let conflict = "insert into events values ($1) on conflict (id) do nothing";
    let mut snapshot = events(&[BY_TIME, (conflict, 5, 1.0, 5)]);
    let own = || ("public".to_owned(), "events".to_owned());
    let unique = |name: &str, columns: &[&str], is_primary: bool| Index {
        schema: own().0,
        table: own().1,
        name: name.to_owned(),
        key_columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        is_unique: true,
        is_primary,
        ..Index::default()
    };
    snapshot.indexes = vec![
        unique("events_pkey", &["id"], true),
        unique("events_token_key", &["token"], false),
        unique("events_token_at_key", &["token", "at"], false),
    ];
    let (referenced_schema, referenced_table) = own();
    snapshot.foreign_keys = vec![ForeignKey { referenced_schema, referenced_table, ..ForeignKey::default() }];
    snapshot.relations[0].trigger_count = Some(2);
    snapshot.constraints = vec![Constraint::default()];
    let found = &advice(&snapshot).tables[0];
    let codes: Vec<&str> = found.obstacles.iter().map(|obstacle| obstacle.code.as_str()).collect();
    assert_eq!(codes, ["foreign_keys", "primary_key", "unique", "on_conflict", "triggers"]);
    let allowed =
        found.obstacles.iter().filter(|obstacle| obstacle.may_be_allowed).map(|obstacle| obstacle.code.as_str());
    assert_eq!(allowed.collect::<Vec<_>>(), ["primary_key", "unique"]);
    assert!(found.obstacles[2].text.contains("events_token_key;"), "{:?}", found.obstacles);
}

#[test]
fn the_share_of_young_rows_is_read_off_the_tenths() {
    let even: Vec<i32> = (0..=10).rev().map(|tenth| tenth * 10).collect();
    for (hours, share) in [(0.0, 0.0), (5.0, 0.05), (55.0, 0.55), (100.0, 1.0), (500.0, 1.0)] {
        assert!((younger(&even, hours) - share).abs() < 1e-9, "{hours}");
    }
    assert_eq!((growth(&[], 9, 9), growth(&[100; 11], 9, 9), months(&[])), (None, None, None));
}

proptest! {
    #[test]
    fn no_histogram_makes_it_panic(mut ages in proptest::collection::vec(any::<i32>(), 0..12), rows in any::<i64>()) {
        ages.sort_unstable_by(|a, b| b.cmp(a));
        let share = younger(&ages, 2_000.0);
        prop_assert!((0.0..=1.0).contains(&share));
        let _ = (growth(&ages, rows, rows), months(&ages));
    }
}
