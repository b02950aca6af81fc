//! Standbys: one is audited like a primary, and what only a standby uses is not called unused.

use crate::support::{CORNER, Standby, Yard, ask, corner, newest, oldest, root, until, with_statements};
use pgassay::demo::{Binaries, SUPERUSER};
use pgassay::postgres::{Limits, Reader, Scratch, Surroundings, Target};
use serde::Deserialize;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standby_of_the_oldest() {
    a_standby_is_a_server_like_others(&oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standby_of_the_newest() {
    a_standby_is_a_server_like_others(&newest()).await;
}

/// Lets a small and young index be judged.
const UNUSED: &[&str] =
    &["--param", "unused_index.min_stats_age_days=0", "--param", "unused_index.min_bytes=1", "--format", "json"];

async fn a_standby_is_a_server_like_others(binaries: &Binaries) {
    let yard = Yard::open();
    let mut primary = yard.start(binaries, &with_statements());
    let admin = corner(&primary).await;
    let index = "create extension pg_stat_statements; create index orders_note_idx on shop.orders (note)";
    admin.execute(index).await.expect("an index");
    admin.execute("checkpoint").await.expect("commits are not synchronous, and the copy is of what a crash leaves");
    admin.close().await;
    let standby = Standby::of(&yard, &mut primary, binaries);
    // The counters were lost in the crash: the table is written again.
    let admin = primary.session(CORNER, SUPERUSER, "setup").await.expect("a session");
    let rows =
        "insert into shop.orders (user_id, note) select 1 + i % 500, 'new ' || i from generate_series(1, 5000) as i";
    admin.execute(rows).await.expect("rows");
    ask(&primary).await;
    until(&admin, "select n_tup_ins >= 5000 from pg_stat_user_tables where relname = 'orders'").await;
    until(&admin, "select count(*) = 1 from pg_stat_replication where state = 'streaming'").await;

    let audit = |args: &[&str]| yard.audit(args).run();
    let (dsn, copy) = (primary.dsn(SUPERUSER, CORNER), standby.dsn(SUPERUSER, CORNER));
    let report = audit(&[&copy, "--format", "json"]).expect(0).report();
    report.assert_calm();
    assert_eq!(report.gaps(), []);
    assert_eq!(report.0["target"]["is_standby"], true);

    let reports = standby.session(CORNER, SUPERUSER).await;
    let by_note = "set enable_seqscan = off; select count(*) from shop.orders where note = 'note 7'";
    reports.execute(by_note).await.expect("it reads");
    let scanned = "select idx_scan > 0 from pg_stat_user_indexes where indexrelname = 'orders_note_idx'";
    until(&reports, scanned).await;
    let alone = audit(&[&[dsn.as_str()], UNUSED].concat()).expect(0).report();
    assert_eq!(alone.status("unused_index"), "found", "by the primary alone");
    assert_eq!(alone.gaps(), []);
    let both = audit(&[&[dsn.as_str(), "--replica", &copy], UNUSED].concat()).expect(0).report();
    assert_eq!(both.status("unused_index"), "passed", "the standby uses it");

    let stranger = yard.start(binaries, &with_statements());
    drop(corner(&stranger).await);
    let other = stranger.dsn(SUPERUSER, CORNER);
    audit(&[&dsn, "--replica", &other]).expect_unable(&["is no copy of the audited server", "system identifier"]);
}

/// A row that somebody sleeps over on the standby, and that the primary then removes for good.
const ASLEEP: &str = "select 1 as n, pg_catalog.pg_sleep(600)::text as slept from shop.orders where note = 'conflict'";

/// Removes what ASLEEP reads, as soon as it is read.
async fn conflict(primary: &Scratch, standby: &Scratch) {
    until(standby, "select count(*) = 1 from pg_stat_activity where wait_event = 'PgSleep'").await;
    primary.execute("delete from shop.orders where note = 'conflict'").await.expect("deleted");
    primary.execute("vacuum shop.orders").await.expect("removed");
}

/// SQLSTATE 40001 on a server that nobody writes to: what stands in the way of the replay is cancelled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_standby_cancels_is_read_again_and_then_told() {
    let yard = Yard::open();
    let mut primary = yard.start(&newest(), &with_statements().with("autovacuum", "off"));
    let admin = corner(&primary).await;
    admin.execute("alter system set max_standby_streaming_delay = 0").await.expect("set");
    let strict =
        "create role strict superuser login; alter role strict set default_transaction_isolation = 'serializable'";
    admin.execute(strict).await.expect("a role");
    admin.execute("checkpoint").await.expect("the copy is of what a crash leaves");
    admin.close().await;
    let standby = Standby::of(&yard, &mut primary, &newest());
    let admin = primary.session(CORNER, SUPERUSER, "setup").await.expect("a session");
    let reports = standby.session(CORNER, SUPERUSER).await;
    let row = "insert into shop.orders (user_id, note) select id, 'conflict' from shop.users limit 1";
    let is_there = "select count(*) = 1 from shop.orders where note = 'conflict'";

    #[derive(Deserialize)]
    struct Row {}
    admin.execute(row).await.expect("a row");
    until(&reports, is_there).await;
    let target = Target::resolve(&standby.dsn(SUPERUSER, CORNER), &Surroundings::default()).expect("a target");
    let limits = Limits { statement_timeout: Duration::from_secs(120), ..Limits::default() };
    let reader = Reader::connect(&target, limits, "standby").await.expect("a connection");
    let (read, ()) = tokio::join!(reader.read::<Row>(ASLEEP, &[]), conflict(&admin, &reports));
    assert_eq!(read.expect("read once more").len(), 0, "the row is gone");

    // A pack's SELECT is not ours to repeat.
    admin.execute(row).await.expect("a row");
    until(&reports, is_there).await;
    let pack = std::fs::read_to_string(root().join("fixtures/packs/hostile/sleeps/sleeps.yaml")).expect("a rule");
    std::fs::create_dir(yard.path().join("pack")).expect("a folder");
    yard.write("pack/sleeps.yaml", &pack);
    yard.write("pack/sleeps.sql", ASLEEP);
    // Serializable transactions are refused on a standby: ours are none, whatever the role has by default.
    let copy = standby.dsn("strict", CORNER);
    let audit = yard.audit(&[&copy, "--rules", "pack", "--format", "json", "--statement-timeout", "2min"]);
    let audit = tokio::task::spawn_blocking(|| audit.run());
    conflict(&admin, &reports).await;
    let report = audit.await.expect("ended").expect(3).report();
    let mut gaps = report.0["gaps"].as_array().expect("gaps").iter();
    let gap = gaps.find(|gap| gap["facet"] == "custom").expect("a gap").to_string();
    for word in ["conflict with recovery", "40001", "hot_standby_feedback"] {
        assert!(gap.contains(word), "{gap}");
    }
    assert_eq!((report.status("sleeps"), report.status("no_primary_key")), ("skipped".into(), "passed".into()));
}
