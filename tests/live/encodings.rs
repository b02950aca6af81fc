//! Databases of other encodings, and of none: what their applications say is not UTF-8, and is read all
//! the same, from their own database and from their neighbours'.

use crate::support::{CORNER, Report, Yard, ask, corner, newest, oldest, until, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::postgres::Scratch;

/// A table, a column, a comment, an index and statements with a byte that is no UTF-8: `é` of Latin 1.
const BYTES: &str = r"
    do $do$
    declare
      byte text := convert_from('\xe9'::bytea, 'SQL_ASCII');
    begin
      execute 'create table public.caf' || byte || ' (pri' || byte || ' int, note text)';
      execute 'comment on table public.caf' || byte || ' is ''' || byte || '''';
      execute 'insert into public.caf' || byte || ' select i, ''' || byte || ''' from generate_series(1, 2000) as i';
      execute 'create index on public.caf' || byte || ' (lower(note)) where note <> ''' || byte || '''';
      execute 'analyze public.caf' || byte;
      for i in 1..20 loop
        execute 'select count(*) from public.caf' || byte || ' where note = ''' || byte || ''' or pri' || byte || ' = ' || i;
      end loop;
    end
    $do$";

/// The corner shop beside a database of another encoding.
async fn street(yard: &Yard, binaries: &Binaries, encoding: &str) -> (Cluster, Scratch, Scratch) {
    let cluster = yard.start(binaries, &with_statements().with("pg_stat_statements.track", "all"));
    let admin = corner(&cluster).await;
    let other = format!("create database other encoding '{encoding}' template template0 lc_collate 'C' lc_ctype 'C'");
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    admin.execute(&other).await.expect("a database");
    ask(&cluster).await;
    let other = cluster.session("other", SUPERUSER, "till").await.expect("a session");
    other.execute("create extension pg_stat_statements").await.expect("the extension");
    (cluster, admin, other)
}

fn audit(yard: &Yard, cluster: &Cluster, database: &str, args: &[&str]) -> Report {
    let dsn = cluster.dsn(SUPERUSER, database);
    let outcome = yard.audit(&[&[dsn.as_str(), "--format", "json"], args].concat()).run();
    let report = outcome.report();
    report.assert_calm();
    let gaps = report.0["gaps"].as_array().expect("gaps").iter().filter(|gap| gap["sqlstate"] == "22021");
    let gaps: Vec<String> = gaps.map(ToString::to_string).collect();
    assert!(gaps.is_empty(), "{database}: {}", gaps.join("\n"));
    outcome.expect(0);
    report
}

/// The table without a key is found under this name.
fn assert_found(report: &Report, name: &str) {
    let findings = report.0["findings"].as_array().expect("findings");
    let found = findings.iter().filter(|finding| finding["rule"] == "no_primary_key");
    let names: Vec<&str> = found.filter_map(|finding| finding["object"]["path"].as_str()).collect();
    assert_eq!(names, [name]);
}

/// Statements that are not UTF-8 stay in `pg_stat_activity`, also where they are cut.
async fn leave_open(admin: &Scratch, other: &Scratch) {
    other.execute(&format!("select 'é{}é' as \"é\"", "é".repeat(2000))).await.expect("asked");
    until(admin, "select count(*) = 1 from pg_stat_activity where application_name = 'till' and state = 'idle'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_latin_1() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, admin, other) = street(&yard, &binaries, "LATIN1").await;
        other.execute("create table public.\"café\" (\"prié\" int)").await.expect("made");
        other.execute("select \"prié\" as \"é\" from public.\"café\" where \"prié\" = 7").await.expect("asked");
        leave_open(&admin, &other).await;
        let report = audit(&yard, &cluster, "other", &[]);
        assert!(report.judged() > 0);
        assert_found(&report, "public.\"café\"");
        assert!(audit(&yard, &cluster, CORNER, &[]).judged() > 0, "its neighbour is read as before");
        assert_found(&audit(&yard, &cluster, CORNER, &["--all-databases"]), "public.\"café\"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_any_bytes() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, admin, other) = street(&yard, &binaries, "SQL_ASCII").await;
        other.execute(BYTES).await.expect("made and asked");
        leave_open(&admin, &other).await;
        let report = audit(&yard, &cluster, "other", &[]);
        assert!(report.judged() > 0);
        assert_found(&report, "public.\"caf\u{fffd}\"");
    }
}

/// The server refuses to show texts in a database whose encoding does not know them, and all others
/// with them: that cannot be helped, and is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_database_of_any_bytes() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, admin, other) = street(&yard, &binaries, "SQL_ASCII").await;
        other.execute(BYTES).await.expect("made and asked");
        leave_open(&admin, &other).await;
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let outcome = yard.audit(&[&dsn, "--format", "json"]).run();
        let report = outcome.report();
        report.assert_calm();
        assert_eq!(report.facets_with_gaps(), ["statements"]);
        assert_eq!(report.status("no_primary_key"), "passed", "what could be read was judged");
        let gap = &report.gaps()[0];
        assert!(gap.remedy.contains("pg_stat_statements_reset("), "a remedy that helps: {gap:?}");
        outcome.expect(0);
    }
}
