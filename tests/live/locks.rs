//! Other people's locks: the audit waits for none of them long, reads what it can, and says what it
//! could not.

use crate::support::{CORNER, Yard, corner, newest, oldest, with_statements};
use pgassay::demo::SUPERUSER;
use std::time::{Duration, Instant};

/// How much longer an audit may take because of somebody's lock.
const DELAY: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_under_access_exclusive_lock() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        admin.execute("create extension pg_stat_statements").await.expect("the extension");
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let audit = || {
            let since = Instant::now();
            let outcome = yard.audit(&[&dsn, "--format", "json"]).run();
            (outcome, since.elapsed())
        };
        let (free, usual) = audit();
        assert_eq!(free.expect(0).report().gaps(), []);

        let holder = cluster.session(CORNER, SUPERUSER, "migration").await.expect("a session");
        holder.execute("begin; lock table shop.orders in access exclusive mode").await.expect("locked");
        let (locked, elapsed) = audit();
        assert!(elapsed < usual + DELAY, "{elapsed:?} instead of {usual:?}");
        let report = locked.expect(0).report();
        report.assert_calm();
        let gaps = report.gaps();
        assert!(gaps.iter().any(|gap| gap.facet == "relations"), "the size of the table is not known: {gaps:?}");
        assert!(gaps.iter().all(|gap| gap.partial && gap.remedy.contains("try again")), "{gaps:?}");

        holder.execute("rollback").await.expect("unlocked");
        assert_eq!(audit().0.expect(0).report().gaps(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_under_access_exclusive_lock() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let audit = |time: &str| yard.audit(&[&dsn, "--format", "json", "--lock-timeout", time]).run();

    let holder = cluster.session(CORNER, SUPERUSER, "migration").await.expect("a session");
    holder.execute("begin; lock table pg_catalog.pg_sequence in access exclusive mode").await.expect("locked");
    let since = Instant::now();
    let report = audit("100ms").expect(3).report();
    assert!(since.elapsed() < DELAY + DELAY, "{:?}", since.elapsed());
    report.assert_calm();
    let gaps = report.gaps();
    assert_eq!((gaps.len(), gaps[0].facet.as_str(), gaps[0].partial), (1, "sequences", false));
    assert!(gaps[0].remedy.contains("--lock-timeout"), "{gaps:?}");
    assert_eq!(report.status("sequence_exhaustion"), "skipped");
    assert_eq!(report.status("no_primary_key"), "passed", "what could be read was judged");
}
