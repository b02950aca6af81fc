//! What an audit leaves in the server's log: every query of ours in a read-only transaction of its own,
//! with limits that end with it, over no more connections than allowed; and nothing of it in the report.

use crate::support::{CORNER, Entry, Yard, ask, corner, entries, logging, newest, oldest, ours, peak, with_statements};
use pgassay::demo::{Binaries, Cluster};
use std::collections::BTreeMap;

/// A server that logs all, and an ordinary auditor's target.
async fn open(yard: &Yard, binaries: &Binaries) -> (Cluster, String) {
    let cluster = yard.start(binaries, &logging(with_statements()));
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    let role = "create role auditor login; grant pg_monitor, clerk to auditor";
    admin.execute(role).await.expect("a role");
    ask(&cluster).await;
    let dsn = cluster.dsn("auditor", CORNER);
    (cluster, dsn)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_query_has_a_read_only_transaction_of_its_own() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, dsn) = open(&yard, &binaries).await;
        yard.audit(&[&dsn]).run().expect(0);
        let statements = ours(&entries(&cluster));
        assert!(statements.len() > 30, "the log has them: {statements:?}");
        let mut sessions: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        for statement in statements {
            sessions.entry(statement.process).or_default().push(statement);
        }
        for session in sessions.values() {
            session.split_inclusive(|entry| entry.text.ends_with("commit")).for_each(assert_transaction);
        }
    }
}

/// Begun with limits; then only queries that bear our name; committed.
fn assert_transaction(statements: &[Entry]) {
    let texts: Vec<String> = statements.iter().map(|statement| statement.text.to_lowercase()).collect();
    let [begin, queries @ .., commit] = texts.as_slice() else { panic!("no whole transaction: {texts:#?}") };
    let limits = begin.strip_prefix("statement: begin isolation level read committed, read only;");
    let limits = limits.unwrap_or_else(|| panic!("no begin: {begin}"));
    for limit in ["statement_timeout", "lock_timeout", "search_path"] {
        assert!(is_local(limits, limit), "{limit} should be set, for the transaction only: {begin}");
    }
    let is_ours = |query: &String| query.contains("pgassay");
    assert!(!queries.is_empty() && queries.iter().all(is_ours), "no queries of ours: {queries:#?}");
    assert!(commit.ends_with("commit"), "not committed: {commit}");
}

/// Set by SET LOCAL or by `set_config(…, true)`.
fn is_local(limits: &str, name: &str) -> bool {
    let is_set = |statement: &str| statement.trim().starts_with(&format!("set local {name} "));
    let is_called = |call: &str| {
        let arguments = call.split(')').next().unwrap_or_default();
        arguments.starts_with(&format!("'{name}',")) && arguments.trim_end().ends_with("true")
    };
    limits.split(';').any(is_set) || limits.split("set_config(").skip(1).any(is_called)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_than_jobs() {
    let yard = Yard::open();
    let (cluster, dsn) = open(&yard, &newest()).await;
    for (jobs, most) in [(Some("1"), 1), (Some("2"), 2), (None, 4)] {
        let before = entries(&cluster).len();
        let mut run = yard.audit(&[&dsn]);
        for arg in jobs.iter().flat_map(|jobs| ["--jobs", jobs]) {
            run = run.arg(arg);
        }
        run.run().expect(0);
        let peak = peak(&entries(&cluster)[before..], "auditor");
        assert!((1..=most).contains(&peak), "--jobs {jobs:?}: {peak} connections at a time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_work_is_not_the_workload() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (_cluster, dsn) = open(&yard, &binaries).await;
        for _ in 0..2 {
            yard.pgassay(&["snapshot", &dsn, "-o", "corner.json"]).run().expect(0);
        }
        let text = std::fs::read_to_string(yard.path().join("corner.json")).expect("a snapshot");
        let snapshot: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let of = |facet: &str| snapshot[facet].as_array().expect("a facet").clone();
        for statement in of("statements") {
            let text = statement["text"].as_str().expect("a text");
            // BEGIN and COMMIT cannot be told from anybody else's.
            let is_ours = ["pg_catalog.", "pgassay", "set_config", "set local", "savepoint"]
                .iter()
                .any(|word| text.contains(word));
            assert!(!is_ours, "ours: {text}");
        }
        assert!(
            of("statements").iter().any(|one| one["text"].as_str().is_some_and(|text| text.contains("shop.orders")))
        );
        for session in of("sessions") {
            assert_ne!(session["user"], "auditor", "ours: {session}");
        }
    }
}
