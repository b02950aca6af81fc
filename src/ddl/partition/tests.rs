//! The SQL of partitions, and how far a catalog is along their changes.

use super::*;
use crate::model::partition::{Drain, Subpartition};

fn name(name: &str) -> Name {
    Name::new("log", name)
}

fn edge(value: &str) -> Vec<Edge> {
    vec![Edge::Value(value.to_owned())]
}

fn form() -> PartitionForm {
    PartitionForm {
        name: name("steps_2026_12"),
        table: name("steps"),
        range: Range { from: edge("2026-12-01"), to: edge("2027-01-01") },
        likeness: Likeness { owner: "keeper".to_owned(), ..Likeness::default() },
        ..PartitionForm::default()
    }
}

fn sql(form: &PartitionForm) -> Vec<String> {
    create(form).commands().map(str::to_owned).collect()
}

#[test]
fn a_plain_month_takes_four_commands() {
    assert_eq!(
        sql(&form()),
        [
            "CREATE TABLE log.steps_2026_12 (LIKE log.steps INCLUDING COMMENTS INCLUDING CONSTRAINTS INCLUDING DEFAULTS \
             INCLUDING GENERATED INCLUDING STATISTICS INCLUDING STORAGE)",
            "ALTER TABLE log.steps_2026_12 OWNER TO keeper",
            "LOCK TABLE ONLY log.steps IN SHARE UPDATE EXCLUSIVE MODE",
            "ALTER TABLE log.steps ATTACH PARTITION log.steps_2026_12 FOR VALUES FROM ('2026-12-01') TO ('2027-01-01')",
        ]
    );
    assert_eq!(create(&form()).lock, "SHARE UPDATE EXCLUSIVE");
}

#[test]
fn locks_are_taken_in_the_order_of_those_who_write() {
    let default = DefaultPartition { name: name("rest"), window_ms: 5_000, drain: None };
    let all = sql(&PartitionForm { references: vec![name("users")], default: Some(default), ..form() });
    assert_eq!(all[0], "SET LOCAL statement_timeout = 5000");
    assert!(all[1].starts_with("CREATE TABLE"), "before anything is locked");
    assert_eq!(
        all[3..6],
        [
            "LOCK TABLE log.users IN SHARE ROW EXCLUSIVE MODE",
            "LOCK TABLE ONLY log.steps IN SHARE UPDATE EXCLUSIVE MODE",
            "LOCK TABLE log.rest IN ACCESS EXCLUSIVE MODE",
        ]
    );
}

#[test]
fn rows_are_moved_within_half_the_window() {
    let drain = Drain { key: "at".to_owned(), columns: vec!["id".to_owned(), "At".to_owned()] };
    let default = DefaultPartition { name: name("rest"), window_ms: 5_000, drain: Some(drain) };
    let all = sql(&PartitionForm { default: Some(default), ..form() });
    assert_eq!(all[0], "SET LOCAL statement_timeout = 2500", "the move, and the look at what stays");
    assert!(all.contains(
        &"WITH moved AS (DELETE FROM log.rest WHERE at >= '2026-12-01' AND at < '2027-01-01' RETURNING id, \"At\") \
          INSERT INTO log.steps_2026_12 (id, \"At\") SELECT id, \"At\" FROM moved"
            .to_owned()
    ));
}

#[test]
fn row_security_comes_before_privileges() {
    let likeness = Likeness {
        options: vec!["fillfactor=70".to_owned(), "toast.autovacuum_enabled=off".to_owned(), "odd".to_owned()],
        tablespace: Some("Fast".to_owned()),
        access_method: Some("zheap".to_owned()),
        is_unlogged: true,
        analyzed: vec![AnalyzedColumn {
            name: "Note".to_owned(),
            target: Some(0),
            options: vec!["n_distinct=-0.5".to_owned()],
        }],
        has_row_security: true,
        policies: vec![Policy {
            name: "p".to_owned(),
            command: "SELECT".to_owned(),
            is_permissive: false,
            roles: vec![None, Some("clerk".to_owned())],
            using: Some("x > 0".to_owned()),
            check: None,
            is_bound: false,
        }],
        grants: vec![Grant {
            grantee: None,
            privileges: vec!["SELECT".to_owned(), "UPDATE".to_owned()],
            column: Some("Note".to_owned()),
            is_grantable: true,
        }],
        replica_identity: "index".to_owned(),
        replica_index: Some(name("steps_key")),
        ..Likeness::default()
    };
    let all = sql(&PartitionForm { likeness, ..form() });
    assert!(all[0].starts_with("CREATE UNLOGGED TABLE log.steps_2026_12 (LIKE"));
    assert!(
        all[0]
            .ends_with(") USING zheap WITH (fillfactor = '70', toast.autovacuum_enabled = 'off') TABLESPACE \"Fast\"")
    );
    assert_eq!(
        all[1..6],
        [
            "ALTER TABLE log.steps_2026_12 ALTER COLUMN \"Note\" SET STATISTICS 0",
            "ALTER TABLE log.steps_2026_12 ALTER COLUMN \"Note\" SET (n_distinct = '-0.5')",
            "ALTER TABLE log.steps_2026_12 ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY p ON log.steps_2026_12 AS RESTRICTIVE FOR SELECT TO PUBLIC, clerk USING (x > 0)",
            "GRANT SELECT (\"Note\"), UPDATE (\"Note\") ON TABLE log.steps_2026_12 TO PUBLIC WITH GRANT OPTION",
        ]
    );
    assert!(all[8].starts_with("DO '") && all[8].contains("REPLICA IDENTITY USING INDEX"), "behind ATTACH: {}", all[8]);
}

#[test]
fn what_is_taken_back_is_looked_at_first() {
    let all: Vec<String> = drop(&form()).commands().map(str::to_owned).collect();
    let at = |what: &str| all.iter().position(|sql| sql.starts_with(what));
    assert!(at("LOCK TABLE ONLY log.steps IN ACCESS EXCLUSIVE") < at("DO "), "nobody writes between: {all:?}");
    assert!(at("DO ") < at("DROP TABLE log.steps_2026_12"), "{all:?}");
    assert!(at("ALTER TABLE log.steps_2026_12 NO FORCE ROW") < at("DO "), "its owner sees every row: {all:?}");
}

/// A month of a region with a bucket.
fn deep() -> PartitionForm {
    let part = |own: &str, bound: &str, below| Subpartition {
        name: name(own),
        bound: bound.to_owned(),
        likeness: Likeness { owner: "keeper".to_owned(), ..Likeness::default() },
        below,
    };
    let bucket = part("steps_2026_12_eu_0", "FOR VALUES WITH (modulus 1, remainder 0)", None);
    let buckets = Subpartitioning { key: "HASH (id)".to_owned(), partitions: vec![bucket] };
    let regions = vec![part("steps_2026_12_eu", "FOR VALUES IN ('eu')", Some(buckets))];
    PartitionForm { below: Some(Subpartitioning { key: "LIST (region)".to_owned(), partitions: regions }), ..form() }
}

#[test]
fn what_lies_below_a_month_is_attached_before_anything_is_locked() {
    let short = |form: &PartitionForm| -> Vec<String> {
        let words = |sql: &str| sql.split(" (LIKE").next().unwrap_or_default().replace("log.steps_2026_12", "M");
        let all = sql(form);
        all.iter().filter(|sql| !sql.contains(" OWNER TO ")).map(|sql| words(sql)).collect()
    };
    let made = ["CREATE TABLE M", "CREATE TABLE M_eu", "CREATE TABLE M_eu_0"];
    let below = [
        "ALTER TABLE M ATTACH PARTITION M_eu FOR VALUES IN ('eu')",
        "ALTER TABLE M_eu ATTACH PARTITION M_eu_0 FOR VALUES WITH (modulus 1, remainder 0)",
    ];
    let joined = [
        "LOCK TABLE ONLY log.steps IN SHARE UPDATE EXCLUSIVE MODE",
        "ALTER TABLE log.steps ATTACH PARTITION M FOR VALUES FROM ('2026-12-01') TO ('2027-01-01')",
    ];
    assert_eq!(short(&deep()), [&made[..], &below, &joined].concat());
    let numbered = PartitionForm { has_identity: true, ..deep() };
    assert_eq!(short(&numbered), [&made[..], &joined, &below].concat(), "identity comes down with ATTACH alone");
    let keys: Vec<bool> = sql(&deep()).iter().take(5).map(|sql| sql.contains(") PARTITION BY ")).collect();
    assert_eq!(keys, [true, false, true, false, false]);
}

#[test]
fn rows_of_several_months_are_counted_at_once() {
    let range = form().range;
    let sql = strayed(&name("rest"), "at", &[&range, &range]).expect("a query");
    assert_eq!(sql.matches("from log.rest where at >= '2026-12-01' AND at < '2027-01-01'").count(), 2);
    let open = Range { from: vec![Edge::Minvalue], to: edge("2027-01-01") };
    assert_eq!(strayed(&name("rest"), "at", &[&open]), None);
}

fn relation(own: &str, parent: Option<&str>, bound: &str) -> SeenRelation {
    SeenRelation {
        schema: "log".to_owned(),
        name: own.to_owned(),
        kind: "r".to_owned(),
        parent_schema: parent.map(|_| "log".to_owned()),
        parent_name: parent.map(str::to_owned),
        bound: (!bound.is_empty()).then(|| bound.to_owned()),
        ..SeenRelation::default()
    }
}

const BOUND: &str = "FOR VALUES FROM ('2026-12-01') TO ('2027-01-01')";

fn catalog(relations: Vec<SeenRelation>) -> Catalog {
    Catalog { relations, ..Catalog::default() }
}

fn is_foreign(state: &State, words: &str) -> bool {
    matches!(state, State::Foreign(said) if said.contains(words))
}

#[test]
fn a_month_to_be_made() {
    let judge = |relations| created(&form(), &catalog(relations));
    assert_eq!(judge(vec![]), State::Todo);
    assert!(matches!(judge(vec![relation("steps_2026_12", Some("steps"), BOUND)]), State::Done(_)));
    assert!(matches!(judge(vec![relation("of_another_name", Some("steps"), BOUND)]), State::Done(_)));
    let other = "FOR VALUES FROM ('2026-12-02') TO ('2027-01-01')";
    assert!(is_foreign(&judge(vec![relation("steps_2026_12", Some("steps"), other)]), "with another bound"));
    assert!(is_foreign(&judge(vec![relation("steps_2026_12", None, "")]), "is taken by a table"));
    assert!(is_foreign(&judge(vec![relation("steps_2026_12", Some("walks"), BOUND)]), "is taken by a table"));
    let below = created(&deep(), &catalog(vec![relation("steps_2026_12_eu_0", None, "")]));
    assert!(is_foreign(&below, "the name log.steps_2026_12_eu_0 is taken by a table"));
    let pending = SeenRelation { is_detach_pending: true, ..relation("steps_2026_12", Some("steps"), BOUND) };
    assert!(is_foreign(&judge(vec![pending]), "half detached"));
    assert!(is_foreign(&judge(vec![relation("rest", Some("steps"), "DEFAULT")]), "plan again"), "DEFAULT came");
    let default = Some(DefaultPartition { name: name("rest"), ..DefaultPartition::default() });
    let with_default = PartitionForm { default, ..form() };
    assert!(is_foreign(&created(&with_default, &catalog(vec![])), "plan again"), "DEFAULT went");
    assert_eq!(created(&with_default, &catalog(vec![relation("rest", Some("steps"), "DEFAULT")])), State::Todo);
}

#[test]
fn a_month_to_be_taken_back() {
    let judge = |relations| dropped(&form(), &catalog(relations));
    assert!(matches!(judge(vec![]), State::Done(_)));
    assert_eq!(judge(vec![relation("steps_2026_12", Some("steps"), BOUND)]), State::Todo);
    assert!(is_foreign(&judge(vec![relation("steps_2026_12", None, "")]), "not the partition any more"));
}
