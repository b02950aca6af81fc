//! `pg_stat_statements` absent, asleep, elsewhere or old: the audit does what it can and says the rest.

use crate::support::{CORNER, Report, Yard, ask, corner, newest, oldest, server, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Setup};

/// A rule that needs statements.
const RULE: &str = "slow_query";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loaded_and_not_created() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        let report = audit(&yard, &cluster);
        assert_eq!(remedies(&report), ["create extension pg_stat_statements;"]);
        assert_eq!((report.status(RULE), report.status("statements_missing")), ("skipped".into(), "found".into()));

        admin.execute(&remedies(&report)[0]).await.expect("the remedy can be run");
        ask(&cluster).await;
        let report = audit(&yard, &cluster);
        assert_eq!((report.status(RULE), report.status("statements_missing")), ("passed".into(), "passed".into()));
        assert_eq!((report.gaps(), report.judged() > 0), (vec![], true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn created_and_not_loaded() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &Setup::default());
        let admin = corner(&cluster).await;
        let report = audit(&yard, &cluster);
        assert_eq!(
            remedies(&report),
            ["shared_preload_libraries = 'pg_stat_statements', restart, then create extension pg_stat_statements;"]
        );

        admin.execute("create extension pg_stat_statements").await.expect("the extension");
        let report = audit(&yard, &cluster);
        assert_eq!(
            remedies(&report),
            ["shared_preload_libraries = 'pg_stat_statements', then restart the server"],
            "it is created already"
        );
        assert_eq!((report.status(RULE), report.status("statements_missing")), ("skipped".into(), "found".into()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_schema_that_must_be_quoted() {
    for binaries in [oldest(), newest()] {
        let create =
            "create schema \"My \"\"Stats\"\"\"; create extension pg_stat_statements schema \"My \"\"Stats\"\"\"";
        assert_reads_statements(&binaries, create).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_than_the_server() {
    for (major, version) in [(17, "1.8"), (17, "1.10"), (18, "1.8"), (18, "1.10")] {
        let Some(binaries) = server(major) else { continue };
        assert_reads_statements(&binaries, &format!("create extension pg_stat_statements version '{version}'")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_old_to_be_read() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        admin.execute("create extension pg_stat_statements version '1.7'").await.expect("the extension");
        ask(&cluster).await;
        let report = audit(&yard, &cluster);
        assert_eq!(remedies(&report), ["alter extension pg_stat_statements update;"]);
        assert_eq!(report.status(RULE), "skipped");

        admin.execute(&remedies(&report)[0]).await.expect("the remedy can be run");
        let report = audit(&yard, &cluster);
        assert_eq!((report.gaps(), report.judged() > 0), (vec![], true));
    }
}

async fn assert_reads_statements(binaries: &Binaries, create: &str) {
    let yard = Yard::open();
    let cluster = yard.start(binaries, &with_statements());
    let admin = corner(&cluster).await;
    admin.execute(create).await.expect("the extension");
    ask(&cluster).await;
    let report = audit(&yard, &cluster);
    assert_eq!(report.gaps(), [], "{create}");
    assert_eq!(report.status(RULE), "passed", "{create}");
    assert!(report.judged() > 0, "{create}");
}

fn audit(yard: &Yard, cluster: &Cluster) -> Report {
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let report = yard.audit(&[&dsn, "--format", "json"]).run().expect(0).report();
    report.assert_calm();
    report
}

/// What to do about each gap.
fn remedies(report: &Report) -> Vec<String> {
    report.gaps().into_iter().map(|gap| gap.remedy).collect()
}

/// What Citus leaves in the catalog of a coordinator; the extension itself is on none of our servers.
const CITUS: &str = "
    set allow_system_table_mods = on;
    create type pg_catalog.noderole as enum ('primary', 'secondary', 'unavailable');
    create table pg_catalog.pg_dist_node (nodeid int, groupid int, nodename text, isactive bool, noderole pg_catalog.noderole);
    create table pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod \"char\");
    grant select on pg_catalog.pg_dist_node, pg_catalog.pg_dist_partition to public;
    insert into pg_dist_node values (1, 0, 'here', true, 'primary'), (2, 1, 'w1', true, 'primary'),
      (3, 1, 'w1b', true, 'secondary'), (4, 2, 'w2', true, 'primary'), (5, 3, 'w3', false, 'primary');
    insert into pg_dist_partition values ('shop.orders', 'h');
    insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
      values (424242, 'citus', 10, 11, false, '13.0-1')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn citus_has_rows_elsewhere() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &Setup::default());
        let admin = corner(&cluster).await;
        admin.execute(CITUS).await.expect("the catalog of a coordinator");
        let told = |expected: &str| {
            let outcome = yard.audit(&[&cluster.dsn("clerk", CORNER), "--format", "json"]).run().expect(0);
            assert!(outcome.stdout.contains(expected), "{expected}: {outcome:?}");
            outcome.report()
        };
        let report = told("of 1 distributed and reference tables on 2 workers the shards are not looked at");
        assert_eq!(report.status("no_primary_key"), "passed", "what is here is judged");
        admin.execute("revoke select on pg_catalog.pg_dist_node from public").await.expect("hidden");
        told("of distributed tables on workers the shards are not looked at");
    }
}
