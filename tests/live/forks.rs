//! Servers that are not what their version says, as forks and managed services may be: what they lack is a gap
//! with its reason, and all else is read and judged.

use crate::support::{Report, Yard, server, with_statements};
use pgassay::demo::SUPERUSER;

/// What is taken from a server, and the facets that are then gaps, with their SQLSTATE.
type Fork = (&'static str, &'static [(&'static str, &'static str)]);

const OF_17: &[Fork] = &[
    ("drop view pg_catalog.pg_stat_checkpointer", &[("checkpoints", "42P01")]),
    ("drop view pg_catalog.pg_stat_all_tables cascade", &[("relations", "42P01")]),
    (
        "drop view pg_catalog.pg_stat_activity cascade",
        &[("sessions", "42P01"), ("locks", "42P01"), ("progress", "42P01")],
    ),
    (
        "drop view pg_catalog.pg_stat_wal;
         create view pg_catalog.pg_stat_wal as select wal_records, wal_bytes, stats_reset from pg_catalog.pg_stat_get_wal()",
        &[("wal", "42703")],
    ),
    (
        "drop view pg_catalog.pg_stat_archiver;
         create view pg_catalog.pg_stat_archiver as select 'many'::text as archived_count, failed_count,
           last_archived_time, last_failed_time from pg_catalog.pg_stat_get_archiver()",
        &[("wal", "42804")],
    ),
    (
        "alter function pg_catalog.pg_wal_lsn_diff(pg_lsn, pg_lsn) rename to pg_wal_lsn_apart",
        &[("replication", "42883"), ("slots", "42883")],
    ),
];

/// Says 18, and has the views of 17.
const OF_18: &[Fork] = &[(
    "drop view pg_catalog.pg_stat_checkpointer;
     create view pg_catalog.pg_stat_checkpointer as select pg_stat_get_checkpointer_num_timed() as num_timed,
       pg_stat_get_checkpointer_num_requested() as num_requested, pg_stat_get_checkpointer_write_time() as write_time,
       pg_stat_get_checkpointer_sync_time() as sync_time, pg_stat_get_checkpointer_buffers_written() as buffers_written,
       pg_stat_get_checkpointer_stat_reset_time() as stats_reset;
     drop view pg_catalog.pg_stat_io;
     create view pg_catalog.pg_stat_io as select backend_type, object, context, reads, read_time, writes, write_time,
       extends, 8192 as op_bytes, hits, evictions, fsyncs, fsync_time from pg_catalog.pg_stat_get_io()",
    &[("io", "42703"), ("checkpoints", "42703")],
)];

/// Each database of a server has views of its own, so that one server is many forks.
async fn what_is_missing_is_said(major: i32, forks: &[Fork]) {
    let Some(binaries) = server(major) else { return };
    let yard = Yard::open();
    let cluster = yard.start(&binaries, &with_statements());
    let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    for (number, (taken, missing)) in forks.iter().enumerate() {
        let name = format!("fork_{number}");
        admin.execute(&format!("create database {name}")).await.expect("a database");
        let fork = cluster.session(&name, SUPERUSER, "setup").await.expect("a session");
        let made = "create extension pg_stat_statements; create table public.log (line text); insert into public.log values ('a');
                    set allow_system_table_mods = on";
        fork.execute(&format!("{made}; {taken}")).await.expect("made");
        fork.close().await;
        let dsn = cluster.dsn(SUPERUSER, &name);
        let outcome = yard.audit(&[&dsn, "--format", "json"]).run().expect(3);
        let report = outcome.report();
        report.assert_calm();
        assert_eq!(of(&report), *missing, "{taken}");
        let is_found =
            report.0["findings"].as_array().expect("findings").iter().any(|one| one["rule"] == "no_primary_key");
        assert_eq!(is_found, missing[0].0 != "relations", "{taken}");
        let text = yard.audit(&[&dsn]).run().expect(3).stdout;
        for (facet, _) in *missing {
            assert!(text.contains(&format!("\n  {facet}\n")), "{text}");
        }
    }
}

/// Facet and SQLSTATE of each gap; each tells what to do.
fn of(report: &Report) -> Vec<(&str, &str)> {
    let gaps = report.0["gaps"]
        .as_array()
        .expect("gaps")
        .iter()
        .filter(|gap| gap["facet"] != "session_samples" && gap["facet"] != "pools");
    gaps.map(|gap| {
        assert!(gap["remedy"].as_str().is_some_and(|remedy| remedy.contains("please report this")), "{gap}");
        (gap["facet"].as_str().expect("a facet"), gap["sqlstate"].as_str().expect("a code"))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forks_of_17() {
    what_is_missing_is_said(17, OF_17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forks_of_18() {
    what_is_missing_is_said(18, OF_18).await;
}
