//! Advice of a made-up search: two tables, three candidates, four statements.

use super::super::candidate::Candidate;
use super::super::plan::plan;
use super::super::workload::Uses;
use super::*;
use crate::model::object::{Object, ObjectKind};
use crate::model::plan::FindingRef;
use crate::model::snapshot::{Column, ForeignKey, Index, Plan, Relation};
use std::collections::BTreeMap;

fn query(fingerprint: &str, total_ms: f64) -> Query {
    Query {
        fingerprint: fingerprint.into(),
        text: format!("select {fingerprint} from s.orders where a = $1"),
        search_path: "s".into(),
        calls: 10,
        total_ms,
        tables: BTreeMap::new(),
        rows_per_call: 1.0,
        names_views: false,
    }
}

fn candidate(table: &str, columns: &[&str]) -> Candidate {
    Candidate::btree(&Name::new("s", table), columns.iter().map(|column| Key::ascending(column)).collect())
}

fn pool() -> Pool {
    let mut pool = Pool::default();
    for (table, columns) in [("orders", &["a", "b"][..]), ("orders", &["b"]), ("users", &["c"])] {
        pool.add(candidate(table, columns));
    }
    pool.learn_sizes([8192, 8192, UNKNOWN_BYTES]);
    pool
}

fn index(name: &str, table: &str, columns: &[&str]) -> Index {
    Index {
        database: "d".into(),
        schema: "s".into(),
        name: name.into(),
        table: table.into(),
        method: "btree".into(),
        definition: format!("CREATE INDEX {name} ON s.{table} USING btree ({})", columns.join(", ")),
        key_columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        orders: vec![0; columns.len()],
        is_valid: true,
        is_ready: true,
        is_live: true,
        bytes: 8192,
        ..Index::default()
    }
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
    snapshot.target.database = "d".into();
    let relation = |name: &str| Relation {
        database: "d".into(),
        schema: "s".into(),
        name: name.into(),
        bytes: 8192,
        live_tuples: 1000,
        modified_since_analyze: 500,
        last_analyze: Some(chrono::DateTime::UNIX_EPOCH),
        ..Relation::default()
    };
    snapshot.relations = vec![relation("orders"), relation("users")];
    snapshot
}

fn made(found: &Found, workload: &Workload, snapshot: &Snapshot, wishes: &[Wish]) -> Advice {
    weighed(Weigh::Time, found, workload, snapshot, wishes)
}

fn weighed(weigh: Weigh, found: &Found, workload: &Workload, snapshot: &Snapshot, wishes: &[Wish]) -> Advice {
    advice(
        Evidence { workload, pool: &pool(), found, visits: &BTreeMap::new() },
        snapshot,
        &terms(weigh, wishes),
        Tool::default(),
    )
}

fn terms(weigh: Weigh, wishes: &[Wish]) -> Terms<'_> {
    Terms {
        weigh,
        budget_bytes: None,
        max_indexes: 10,
        sessions: 2,
        seconds: 1.0,
        what_if: None,
        estimate: None,
        window_seconds: 3600,
        wishes,
    }
}

fn none() -> Found {
    Found { chosen: BTreeSet::new(), costs: Vec::new(), spreads: BTreeMap::new(), calls: 0, curve: Vec::new() }
}

fn workload(times: &[f64]) -> Workload {
    let queries = times.iter().enumerate().map(|(at, ms)| query(&format!("q{at}"), *ms)).collect();
    Workload { queries, unplanned: BTreeMap::from([("no_relation".to_owned(), 2)]) }
}

#[test]
fn what_a_plan_saves_is_split_among_the_indexes_it_uses() {
    let found = Found {
        chosen: [0, 2].into(),
        costs: vec![Some((100.0, 20.0, vec![0, 2])), Some((100.0, 50.0, vec![0])), None, Some((10.0, 10.0, vec![]))],
        calls: 7,
        ..none()
    };
    let advice = made(&found, &workload(&[1000.0, 800.0, 5000.0, 200.0]), &snapshot(), &[]);
    let told: Vec<(&str, f64, f64)> =
        (advice.proposals.iter()).map(|one| (one.name.name.as_str(), one.saved_share, one.saved_ms_per_hour)).collect();
    assert_eq!(told, [("orders_a_b_idx", 0.4, 800.0), ("users_c_idx", 0.2, 400.0)]);
    assert_eq!((advice.workload.before, advice.workload.after), (2000.0, 800.0));
    assert_eq!(advice.proposals[0].serves[0].uses, [1, 2]);
    assert_eq!(advice.proposals[1].hypopg_bytes, None, "HypoPG told no size");
    let codes: Vec<&str> = advice.proposals[0].caveats.iter().map(|caveat| caveat.code.as_str()).collect();
    assert_eq!(codes, ["typical_values", "stale_statistics", "write_price", "short_window"]);
    let statements = &advice.account.statements;
    assert_eq!(
        (statements.planned, statements.unplannable["refused"], statements.unplannable["no_relation"]),
        (3, 1, 2)
    );
    let plan = plan(&advice, &snapshot());
    assert_eq!(crate::ddl::sound(&plan), Ok(()));
    assert_eq!(
        plan.steps[0].statements[0].sql,
        "CREATE INDEX CONCURRENTLY orders_a_b_idx ON s.orders USING btree (a, b)"
    );
    assert_eq!(plan.steps[0].findings[0].rule, "missing_index");
}

#[test]
fn an_index_that_saves_too_little_is_none() {
    let found = Found {
        chosen: [0, 1, 2].into(),
        // Half a percent of the workload, and 5 % of its statement; nothing; 50 % of a small statement.
        costs: vec![Some((100.0, 95.0, vec![0])), Some((9.0, 9.0, vec![])), Some((100.0, 50.0, vec![2]))],
        calls: 7,
        ..none()
    };
    let advice = made(&found, &workload(&[100.0, 890.0, 1.0]), &snapshot(), &[]);
    assert_eq!(advice.proposals.len(), 1);
    assert_eq!(advice.proposals[0].name.name, "users_c_idx");
    assert_eq!((advice.account.below_threshold, advice.workload.after), (2, 990.5));
}

fn unused(index: &Index) -> Wish {
    let object = Object::in_schema(ObjectKind::Index, "d", "s", &index.name);
    Wish {
        finding: FindingRef { rule: "unused_index".into(), object: object.path(), fingerprint: "0".repeat(16) },
        action: "drop_index".into(),
        object,
        message: String::new(),
        advice: String::new(),
        caveats: Vec::new(),
        is_doubtful: false,
        keeper: None,
        definition: None,
    }
}

#[test]
fn what_a_proposal_makes_redundant_could_go_and_never_two_of_a_pair() {
    let found = Found { chosen: [0].into(), costs: vec![Some((100.0, 20.0, vec![0]))], calls: 1, ..none() };
    let mut snapshot = snapshot();
    let a = index("orders_a", "orders", &["a"]);
    let unique = Index { is_unique: true, ..index("orders_a_key", "orders", &["a"]) };
    let pattern = index("orders_pattern", "orders", &["a text_pattern_ops"]);
    let (user, other) = (index("users_c", "users", &["c"]), index("users_c_d", "users", &["c", "d"]));
    snapshot.indexes = vec![a.clone(), unique, pattern, user.clone(), other.clone()];
    snapshot.foreign_keys = vec![ForeignKey {
        database: "d".into(),
        schema: "s".into(),
        table: "users".into(),
        columns: vec!["c".into()],
        ..ForeignKey::default()
    }];
    let findings = [unused(&a), unused(&user), unused(&other)];
    let advice = made(&found, &workload(&[100.0]), &snapshot, &findings);
    let told: Vec<(&str, Option<u32>)> =
        advice.removals.iter().map(|one| (one.name.name.as_str(), one.after_proposal)).collect();
    assert_eq!(told.len(), 2, "one of the two that serve the foreign key stays: {told:?}");
    assert_eq!(told[0], ("orders_a", Some(1)));
    assert_eq!(advice.removals[0].reasons, ["made_redundant", "unused_index"]);
    assert_eq!(plan(&advice, &snapshot).left.len(), 1);
    let one = &advice.proposals[0];
    assert_eq!((one.kind, &one.replaces[..]), (ProposalKind::ReplaceIndex, &[Name::new("s", "orders_a")][..]));
    assert_eq!(one.net_bytes, one.estimate.bytes - 8192);
}

#[test]
fn a_wider_index_replaces_what_it_does_the_work_of() {
    let mut pool = Pool::default();
    let wide = Candidate { include: vec!["c".into(), "d".into()], ..candidate("orders", &["a", "b"]) };
    pool.add(wide.clone());
    pool.add(Candidate { predicate: Some("e IS NULL".into()), ..wide });
    pool.learn_sizes([8192, 8192]);
    let replaced = |id: Id, definition: &str, include: &[&str]| {
        let mut snapshot = snapshot();
        let include = include.iter().map(|column| (*column).to_owned()).collect();
        let definition = format!("CREATE INDEX i ON s.orders USING btree {definition}");
        snapshot.indexes = vec![Index { definition, included_columns: include, ..index("i", "orders", &[]) }];
        let found = Found { chosen: [id].into(), costs: vec![Some((100.0, 20.0, vec![id]))], calls: 1, ..none() };
        let workload = workload(&[100.0]);
        let evidence = Evidence { workload: &workload, pool: &pool, found: &found, visits: &BTreeMap::new() };
        !advice(evidence, &snapshot, &terms(Weigh::Time, &[]), Tool::default()).proposals[0].replaces.is_empty()
    };
    for (id, definition, include, expected) in [
        (0, "(a)", &[][..], true),
        (0, "(a, b)", &[], true),
        (0, "(a, b) INCLUDE (d)", &["d"], true),
        (0, "(a) INCLUDE (b)", &["b"], true),
        (0, "(a, b) INCLUDE (e)", &["e"], false),
        (0, "(b)", &[], false),
        (0, "(a DESC)", &[], false),
        (0, "(a COLLATE \"C\")", &[], false),
        (0, "(a, b) WHERE (e IS NULL)", &[], false),
        (1, "(a) WHERE (e IS NULL)", &[], true),
        (1, "(a)", &[], false),
    ] {
        assert_eq!(replaced(id, definition, include), expected, "{definition} by {id}");
    }
}

#[test]
fn no_advice_has_its_account() {
    let found = none();
    let mut snapshot = snapshot();
    snapshot.plans = vec![Plan::default(); 3];
    let advice = made(&found, &workload(&[]), &snapshot, &[]);
    assert!(advice.proposals.is_empty());
    assert_eq!((advice.account.statements.without_tables, advice.workload.saved_share()), (1, 0.0));
}

#[test]
fn by_calls_a_copy_without_times_can_be_advised_on() {
    let found = Found { chosen: [0].into(), costs: vec![Some((100.0, 20.0, vec![0]))], calls: 1, ..none() };
    let advice = weighed(Weigh::Calls, &found, &workload(&[0.0]), &snapshot(), &[]);
    assert_eq!((advice.workload.before, advice.workload.after), (1000.0, 200.0));
    assert_eq!((advice.proposals[0].saved_share, advice.proposals[0].saved_ms_per_hour), (0.8, 0.0));
}

#[test]
fn a_pattern_that_may_begin_with_a_wildcard_is_a_doubt() {
    let key = |class: Option<&str>| Key { class: class.map(str::to_owned), ..Key::ascending("a") };
    let asked = |patterns: &[&str], equal: &[&str], prefix: Key| {
        let texts = |columns: &[&str]| columns.iter().map(|column| (*column).to_owned()).collect();
        let uses =
            Uses { patterns: texts(patterns), equal: texts(equal), prefixes: [prefix].into(), ..Uses::default() };
        let query = Query { tables: BTreeMap::from([(Name::new("s", "orders"), uses)]), ..query("q", 1.0) };
        let workload = Workload { queries: vec![query], unplanned: BTreeMap::new() };
        let found = Found { chosen: [0].into(), costs: vec![Some((100.0, 20.0, vec![0]))], ..none() };
        let advice = made(&found, &workload, &snapshot(), &[]);
        advice.proposals[0].caveats.iter().any(|caveat| caveat.code == "prefix_patterns")
    };
    assert!(asked(&["a"], &[], key(None)));
    assert!(!asked(&["a"], &["a"], key(None)), "it serves equality as well");
    assert!(!asked(&["z"], &[], key(None)), "of another column");
    assert!(!asked(&["a"], &[], key(Some("text_pattern_ops"))), "it serves an order, and no pattern");
}

#[test]
fn the_text_of_a_column_need_not_be_compared() {
    let key = Index { is_unique: true, ..index("orders_pkey", "orders", &["id"]) };
    for (indexes, expression, expected) in [
        (vec![key.clone()], "id::text", Some("s.orders_pkey serves them then")),
        (vec![index("orders_a_id", "orders", &["a", "id"])], "id::text", Some("a smaller index on the column itself")),
        (vec![key], "lower(id)", None),
    ] {
        let mut snapshot = Snapshot { indexes, ..snapshot() };
        let (schema, relation, name) = ("s".into(), "orders".into(), "id".into());
        snapshot.columns = vec![Column { schema, relation, name, type_name: "bigint".into(), ..Column::default() }];
        let mut pool = Pool::default();
        pool.add(Candidate::btree(&Name::new("s", "orders"), vec![Key::expression(expression)]));
        pool.learn_sizes([8192]);
        let found = Found { chosen: [0].into(), costs: vec![Some((100.0, 20.0, vec![0]))], ..none() };
        let evidence = Evidence { workload: &workload(&[100.0]), pool: &pool, found: &found, visits: &BTreeMap::new() };
        let advice = advice(evidence, &snapshot, &terms(Weigh::Time, &[]), Tool::default());
        let caveat = advice.proposals[0].caveats.iter().find(|caveat| caveat.code == "cast_column");
        let told = caveat.map(|caveat| caveat.text.clone());
        assert_eq!(told.is_some(), expected.is_some(), "{told:?}");
        assert!(told.is_none_or(|told| told.contains("bigint") && told.contains(expected.unwrap_or_default())));
    }
}

#[test]
fn rows_visited_one_by_one_are_a_doubt_where_the_proposal_brings_them_about() {
    let found = Found { chosen: [0].into(), costs: vec![Some((100.0, 20.0, vec![0]))], ..none() };
    let asked = |visits: &[(f64, f64)]| {
        let visits =
            visits.iter().map(|(before, after)| Visits { before: *before, after: *after }).enumerate().collect();
        let evidence = Evidence { workload: &workload(&[100.0]), pool: &pool(), found: &found, visits: &visits };
        let advice = advice(evidence, &snapshot(), &terms(Weigh::Time, &[]), Tool::default());
        advice.proposals[0].caveats.iter().any(|caveat| caveat.code == "repeated_visits")
    };
    assert!(asked(&[(0.0, 100_000.0)]));
    assert!(!asked(&[(0.0, 99_000.0)]), "a statement of no many rows");
    assert!(!asked(&[(600_000.0, 650_000.0)]), "it visited them before");
    assert!(!asked(&[]), "no planner told");
}
