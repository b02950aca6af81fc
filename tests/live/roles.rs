//! What a role may not see becomes a gap with a remedy that closes it, never a failure.

use crate::support::{CORNER, Report, Yard, ask, corner, newest, oldest, with_statements};
use pgassay::demo::{Binaries, Cluster};
use pgassay::postgres::Scratch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_on_the_oldest() {
    less_is_a_gap(&oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_on_the_newest() {
    less_is_a_gap(&newest()).await;
}

async fn less_is_a_gap(binaries: &Binaries) {
    let yard = Yard::open();
    let cluster = yard.start(binaries, &with_statements());
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    ask(&cluster).await;

    admin.execute("create role monitor login; grant pg_monitor to monitor").await.expect("a role");
    let report = audit(&yard, &cluster, "monitor");
    assert_eq!(report.facets_with_gaps(), ["columns", "sequences", "plans"], "pg_monitor reads no table");
    assert!(report.judged() > 0);
    follow(&admin, &report, cluster.major).await;
    assert_eq!(audit(&yard, &cluster, "monitor").gaps(), []);

    admin.execute("create role \"No Body\" login").await.expect("a role");
    let report = audit(&yard, &cluster, "No Body");
    let hidden = ["statements", "columns", "sequences", "sessions", "replication", "locks"];
    assert_eq!(report.facets_with_gaps(), hidden);
    // Of which all that matters is hidden, that was not read: its rules must not pass.
    for rule in ["slow_query", "full_scan_query", "idle_in_transaction"] {
        assert_eq!(report.status(rule), "skipped", "{rule}");
    }
    assert_eq!(report.status("no_primary_key"), "passed", "the catalog is open to all");
    follow(&admin, &report, cluster.major).await;
    assert_eq!(audit(&yard, &cluster, "No Body").gaps(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_closed_to_the_role() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    let admin = corner(&cluster).await;
    let closed = "create schema \"Closed\"; create extension pg_stat_statements schema \"Closed\";
                  create role monitor login; grant pg_monitor to monitor; grant usage on schema shop to monitor;
                  grant select on all tables in schema shop to monitor;
                  grant select on all sequences in schema shop to monitor";
    admin.execute(closed).await.expect("made");
    ask(&cluster).await;

    let report = audit(&yard, &cluster, "monitor");
    assert_eq!(report.facets_with_gaps(), ["statements"]);
    assert_eq!((report.status("slow_query"), report.judged()), ("skipped".to_owned(), 0));
    follow(&admin, &report, cluster.major).await;
    let report = audit(&yard, &cluster, "monitor");
    assert_eq!(report.gaps(), [], "the remedy closes the gap");
    assert!(report.judged() > 0);
}

fn audit(yard: &Yard, cluster: &Cluster, role: &str) -> Report {
    let dsn = cluster.dsn(&format!("'{role}'"), CORNER);
    let outcome = yard.audit(&[&dsn, "--format", "json"]).run().expect(0);
    assert_eq!(outcome.stderr, "");
    let report = outcome.report();
    report.assert_calm();
    report
}

/// Does what the remedies say.
async fn follow(admin: &Scratch, report: &Report, major: i32) {
    for gap in report.gaps() {
        let sql = for_this_server(&gap.remedy, major).replace('…', "shop");
        admin.execute(&sql).await.unwrap_or_else(|error| panic!("{gap:?}: {error}\n{sql}"));
    }
}

/// Of `do this; (before 14: do that;)` what holds here.
fn for_this_server(remedy: &str, major: i32) -> String {
    match remedy.split_once(" (before 14: ") {
        None => remedy.to_owned(),
        Some((now, _)) if major >= 14 => now.to_owned(),
        Some((_, before)) => before.trim_end_matches(')').to_owned(),
    }
}
