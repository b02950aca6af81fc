//! The server goes away, or somebody has enough, while an audit is under way: a clean end, and soon.

use crate::support::{CORNER, Outcome, THROWAWAY, Yard, corner, newest, signal, until, with_statements};
use pgassay::demo::{Cluster, SUPERUSER};
use pgassay::postgres::Scratch;
use rustix::process::Signal;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An audit that waits in the middle, over one connection, and who makes it wait.
struct Waiting {
    audit: Child,
    holder: Scratch,
    admin: Scratch,
    cluster: Cluster,
    yard: Yard,
}

/// Starts an audit that waits for a lock that one of its facets needs.
async fn waiting() -> Waiting {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    let holder = cluster.session(CORNER, SUPERUSER, "migration").await.expect("a session");
    holder.execute("begin; lock table pg_catalog.pg_sequence in access exclusive mode").await.expect("locked");
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let audit = Command::new(env!("CARGO_BIN_EXE_pgassay"))
        .args(["audit", &dsn, "--format", "json", "--skip", &THROWAWAY.join(",")])
        .args(["--lock-timeout", "60s", "--statement-timeout", "60s", "--jobs", "1"])
        .env_clear()
        .current_dir(yard.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    until(&admin, WAITS).await;
    Waiting { audit, holder, admin, cluster, yard }
}

/// The one session waits for the lock.
const WAITS: &str = "
    select count(*) = 1 and bool_and(coalesce(wait_event_type = 'Lock', false))
    from pg_stat_activity where application_name like 'pgassay/%'";

/// How it ended; a clean end comes soon.
fn end(audit: Child) -> Outcome {
    let since = Instant::now();
    let output = audit.wait_with_output().expect("it ends");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    Outcome::of(&output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_gone() {
    let Waiting { audit, holder: _holder, admin: _admin, mut cluster, yard } = waiting().await;
    cluster.crash();
    let report = end(audit).expect(3).report();
    report.assert_calm();
    assert!(report.gaps().iter().any(|gap| gap.facet == "sequences" && !gap.partial), "{:?}", report.gaps());
    assert!(report.gaps().iter().all(|gap| !gap.remedy.is_empty()));
    drop((cluster, yard));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_sessions_are_ended() {
    let waiting = waiting().await;
    let end_all =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'pgassay/%'";
    waiting.admin.execute(end_all).await.expect("ended");
    let report = end(waiting.audit).expect(3).report();
    report.assert_calm();
    assert_eq!(report.facets_with_gaps(), ["sequences"], "the rest was read");
    drop((waiting.holder, waiting.cluster, waiting.yard));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_query_is_cancelled() {
    let waiting = waiting().await;
    let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity where application_name like 'pgassay/%'";
    waiting.admin.execute(cancel).await.expect("cancelled");
    let report = end(waiting.audit).expect(3).report();
    assert_eq!(report.facets_with_gaps(), ["sequences"], "the rest was read");
    drop((waiting.holder, waiting.cluster, waiting.yard));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_has_enough() {
    for how in [Signal::INT, Signal::TERM] {
        let waiting = waiting().await;
        signal(waiting.audit.id(), how);
        let since = Instant::now();
        let outcome = end(waiting.audit).expect(2);
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.contains("interrupted") || outcome.stderr.contains("terminated"), "{}", outcome.stderr);
        waiting.holder.execute("rollback").await.expect("unlocked");
        until(&waiting.admin, "select count(*) = 0 from pg_stat_activity where application_name like 'pgassay/%'")
            .await;
        drop((waiting.cluster, waiting.yard));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_on() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    drop(corner(&cluster).await);
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let program = env!("CARGO_BIN_EXE_pgassay");
    // As in `pgassay audit | head -1`, and at once.
    let code_beside = |reader: &str| {
        let script = format!("('{program}' audit '{dsn}' --format json --fail-on info; echo $? >&2) | {reader}");
        let output = Command::new("sh").args(["-c", &script]).current_dir(yard.path()).output().expect("it ends");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(code_beside("cat"), "1\n", "something is found");
    assert_eq!(code_beside("true"), "1\n", "who reads does not matter");
}

/// As in a folder that is not there, and on a disk that is full half-way: a limit on files stands for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_cannot_be_written_costs_no_report() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    drop(corner(&cluster).await);
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    for (file, told) in [
        (
            "nowhere/shop.json.zst",
            "pgassay: cannot write nowhere/shop.json.zst: No such file or directory (os error 2)\n",
        ),
        ("shop.json", "pgassay: cannot write shop.json: File too large (os error 27)\n"),
    ] {
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_pgassay")])
            .args(["audit", &dsn, "--format", "json", "--save", file])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(yard.path())
            .output()
            .expect("run");
        let outcome = Outcome::of(&output).expect(2);
        assert_eq!(outcome.stderr, told);
        assert_eq!(outcome.report().status("no_primary_key"), "passed");
        assert!(!yard.path().join(file).exists() && !yard.path().join("shop.json.partial").exists());
    }
}
