//! The adopted past is cut into months while all are at work: every acknowledged row is there exactly once and never out of
//! sight; what breaks off goes on, or is taken back.

use crate::support::{ALONE, CORNER, Load, Outcome, Site, Standby, WAITS, end, newest, notes, server};
use pgassay::demo::SUPERUSER;
use std::process::Child;

/// A table with some months behind it, for the load, with what months must have too.
const CALLS: &str = "
    create schema load; create role clerks;
    create table load.kinds (id int primary key); insert into load.kinds values (1), (2);
    create table load.calls (id bigint not null primary key, at timestamptz not null, gone int, n int not null default 0 check (n >= 0), note text default 'none',
      kind int references load.kinds (id) default 1, twice int generated always as (n * 2) stored) with (fillfactor = 90);
    alter table load.calls drop column gone;
    create index calls_at_idx on load.calls (at);
    create index calls_note_idx on load.calls (note) where kind > 0;
    alter table load.calls enable row level security;
    create policy all_of_it on load.calls using (true);
    grant select on load.calls to clerks;
    insert into load.calls (id, at) select -i, now() - i * interval '5 minutes' from generate_series(1, 30000) i;
    analyze load.calls";

async fn open(major: i32) -> Option<Site> {
    converted(major, CALLS).await
}

async fn converted(major: i32, sql: &str) -> Option<Site> {
    let site = Site::with(&server(major)?, sql).await;
    let (dsn, state) = (site.dsn(), site.state().display().to_string());
    let all = [
        "partition",
        "convert",
        "load.calls",
        &dsn,
        "--by",
        "at",
        "--allow",
        "primary_key",
        "--state",
        &state,
        "--yes",
    ];
    site.yard.pgassay(&all).run().expect(0);
    Some(site)
}

fn words(site: &Site, more: &[&str]) -> Vec<String> {
    let state = site.state().display().to_string();
    let all = ["partition", "split", "load.calls", &site.dsn(), "--state", &state, "--yes"].map(str::to_owned);
    all.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn split(site: &Site, more: &[&str]) -> Outcome {
    site.said(&words(site, more))
}

fn start(site: &Site) -> Child {
    site.spawn(&words(site, &[]))
}

/// Partitions without one that bounds no month, and what is left of a split.
const LEFT: &str = "select (select count(*) from pg_inherits where inhparent = 'load.calls'::regclass) || ' '
    || (select count(*) from pg_class where relname like 'calls_split%') || ' ' || (select count(*) from pg_proc where proname like 'calls_split%') || ' '
    || (select count(*) from pg_trigger where tgname like 'zz_pgassay%') || ' ' || (select count(*) from pg_constraint where conname like 'pgassay%')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_becomes_months_under_load() {
    for major in 14..=18 {
        let Some(site) = open(major).await else { continue };
        let whole = "select md5(string_agg(c::text, ',' order by id)) from load.calls c where id < 0";
        let before = site.text(whole).await;
        let load = Load::start(&site.cluster, CORNER, 2).await;
        site.until("select count(*) > 100 from load.calls where id > 0").await;
        load.worst_ms();
        let outcome = split(&site, &[]).expect(0);
        let locked = outcome.stderr.lines().find_map(|line| line.split("everything for ").nth(1)).unwrap_or_default();
        println!("{major}: worst statement {:.1} ms, locked {locked}", load.worst_ms());
        let account = load.end().await;
        site.has_all_of(&account).await;
        assert_eq!(site.text(whole).await, before, "{major}");
        assert!(site.text(LEFT).await.ends_with(" 0 0 0 0"), "{major}: {}", site.text(LEFT).await);
        assert_eq!(
            site.text("select relispartition::text from pg_class where oid = 'load.calls_legacy'::regclass").await,
            "false"
        );
        let months = "select string_agg(c.relname || ' ' || coalesce(c.reloptions::text, '') || c.relrowsecurity || (select count(*) from pg_policy where polrelid = c.oid)
              || coalesce(has_table_privilege('clerks', c.oid, 'select')::text, '') || (select count(*) from pg_index i where i.indrelid = c.oid and indisvalid)
              || (select count(*) from pg_constraint k where k.conrelid = c.oid and contype = 'f' and convalidated), ', ' order by c.relname)
            from pg_class c where relispartition and relkind = 'r' and c.relname like 'calls%'";
        let months = site.text(months).await;
        assert!(months.split(", ").all(|month| month.ends_with(" {fillfactor=90}true1true31")), "{major}: {months}");
        assert!(months.split(", ").count() >= 8, "{major}: 104 days, three months ahead, what is older: {months}");
        let again = split(&site, &[]);
        assert!(
            again.code == Some(2) && again.stderr.contains("holds no rows: there is nothing to split"),
            "{again:#?}"
        );
    }
}

/// What a session copied within a second it tells the server's statistics of after ANALYZE, unless made to before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_just_copied_are_listed_once() {
    for major in [14, newest().major] {
        let Some(site) = converted(major, &CALLS.replace("30000", "2000")).await else { continue };
        split(&site, &[]).expect(0);
        let told = "select sum(n_tup_ins) >= 2000 from pg_stat_user_tables where relid in (select inhrelid from pg_inherits where inhparent = 'load.calls'::regclass)";
        site.until(told).await;
        let listed = site.yard.pgassay(&["partition", "list", &site.dsn(), "--format", "json"]).run().expect(0).stdout;
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("json");
        let rows = listed["tables"][0]["partitions"].as_array().expect("months").iter();
        assert_eq!(rows.filter_map(|one| one["rows"].as_i64()).sum::<i64>(), 2_000, "{major}: {listed:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_split_is_not_taken_back() {
    let Some(site) = converted(newest().major, &CALLS.replace("30000", "2000")).await else { return };
    split(&site, &[]).expect(0);
    let outcome = site.run(&["undo"]).expect(0);
    assert!(outcome.stdout.starts_with("nothing to undo: "), "{outcome:#?}");
    assert!(outcome.stdout.contains("a finished split is not taken back"), "{outcome:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_that_breaks_off_goes_on_or_is_taken_back() {
    for next in ["resume", "undo"] {
        let Some(site) = open(newest().major).await else { continue };
        let before = site.text("select count(*) || ' ' || sum(id) from load.calls").await;
        let holder = site.session(HOLDS).await;
        let mut child = start(&site);
        site.until(WAITS).await;
        assert_eq!(
            site.text("select count(*) || ' ' || sum(id) from load.calls").await,
            before,
            "all are seen meanwhile"
        );
        child.kill().expect("killed");
        child.wait().expect("it is gone");
        holder.execute("commit").await.expect("released");
        site.until(ALONE).await;
        // What happens meanwhile is not lost: a row is changed, one goes, one moves to another month, one comes.
        site.admin
            .execute(
                "update load.calls set n = 8 where id = -1; delete from load.calls where id = -2;
                 update load.calls set at = at - interval '40 days' where id = -3;
                 insert into load.calls (id, at) values (-30001, now() - interval '9 years')",
            )
            .await
            .expect("changed");
        let all = "select md5(string_agg(c::text, ',' order by id)) from load.calls c";
        let now = site.text(all).await;
        let truncated = site.admin.execute("truncate load.calls").await;
        assert!(truncated.is_err_and(|error| error.to_string().contains("is being split")));
        if next == "undo" {
            // With the function its triggers go.
            site.admin.execute("drop function load.calls_split() cascade").await.expect("somebody drops it");
        }
        site.run(&[next]).expect(0);
        assert_eq!(site.text(all).await, now, "{next}");
        let left = site.text(LEFT).await;
        assert!(left.ends_with(" 0 0 0 0") && left.starts_with("4 ") == (next == "undo"), "{next}: {left}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_needs_a_search_path_stops_a_split_and_no_writes() {
    let Some(site) = open(newest().major).await else { return };
    site.admin
        .execute(
            "create function public.fine(int) returns boolean language plpgsql immutable as 'begin return $1 >= 0; end';
             create function load.checked(int) returns boolean language plpgsql immutable as 'begin return fine($1); end';
             alter table load.calls add check (load.checked(n))",
        )
        .await
        .expect("a check");
    let outcome = split(&site, &[]).expect(5);
    assert!(outcome.stdout.contains("by a trigger whose search_path is pg_catalog"), "{outcome:#?}");
    assert!(outcome.stdout.contains("function fine(integer) does not exist"), "{outcome:#?}");
    site.admin
        .execute("insert into load.calls (id, at) values (-30001, now() - interval '1 year')")
        .await
        .expect("a row");
    assert!(site.text(LEFT).await.ends_with(" 0 0 0 0"), "{}", site.text(LEFT).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_that_are_not_the_same_are_not_swapped_in() {
    let Some(site) = open(newest().major).await else { return };
    let dsn = site.dsn();
    site.yard.pgassay(&["partition", "split", "load.calls", &dsn, "-o", "plan.json", "--quiet"]).run().expect(0);
    site.apply(&["--step", "1,2"]).expect(0);
    // A batch is written beside a trigger that sleeps: rows may be missing, though not these.
    site.admin.execute("alter table load.calls_legacy disable trigger zz_pgassay_split").await.expect("it sleeps");
    let outcome = site.apply(&[]).expect(5);
    assert!(outcome.stdout.contains("a trigger of the split was disabled"), "{outcome:#?}");
    site.admin.execute("alter table load.calls_legacy enable always trigger zz_pgassay_split").await.expect("awake");
    // Somebody writes past the trigger: a row that is missing would be copied again, one that differs is not.
    site.admin.execute("update load.calls_split set n = n + 1 where id = -7").await.expect("changed");
    let outcome = site.apply(&[]).expect(5);
    assert!(outcome.stdout.contains("the months do not hold the rows of load.calls_legacy"), "{outcome:#?}");
    site.admin
        .execute("update load.calls_split set n = n - 1 where id = -7; delete from load.calls_split where id = -8")
        .await
        .expect("as it was, but one");
    site.run(&["resume"]).expect(5);
    assert_eq!(site.text("select count(*) from load.calls").await, "30000");
    site.run(&["undo"]).expect(0);
    assert_eq!(site.text("select count(*) from load.calls").await, "30000");
    assert!(site.text(LEFT).await.ends_with(" 0 0 0 0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_on_from_before_the_copy_is_waited_for() {
    let Some(site) = open(newest().major).await else { return };
    let reader = site.session("begin isolation level repeatable read; select count(*) from load.kinds").await;
    let deleter = site.session("begin isolation level serializable; select count(*) from load.kinds").await;
    let mut child = start(&site);
    site.until("select exists (select from pg_stat_activity where wait_event = 'PgSleep' and query ~ 'virtualxid')")
        .await;
    // A row that was copied after its snapshot: it would be left behind in the months.
    let deleted = deleter.execute("delete from load.calls where id = -5").await;
    assert!(deleted.is_err_and(|error| error.to_string().contains("serialize")), "as any conflict of serialization");
    deleter.execute("rollback").await.expect("ended");
    assert_eq!(
        site.text("select (to_regclass('load.calls_split') is not null)::text").await,
        "true",
        "not swapped yet"
    );
    reader
        .execute("do 'begin if (select count(*) from load.calls) <> 30000 then raise exception ''rows are missing''; end if; end'")
        .await
        .expect("all rows, as it began before");
    reader.execute("commit").await.expect("ended");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(site.text("select count(*) from load.calls").await, "30000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacuum_of_another_table_is_not_waited_for() {
    let Some(site) = open(newest().major).await else { return };
    let slow = "create table shop.wide as select repeat('x', 1000) as note from generate_series(1, 20000)";
    site.admin.execute(slow).await.expect("a table");
    let vacuum = site.session("set vacuum_cost_delay = '100ms'; set vacuum_cost_limit = 1").await;
    let vacuum = tokio::spawn(async move { vacuum.execute("vacuum (freeze) shop.wide").await });
    let at_work = "select exists (select from pg_stat_progress_vacuum where relid = 'shop.wide'::regclass)";
    site.until(at_work).await;
    split(&site, &["--max-wait", "5s"]).expect(0);
    assert_eq!(site.text(&format!("select ({at_work})::text")).await, "true", "it is still at work");
    site.admin.execute("select pg_cancel_backend(pid) from pg_stat_progress_vacuum").await.expect("ended");
    assert!(vacuum.await.expect("a session").is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_split_would_break_is_refused() {
    for major in [server(15).map_or(16, |found| found.major), newest().major] {
        let Some(site) = open(major).await else { continue };
        for (before, told, after) in [
            (
                "create publication p for all tables with (publish_via_partition_root)",
                "of all tables or of a schema",
                "drop publication p",
            ),
            (
                "create publication p for tables in schema load with (publish_via_partition_root)",
                "of all tables or of a schema",
                "drop publication p",
            ),
            (
                "create publication p for table load.calls",
                "tells of partitions by their own names",
                "drop publication p",
            ),
            (
                "create function load.f() returns trigger language plpgsql as 'begin return null; end';
                 create trigger audit after update on load.calls_legacy for each row execute function load.f()",
                "the row trigger audit runs after a change",
                "drop trigger audit on load.calls_legacy",
            ),
        ] {
            site.admin.execute(before).await.expect("made");
            let outcome = split(&site, &[]).expect(2);
            assert!(outcome.stderr.contains(told), "{before}: {outcome:#?}");
            site.admin.execute(after).await.expect("gone");
        }
        let refers = "create table load.people (id int not null, year int not null, primary key (id, year)) partition by list (year);
            create table load.people_1 partition of load.people for values in (1); create table load.people_2 partition of load.people for values in (2);
            insert into load.people values (1, 1), (2, 2);
            alter table load.calls add who int, add year int, add foreign key (who, year) references load.people";
        site.admin.execute(refers).await.expect("a foreign key to a partitioned table");
        site.admin
            .execute("update load.calls set who = 1 + (id & 1), year = 1 + (id & 1) where id > -1000")
            .await
            .expect("set");
        split(&site, &[]).expect(0);
        assert_eq!(site.text("select count(*) || ' ' || count(who) from load.calls").await, "30000 999", "{major}");
    }
}

/// One row that cannot be locked holds a batch up, and nothing before it.
const HOLDS: &str = "begin; select from load.calls_legacy where id = -29999 for update";

/// Our session waits for a lock of the swap.
const SWAPS: &str = "select count(*) > 0 from pg_stat_activity
    where application_name like 'pgassay/apply/%' and query like 'LOCK TABLE load.kinds IN ACCESS EXCLUSIVE MODE%' and wait_event_type = 'Lock'";

/// Our session waits for older transactions.
const OUTLIVES: &str =
    "select exists (select from pg_stat_activity where wait_event = 'PgSleep' and query ~ 'virtualxid')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_all_rows_are_there_and_it_goes_on_or_back() {
    for (how, what, next) in [
        ("session", "the copy", "undo"),
        ("server", "the copy", "resume"),
        // The server may carry on by itself to the end.
        ("program", "the swap", "resume"),
        ("session", "the swap", "undo"),
        ("server", "the swap", "resume"),
    ] {
        let Some(mut site) = open(newest().major).await else { continue };
        let (child, holder) = if what == "the copy" {
            let holder = site.session(HOLDS).await;
            let child = start(&site);
            site.until(WAITS).await;
            (child, holder)
        } else {
            // Older transactions are waited for first: this one lets it go on when the other is in the way.
            let older = site.session("begin; select count(*) from load.kinds").await;
            let child = start(&site);
            site.until(OUTLIVES).await;
            let holder = site.session("begin; lock table load.kinds in row exclusive mode").await;
            older.execute("commit").await.expect("ended");
            site.until(SWAPS).await;
            (child, holder)
        };
        site.die(how, child, holder, &newest()).await;
        let picture = "select count(*) || ' ' || sum(id) || ' ' || sum(n) from load.calls";
        let before = site.text(picture).await;
        assert!(before.starts_with("30000 -450015000 "), "{how} {what}: {before}");
        site.admin.execute("insert into load.calls (id, at) values (1, now())").await.expect("a row");
        site.admin.execute("delete from load.calls where id = 1").await.expect("gone");
        site.run(&[next]).expect(0);
        assert_eq!(site.text(picture).await, before, "{how} {what} {next}");
        let left = site.text(LEFT).await;
        assert!(
            left.ends_with(" 0 0 0 0") && left.starts_with("4 ") == (next == "undo"),
            "{how} {what} {next}: {left}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_moved_meanwhile_are_looked_for_once_more() {
    let Some(site) = open(newest().major).await else { return };
    // The rows in the order of their time, so that CLUSTER turns it round.
    site.admin.execute("create index turned on load.calls_legacy (id)").await.expect("an index");
    let holder = site.session(HOLDS).await;
    let child = start(&site);
    site.until(WAITS).await;
    site.until("select exists (select from load.calls_split where id = -1)").await;
    // The holder ends, and before the next batch begins the table is written anew: who waits for it comes first.
    let other = site.session("select 1").await;
    let moved = tokio::spawn(async move { other.execute("cluster load.calls_legacy using turned").await });
    site.until("select exists (select from pg_stat_activity where query ~ '^cluster' and wait_event_type = 'Lock')")
        .await;
    let behind = "select exists (select from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where a.application_name like 'pgassay/apply/%' and l.locktype = 'relation' and not l.granted)";
    site.until(behind).await;
    holder.execute("commit").await.expect("released");
    moved.await.expect("it ends").expect("clustered");
    let outcome = end(child).expect(0);
    assert!(outcome.stderr.contains("was written anew meanwhile"), "{outcome:#?}");
    assert_eq!(site.text("select count(*) || ' ' || sum(id) from load.calls").await, "30000 -450015000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_behind_is_waited_for() {
    let Some(mut site) = open(newest().major).await else { return };
    site.admin
        .execute("checkpoint")
        .await
        .expect("commits are not synchronous, and the copy is of what a crash leaves");
    let standby = Standby::of(&site.yard, &mut site.cluster, &newest());
    site.admin = site.cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
    site.until("select count(*) = 1 from pg_stat_replication where state = 'streaming'").await;
    let reports = standby.session("postgres", SUPERUSER).await;
    let holder = site.session(HOLDS).await;
    let child = site.spawn(&words(&site, &["--max-replica-lag", "1s"]));
    site.until(WAITS).await;
    reports.execute("select pg_wal_replay_pause()").await.expect("paused");
    let behind = "select count(*) = 1 from pg_stat_replication where replay_lag > interval '2 s'";
    while site.text(behind).await != "t" {
        site.admin.execute("update load.kinds set id = id").await.expect("something to replay");
    }
    // Other changes are not begun meanwhile.
    site.plan(vec![notes()]).await;
    let refused = site.apply(&["--max-replica-lag", "1s"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("behind, --max-replica-lag is"), "{refused:#?}");
    holder.execute("commit").await.expect("released");
    site.until("select exists (select from pg_stat_activity where wait_event = 'PgSleep' and query ~ 'most_lag')")
        .await;
    reports.execute("select pg_wal_replay_resume()").await.expect("it goes on");
    let outcome = end(child).expect(0);
    assert!(outcome.stderr.contains("a standby is more than 00:00:01 behind"), "{outcome:#?}");
    assert_eq!(site.text("select count(*) from load.calls").await, "30000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_older_stays_together_and_is_split_again() {
    let Some(site) = open(newest().major).await else { return };
    site.admin.execute("drop index load.calls_at_idx").await.expect("dropped");
    let ends = "select string_agg(c.relname || ':' || (xpath('/row/n/text()', query_to_xml('select count(*) as n from load.' || c.relname, false, true, '')))[1], ' ' order by c.relname)
        from pg_class c where relispartition and relkind = 'r' and relname ~ '_before'";
    split(&site, &["--months", "2"]).expect(0);
    let once = site.text(ends).await;
    assert!(once.contains("_before:") && !once.ends_with(":0"), "{once}");
    split(&site, &[]).expect(0);
    let twice = site.text(ends).await;
    assert!(twice.contains("_before:0"), "the table itself, and nothing before it: {twice}");
    assert_eq!(site.text("select count(*) from load.calls").await, "30000");
}
