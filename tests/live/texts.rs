//! Texts as `pg_stat_statements` keeps them, with parameters for literals: every one gets a plan.

use crate::support::{CORNER, Yard, newest, oldest, root, server, with_statements};
use pgassay::collect::{Access, Scope, collect};
use pgassay::demo::{Binaries, SUPERUSER};
use pgassay::model::snapshot::{Snapshot, StatementKind, Tool};
use pgassay::postgres::{Limits, Scratch, Surroundings, Target};
use pgassay::progress::Silent;

fn file(name: &str) -> String {
    let path = root().join("fixtures/plans").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The statements of `texts.sql` that a major understands.
fn texts(major: i32) -> Vec<String> {
    let all = file("texts.sql");
    let blocks = all.split("\n\n").filter_map(|block| {
        let since = block
            .lines()
            .find_map(|line| line.strip_prefix("-- from "))
            .map_or(0, |since| since.parse().expect("a major"));
        let code: Vec<&str> = block.lines().filter(|line| !line.starts_with("--")).collect();
        (since <= major && !code.is_empty()).then(|| code.join("\n"))
    });
    blocks.collect()
}

async fn database(cluster: &pgassay::demo::Cluster) -> Scratch {
    let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    admin.execute(&format!("create database {CORNER}")).await.expect("a database");
    admin.close().await;
    let admin = cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    admin.execute(&file("schema.sql")).await.expect("the schema");
    let customer = "insert into customers (name, segment, country) values ('a', 'b', 'c')";
    admin.execute(customer).await.expect("a customer");
    admin.execute("select pg_stat_statements_reset()").await.expect("reset");
    admin
}

async fn snapshot(dsn: &str) -> Snapshot {
    let target = Target::resolve(dsn, &Surroundings::default()).expect("a target");
    let access = Access { target: &target, name: "test", limits: Limits::default(), run: "test" };
    let scope = Scope { plans: 500, ..Scope::default() };
    collect(access, &scope, Tool::default(), &Silent).await.expect("a snapshot")
}

async fn every_text_gets_a_plan(binaries: Binaries) {
    let yard = Yard::open();
    let cluster = yard.start(&binaries, &with_statements());
    let admin = database(&cluster).await;
    let texts = texts(cluster.major);
    for text in &texts {
        admin.execute(text).await.unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    admin.close().await;
    let snapshot = snapshot(&cluster.dsn(SUPERUSER, CORNER)).await;
    let recorded: Vec<_> =
        snapshot.statements.iter().filter(|row| row.database == CORNER && row.kind != StatementKind::Utility).collect();
    assert!(recorded.len() >= texts.len(), "{} of {}", recorded.len(), texts.len());
    let without: Vec<String> = recorded
        .iter()
        .filter_map(|row| {
            let plan = snapshot.plans.iter().find(|plan| plan.fingerprint == row.fingerprint);
            let error = plan.map_or(Some("not asked"), |plan| plan.error.as_deref())?;
            Some(format!("{error}: {}", row.text))
        })
        .collect();
    assert_eq!(without, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_on_the_oldest() {
    every_text_gets_a_plan(oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_on_15() {
    if let Some(binaries) = server(15) {
        every_text_gets_a_plan(binaries).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_on_the_newest() {
    every_text_gets_a_plan(newest()).await;
}
