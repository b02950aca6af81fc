//! Statements and the indexes they should get: a table of cases on a server with HypoPG. What is advised is
//! made, and must then not be advised again.

use crate::support::{CORNER, Case, Yard, advised, cases, matches, root, server, with_statements};
use pgassay::advise::{Bounds, Consultation, Consulted, Weigh, Windows};
use pgassay::collect::{Access, ColumnTypes, Scope, collect};
use pgassay::demo::{Cluster, SUPERUSER};
use pgassay::model::snapshot::{RelationName, Snapshot, Tool};
use pgassay::postgres::{Limits, Reader, Scratch, Surroundings, Target};
use pgassay::progress::Silent;
use pgassay::whatif::consult;

/// No budget; an index must save a hundredth of the workload.
const CONSULTATION: Consultation = Consultation {
    weigh: Weigh::Calls,
    bounds: Bounds { budget_bytes: None, max_per_table: 10, least_gain: 0.01, least_statement_gain: 0.1 },
    windows: None,
    sessions: 2,
    max_calls: 2_000,
    with_curve: false,
    with_spread: false,
};

/// Writes of a case that counts them are those of its statements, in whatever time.
pub(crate) fn consultation(case: &Case) -> Consultation {
    let windows = case.counts_writes.then_some(Windows { tables: 60.0, statements: 60.0 });
    Consultation { windows, ..CONSULTATION }
}

pub(crate) fn file(name: &str) -> String {
    let path = root().join("fixtures/advice").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A database with the tables, and who works in it.
pub(crate) struct Stage {
    cluster: Cluster,
    admin: Scratch,
    pub(crate) reader: Reader,
    target: Target,
}

impl Stage {
    pub(crate) async fn set(yard: &Yard) -> Option<Self> {
        // All rows are sampled, so that statistics are the same each time.
        let settings = with_statements().with("autovacuum", "off").with("default_statistics_target", "500");
        let cluster = yard.start(&server(15)?, &settings);
        let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
        admin.execute(&format!("create database {CORNER}")).await.expect("a database");
        admin.close().await;
        let admin = cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
        admin.execute("create extension pg_stat_statements").await.expect("the extension");
        if admin.execute("create extension hypopg").await.is_err() {
            // Debian's package of it is not everywhere.
            return None;
        }
        // VACUUM marks pages as visible to all only once the commit of their rows is on disk.
        admin.execute("set synchronous_commit = on").await.expect("set");
        let (tables, vacuum) = (file("schema.sql"), "vacuum analyze;");
        admin.execute(tables.strip_suffix(&format!("{vacuum}\n")).expect("vacuum comes last")).await.expect("tables");
        admin.execute(vacuum).await.expect("statistics");
        // Advised indexes are dropped by their names alone.
        admin.execute(r#"set search_path = public, "Stock""#).await.expect("set");
        let target = Target::resolve(&cluster.dsn(SUPERUSER, CORNER), &Surroundings::default()).expect("a target");
        let reader = Reader::connect(&target, Limits::default(), "test").await.expect("a reader");
        Some(Self { cluster, admin, reader, target })
    }

    /// Runs the statements and reads the server.
    pub(crate) async fn snapshot(&self, Case { sql, .. }: &Case) -> Snapshot {
        self.admin.execute("select pg_stat_reset(), pg_stat_statements_reset()").await.expect("reset");
        for _ in 0..3 {
            self.admin.execute(sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
        self.admin.execute("select pg_stat_force_next_flush()").await.expect("flushed");
        let access = Access { target: &self.target, name: "test", limits: Limits::default(), run: "test" };
        let scope = Scope { plans: 20, ..Scope::default() };
        let mut snapshot = collect(access, &scope, Tool::default(), &Silent).await.expect("a snapshot");
        // Our own reset is no workload.
        let reset = snapshot.statements.iter().find(|row| row.text.contains("pg_stat_statements_reset"));
        let reset = reset.map(|row| row.fingerprint.clone()).unwrap_or_default();
        snapshot.plans.retain(|plan| plan.fingerprint != reset);
        snapshot
    }

    async fn consult(&self, case: &Case) -> Consulted {
        let snapshot = self.snapshot(case).await;
        let types = ColumnTypes::new(&snapshot.columns, CORNER);
        let column_type = |relation: &RelationName, name: &str| types.of(relation, name);
        consult(&self.reader, &snapshot, consultation(case), &column_type).await.expect("advice")
    }

    /// What is wrong with the advice for a case.
    async fn try_out(&self, case: &Case) -> Option<String> {
        let consulted = self.consult(case).await;
        let chosen = advised(&consulted);
        let base: f64 = consulted.found.costs.iter().flatten().map(|(before, ..)| before).sum();
        let after: f64 = consulted.found.costs.iter().flatten().map(|(_, after, _)| after).sum();
        let said = format!("{}: advised {chosen:?}, cost {base} to {after}", case.name);
        if !consulted.workload.unplanned.is_empty() {
            return Some(format!("{said}: not planned: {:?}", consulted.workload.unplanned));
        }
        if case.is_wanted && !matches(&case.wants, &chosen) {
            return Some(format!("{said}, wanted {}", case.words));
        }
        if !case.is_wanted && matches(&case.wants, &chosen) {
            return Some(format!("{said}, which is found by now: let it say `wants`"));
        }
        if !chosen.is_empty() && after > base * 0.99 {
            return Some(format!("{said}, which saves nothing"));
        }
        self.vanishes(case, &chosen, base).await.map(|rest| format!("{said}, made; then {rest:?}"))
    }

    /// The advice that is still there after its indexes were made, and of the cost at first saves more than
    /// a hundredth.
    async fn vanishes(&self, case: &Case, chosen: &[String], base: f64) -> Option<Vec<String>> {
        if chosen.is_empty() {
            return None;
        }
        for (number, index) in chosen.iter().enumerate() {
            let sql = format!("create index advised_{number} on {index}");
            self.admin.execute(&sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
        let consulted = self.consult(case).await;
        let saved: f64 = consulted.found.costs.iter().flatten().map(|(before, after, _)| before - after).sum();
        let rest = advised(&consulted);
        for number in 0..chosen.len() {
            self.admin.execute(&format!("drop index advised_{number}")).await.expect("dropped");
        }
        let is_same = rest.iter().any(|index| chosen.contains(index));
        (is_same || saved > 0.01 * base).then_some(rest)
    }
}

/// Every `of`th case, from `first` on: two halves use two processors.
async fn every_case(first: usize, of: usize) {
    let yard = Yard::open();
    let Some(stage) = Stage::set(&yard).await else { return };
    let mut wrong = Vec::new();
    for case in cases(&file("cases.sql")).iter().skip(first).step_by(of) {
        wrong.extend(stage.try_out(case).await);
    }
    assert!(stage.cluster.major == 15 && wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_half_of_the_cases_gets_its_advice() {
    every_case(0, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_half_of_the_cases_gets_its_advice() {
    every_case(1, 2).await;
}

#[test]
fn the_table_of_cases_is_long_and_each_is_said_once() {
    let all = cases(&file("cases.sql"));
    let mut names: Vec<&str> = all.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    let wanted = all.iter().filter(|case| case.is_wanted).count();
    assert!(all.len() >= 100 && wanted >= 70, "{wanted} of {}", all.len());
}
