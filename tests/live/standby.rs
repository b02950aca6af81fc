//! Standbys: one is audited like a primary, and what only a standby uses is not called unused.

use crate::support::{CORNER, Standby, Yard, ask, corner, newest, oldest, until, with_statements};
use pgassay::demo::{Binaries, SUPERUSER};

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
