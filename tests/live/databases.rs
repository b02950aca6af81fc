//! Several databases of one server in one run: each is audited, named, and read over no more
//! connections than allowed; one that is closed to the role is said.

use crate::support::{CORNER, Report, Yard, ask, busy, corner, entries, logging, newest, oldest, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::model::snapshot::Plan;
use pgassay::store::read_snapshot;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_the_oldest() {
    each_is_audited(&oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_the_newest() {
    each_is_audited(&newest()).await;
}

/// The corner shop, another with a table without a key, and one that only its owner may enter.
async fn street(yard: &Yard, binaries: &Binaries) -> Cluster {
    let cluster = yard.start(binaries, &logging(with_statements()));
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    admin.execute("create role auditor login; grant pg_monitor to auditor").await.expect("a role");
    for database in ["\"Other Shop\"", "closed"] {
        admin.execute(&format!("create database {database}")).await.expect("a database");
    }
    admin.execute("revoke connect on database closed from public").await.expect("closed");
    let other = cluster.session("Other Shop", SUPERUSER, "setup").await.expect("a session");
    other.execute("create table public.log (line text); insert into public.log values ('a')").await.expect("a table");
    other
        .execute("grant select on public.log to auditor; select line from public.log where line = 'b'")
        .await
        .expect("a query");
    other.close().await;
    ask(&cluster).await;
    cluster
}

async fn each_is_audited(binaries: &Binaries) {
    let yard = Yard::open();
    let cluster = street(&yard, binaries).await;
    let dsn = cluster.dsn("auditor", CORNER);
    let audit = |args: &[&str]| -> Report {
        let report = yard.audit(&[&[dsn.as_str(), "--format", "json"], args].concat()).run().expect(0).report();
        report.assert_calm();
        report
    };
    assert_eq!(without_key(&audit(&[])), [""; 0], "the corner shop alone");

    let before = entries(&cluster).len();
    let all = audit(&["--all-databases", "--jobs", "2"]);
    // Connections cannot be counted: the server takes its time to end one that we have hung up on.
    let busy = busy(&entries(&cluster)[before..]);
    assert!((1..=2).contains(&busy), "--jobs 2: {busy} transactions at a time");
    assert_eq!(without_key(&all), ["Other Shop public.log"]);
    let closed: Vec<_> = all.gaps().into_iter().filter(|gap| gap.facet == "databases").collect();
    assert!(
        matches!(closed.as_slice(), [gap] if gap.remedy == "grant connect on database closed to auditor;"),
        "{closed:?}"
    );
    assert!(all.judged() > audit(&[]).judged(), "statements of both were read");
    yard.pgassay(&["snapshot", &dsn, "--all-databases", "-o", "all.json"]).run().expect(0);
    let snapshot = read_snapshot(&yard.path().join("all.json")).expect("a snapshot");
    let plans = snapshot.plans.iter().filter(|plan| plan.database == "Other Shop");
    let root = |plan: &Plan| plan.plan.as_ref().map(|root| root["Relation Name"].to_string());
    assert_eq!(plans.map(root).collect::<Vec<_>>(), [Some("\"log\"".to_owned())], "explained where its table is");

    assert_eq!(without_key(&audit(&["--database", "Other Shop"])), ["Other Shop public.log"]);
    let both = audit(&["--database", CORNER, "--database", "Other Shop"]);
    assert_eq!(without_key(&both), ["Other Shop public.log"]);
    assert!(!both.facets_with_gaps().contains(&"databases".to_owned()));
    yard.audit(&[&dsn, "--database", "nowhere"]).run().expect_unable(&["nowhere", "does not exist"]);
}

/// Tables without a primary key, with their databases.
fn without_key(report: &Report) -> Vec<String> {
    let findings = report.0["findings"].as_array().expect("findings");
    let found = findings.iter().filter(|finding| finding["rule"] == "no_primary_key");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    found
        .map(|finding| format!("{} {}", text(&finding["object"]["database"]), text(&finding["object"]["path"])))
        .collect()
}
