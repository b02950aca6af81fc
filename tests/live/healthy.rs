//! A server that somebody looks after, on every major: with the thresholds as they are shipped, no rule
//! has anything to say. Not today, not when its counters are two months old, not right after they were
//! reset, and not after a crash has lost them.
//!
//! `PGASSAY_BLESS=1 cargo test --test live healthy_on` writes `fixtures/snapshots/healthy_<major>.json.zst`
//! anew, with neutral names instead of this machine's.

use crate::clinic;
use crate::support::{Audit, Yard, audit, root, server, until};
use chrono::{DateTime, TimeDelta, Utc};
use pgassay::audit::{Settings, field_index, judge};
use pgassay::demo::SUPERUSER;
use pgassay::model::snapshot::{Snapshot, TargetInfo, Tool};
use pgassay::model::verdict::Verdict;
use pgassay::rules::{Library, builtin_sources};
use pgassay::store::{read_snapshot, write_snapshot};
use std::path::PathBuf;

/// What may be said all the same: by the age of the server's release, which its administrator cannot
/// change within a test.
const BY_RELEASE: &[&str] = &["major_end_of_life server", "minor_version_behind server"];

/// Up to 14 a database's counters are said to be reset when they begin: here, minutes ago.
const YOUNG: &str = "stats_reset_recently clinic";

/// Rules that judge what was not asked for, by the facet they need, or what the server has not.
const UNASKED: &[&str] = &[
    "client_limit_near",
    "io_wait_share",
    "lock_wait_share",
    "lwlock_wait_share",
    "pool_database_slow",
    "pool_limit_near",
    "pool_limited_elsewhere",
    "pool_nearly_full",
    "pool_oversized",
    "pool_paused",
    "pool_too_small",
    "pool_transactions_held",
];

macro_rules! on_every_major {
    ($($test:ident $major:literal)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            nothing_is_found($major).await;
        }
    )*};
}

on_every_major! {
    healthy_on_13 13 healthy_on_14 14 healthy_on_15 15 healthy_on_16 16 healthy_on_17 17 healthy_on_18 18
}

async fn nothing_is_found(major: i32) {
    let Some(binaries) = server(major) else { return };
    let yard = Yard::open();
    let mut cluster = clinic::build(&yard, &binaries).await;
    let open = clinic::work(&cluster).await;
    let dsn = clinic::dsn(&cluster);
    let today = audit(&dsn, &Settings::default()).await;
    assert_complete(&today);
    if std::env::var_os("PGASSAY_BLESS").is_some_and(|value| value == "1") {
        write_snapshot(&stored(major), &neutral(today.snapshot.clone())).expect("written");
    }
    open.close().await;
    let mut loud = loud("today", &today.verdict, young(major));
    loud.extend(self::loud("in two months", &judged(&aged(&today.snapshot)), stale(major)));

    let admin = cluster.session(clinic::CLINIC, SUPERUSER, "setup").await.expect("a session");
    admin.execute("select pg_stat_reset(), pg_stat_statements_reset()").await.expect("reset");
    until(&admin, "select sum(n_tup_ins) = 0 from pg_stat_user_tables").await;
    admin.close().await;
    loud.extend(self::loud("after a reset", &audit(&dsn, &Settings::default()).await.verdict, &[YOUNG]));

    cluster.crash();
    cluster.restart(&binaries).expect("it starts again");
    loud.extend(self::loud("after a crash", &audit(&dsn, &Settings::default()).await.verdict, young(major)));
    assert_eq!(loud, [""; 0]);
}

/// All that was asked for was read, and every rule that could judge has.
fn assert_complete(audit: &Audit) {
    let major = audit.snapshot.server.major();
    let gaps: Vec<&str> = audit.snapshot.gaps.iter().map(|gap| gap.facet.name()).collect();
    let standing: &[&str] =
        if major < 16 { &["io", "session_samples", "pools"] } else { &["session_samples", "pools"] };
    assert_eq!(gaps, standing, "{:?}", audit.snapshot.gaps);
    assert_eq!(audit.verdict.statements.unparsed, 0);
    let scanned = |name: &str| audit.snapshot.indexes.iter().any(|index| index.name == name && index.scans > 0);
    let searched = audit.snapshot.indexes.iter().filter(|index| !index.is_unique && !index.is_partition);
    let idle: Vec<&str> = searched.map(|index| index.name.as_str()).filter(|name| !scanned(name)).collect();
    assert!(idle.iter().all(|name| name.starts_with("visits_") || name.starts_with("remarks_")), "{idle:?}");
}

/// What rules found besides what is allowed; none of them failed.
fn loud(when: &str, verdict: &Verdict, allowed: &[&str]) -> Vec<String> {
    assert_eq!(verdict.rules_that("failed"), 0, "{when}: {:?}", verdict.rules);
    let found = verdict.findings.iter().map(|finding| (format!("{} {}", finding.rule, finding.object.path()), finding));
    found
        .filter(|(name, _)| !BY_RELEASE.iter().chain(allowed).any(|allowed| name == allowed))
        .map(|(name, finding)| format!("{when}: {name}: {}", finding.message))
        .collect()
}

fn judged(snapshot: &Snapshot) -> Verdict {
    let library = Library::load(builtin_sources(), &field_index()).expect("the built-in rules");
    judge(snapshot, &library, &Settings::default(), Tool::default())
}

/// The same server with counters of sixty days, so that the rules that wait for these judge too; the
/// statements' are of twenty.
fn aged(snapshot: &Snapshot) -> Snapshot {
    let mut aged = snapshot.clone();
    let back = |moment: DateTime<Utc>, days: i64| moment - TimeDelta::days(days);
    aged.server.started_at = back(aged.server.started_at, 60);
    aged.server.counters_reset = aged.server.counters_reset.map(|moment| back(moment, 60));
    for database in &mut aged.databases {
        database.stats_reset = database.stats_reset.map(|moment| back(moment, 60));
    }
    for info in &mut aged.statements_info {
        info.stats_reset = info.stats_reset.map(|moment| back(moment, 20));
    }
    let verdict = judged(&aged);
    let waiting = verdict.rules.iter().filter(|rule| rule.status.name() == "skipped");
    let waiting: Vec<String> = waiting
        .filter(|rule| !UNASKED.contains(&rule.id.as_str()))
        .filter(|rule| aged.server.major() >= 14 || !since_14(&rule.id))
        .map(|rule| format!("{}: {:?}", rule.id, rule.status))
        .collect();
    assert_eq!(waiting, [""; 0], "not run is not passed");
    aged
}

/// Rules about what the server counts from 14 on.
fn since_14(rule: &str) -> bool {
    matches!(rule, "sessions_lost" | "statements_evicting" | "wal_buffers_full")
}

fn young(major: i32) -> &'static [&'static str] {
    if major < 15 { &[YOUNG] } else { &[] }
}

/// 13 does not say when its statements were reset: they may be as old as the server.
fn stale(major: i32) -> &'static [&'static str] {
    if major < 14 { &["statements_stale_window server"] } else { &[] }
}

fn stored(major: i32) -> PathBuf {
    root().join(format!("fixtures/snapshots/healthy_{major}.json.zst"))
}

/// Without what tells of this machine.
fn neutral(mut snapshot: Snapshot) -> Snapshot {
    snapshot.target = TargetInfo {
        name: clinic::CLINIC.to_owned(),
        host: "/var/run/postgresql".to_owned(),
        port: 5432,
        ..snapshot.target
    };
    snapshot
}

/// The stored ones say what they said on the day they were taken: nothing.
#[test]
fn healthy_when_stored() {
    for major in 13..=18 {
        let snapshot = read_snapshot(&stored(major)).expect("a snapshot");
        assert_eq!(snapshot.server.major(), major);
        assert_eq!(loud("stored", &judged(&snapshot), young(major)), [""; 0]);
        assert_eq!(loud("stored, in two months", &judged(&aged(&snapshot)), stale(major)), [""; 0]);
    }
}
