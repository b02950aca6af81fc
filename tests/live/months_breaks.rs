//! Months under load and in trouble: who reads and writes is not held up, what breaks leaves nothing, and DEFAULT
//! is disturbed no longer than allowed.

use crate::support::{ALONE, CORNER, Outcome, Site, WAITS, end, newest, oldest, server};
use pgassay::demo::{Binaries, SUPERUSER};
use std::process::Child;

/// A table by days with the current month, and one with a DEFAULT that holds rows of the next.
const STEPS: &str = "
    create table shop.steps (id bigint, at date not null, user_id bigint references shop.users (id)) partition by range (at);
    create table shop.taken (id bigint, at timestamp not null, twice bigint generated always as (id * 2) stored) partition by range (at);
    create table shop.taken_rest partition of shop.taken default;
    do $$
      declare at date := date_trunc('month', now() at time zone 'UTC');
    begin
      execute format('create table shop.steps_now partition of shop.steps for values from (%L) to (%L)', at, at + interval '1 month');
      execute format('create table shop.taken_now partition of shop.taken for values from (%L) to (%L)', at, at + interval '1 month');
      insert into shop.steps select nr, at, 1 from generate_series(1, 100) nr;
      insert into shop.taken (id, at) select nr, at + interval '1 month 3 days' from generate_series(1, 2113) nr;
    end $$;
    analyze shop.taken_rest";

async fn open(binaries: &Binaries) -> Site {
    Site::with(binaries, STEPS).await
}

fn words(site: &Site, table: &str, more: &[&str]) -> Vec<String> {
    let state = site.state().display().to_string();
    let all = ["partition", "create", table, &site.dsn(), "--state", &state, "--yes"].map(str::to_owned);
    all.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn create(site: &Site, table: &str, more: &[&str]) -> Outcome {
    site.said(&words(site, table, more))
}

fn start(site: &Site, table: &str, more: &[&str]) -> Child {
    site.spawn(&words(site, table, more))
}

/// Partitions of a table by name, and tables that are none.
async fn tables(site: &Site, like: &str) -> String {
    let sql = format!(
        "select coalesce(string_agg(relname || case when relispartition then '' else ' (alone)' end, ' ' order by relname), '')
         from pg_class where relname like '{like}' and relkind = 'r'"
    );
    site.text(&sql).await
}

/// The name of a month ahead, as `2026_12`.
async fn month(site: &Site, ahead: i32) -> String {
    site.text(&format!("select to_char(now() at time zone 'UTC' + {ahead} * interval '1 month', 'YYYY_MM')")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_writers_of_the_table_are_not_locked_out() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = open(&binaries).await;
        let reader = site.session("begin; select count(*) from shop.steps").await;
        let writer = site.session("begin; insert into shop.steps values (0, now(), 2)").await;
        create(&site, "shop.steps", &["--months", "2"]).expect(0);
        assert_eq!(tables(&site, "steps%").await.split(' ').count(), 3, "{major}");
        reader.execute("commit").await.expect("it never waited");
        writer.execute("commit").await.expect("it never waited");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_in_the_way_is_waited_for_in_short_tries() {
    let site = open(&newest()).await;
    // VACUUM and the like hold it.
    let holder = site.session("begin; lock table shop.steps in share update exclusive mode").await;
    let outcome = create(&site, "shop.steps", &["--months", "1", "--max-wait", "1s"]).expect(5);
    assert!(outcome.stdout.contains("failed: lock not granted after"), "{outcome:#?}");
    assert!(outcome.stdout.contains("application till"), "who is in the way: {outcome:#?}");
    assert_eq!(tables(&site, "steps%").await, "steps_now");
    holder.execute("rollback").await.expect("released");
    site.run(&["resume"]).expect(0);
    assert_eq!(tables(&site, "steps%").await, format!("steps_{} steps_now", month(&site, 1).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_nothing_half_is_left() {
    for binaries in [oldest(), newest()] {
        for how in ["program", "session", "server"] {
            let mut site = open(&binaries).await;
            // It has made the table, and cannot attach it: a key refers to what is locked.
            let holder = site.session("begin; lock table shop.users in row exclusive mode").await;
            let mut child = start(&site, "shop.steps", &["--months", "2"]);
            site.until(WAITS).await;
            let end_it =
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pgassay/apply/%'";
            match how {
                "program" => {
                    child.kill().expect("killed");
                    child.wait().expect("it is gone");
                    site.until(ALONE).await;
                }
                "session" => {
                    site.admin.execute(end_it).await.expect("ended");
                    let outcome = end(child).expect(5);
                    assert!(outcome.stdout.contains("failed: "), "{outcome:#?}");
                }
                _ => {
                    site.admin.execute("checkpoint").await.expect("commits are not synchronous");
                    site.cluster.crash();
                    site.cluster.restart(&binaries).expect("it starts again");
                    site.admin = site.cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
                    end(child).expect(5);
                }
            }
            assert_eq!(tables(&site, "steps%").await, "steps_now", "{how}");
            if how != "server" {
                holder.execute("rollback").await.expect("released");
            }
            site.run(&["resume"]).expect(0);
            let (one, two) = (month(&site, 1).await, month(&site, 2).await);
            assert_eq!(tables(&site, "steps%").await, format!("steps_{one} steps_{two} steps_now"), "{how}");
            site.run(&["undo"]).expect(0);
            assert_eq!(tables(&site, "steps%").await, "steps_now", "{how}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_with_rows_in_default_is_told_and_left() {
    for binaries in [oldest(), newest()] {
        let site = open(&binaries).await;
        let outcome = create(&site, "shop.taken", &["--months", "2"]).expect(3);
        let next = month(&site, 1).await.replace('_', "-");
        assert!(
            outcome.stdout.contains(&format!("2,113 rows of {next} are in shop.taken_rest ({next}-04 00:00:00")),
            "{outcome:#?}"
        );
        assert!(outcome.stdout.contains("--drain-default moves them"), "{outcome:#?}");
        let two = month(&site, 2).await;
        assert_eq!(tables(&site, "taken%").await, format!("taken_{two} taken_now taken_rest"), "the other is made");
        assert_eq!(site.text("select count(*) from only shop.taken_rest").await, "2113");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_moved_out_of_default_when_asked() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = open(&binaries).await;
        site.admin.execute("insert into shop.taken (id, at) values (-1, '2999-01-01')").await.expect("far off");
        let before = site.text("select md5(string_agg(t::text, ',' order by t::text)) from shop.taken t").await;
        let outcome = create(&site, "shop.taken", &["--months", "1", "--drain-default", "--window", "20s"]).expect(0);
        let next = month(&site, 1).await;
        assert_eq!(tables(&site, "taken%").await, format!("taken_{next} taken_now taken_rest"), "{outcome:#?}");
        assert_eq!(site.text(&format!("select count(*) from shop.taken_{next}")).await, "2113");
        assert_eq!(site.text("select count(*) from shop.taken_rest").await, "1", "what is of no month stays");
        let after = site.text("select md5(string_agg(t::text, ',' order by t::text)) from shop.taken t").await;
        assert_eq!(after, before, "{major}: every row is there once");
        let undone = site.run(&["undo"]).expect(5);
        assert!(undone.stdout.contains("holds rows, and is kept"), "{undone:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_not_moved_where_others_would_feel_it() {
    let site = open(&newest()).await;
    let watched = "create function shop.gone() returns trigger language plpgsql as 'begin return old; end';
        create trigger gone after delete on shop.taken_rest for each row execute function shop.gone()";
    site.admin.execute(watched).await.expect("a trigger");
    let drain = ["--months", "1", "--drain-default", "--window", "20s"];
    let outcome = create(&site, "shop.taken", &drain).expect(3);
    assert!(outcome.stdout.contains("they are not moved: a DELETE there calls triggers"), "{outcome:#?}");
    let referred = "drop trigger gone on shop.taken_rest; alter table shop.taken add primary key (id, at);
        create table shop.prizes (id bigint, at timestamp, foreign key (id, at) references shop.taken (id, at) on delete cascade)";
    site.admin.execute(referred).await.expect("a key");
    let outcome = create(&site, "shop.taken", &drain).expect(3);
    assert!(outcome.stdout.contains("they are not moved: foreign keys refer to the table"), "{outcome:#?}");
    assert_eq!(site.text("select count(*) from only shop.taken_rest").await, "2113");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_is_locked_no_longer_than_the_window() {
    let site = open(&newest()).await;
    // The scan of DEFAULT that ATTACH needs takes longer than a millisecond.
    let slow = "insert into shop.taken_rest (id, at) select nr, '2999-01-01' from generate_series(1, 400000) nr; analyze shop.taken_rest";
    site.admin.execute(slow).await.expect("many rows");
    let outcome = create(&site, "shop.taken", &["--from", "2998-01", "--to", "2998-01", "--window", "1ms"]).expect(5);
    assert!(outcome.stdout.contains("canceling statement due to statement timeout"), "{outcome:#?}");
    assert_eq!(tables(&site, "taken%").await, "taken_now taken_rest");
    assert_eq!(site.text("select count(*) from pg_locks where relation = 'shop.taken_rest'::regclass").await, "0");
    create(&site, "shop.taken", &["--from", "2998-01", "--to", "2998-01", "--window", "30s"]).expect(0);
    assert_eq!(tables(&site, "taken%").await, "taken_2998_01 taken_now taken_rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_come_to_default_meanwhile_stop_it_with_nothing_done() {
    let site = open(&newest()).await;
    site.admin.execute("truncate shop.taken_rest").await.expect("empty");
    let dsn = site.dsn();
    let planned = ["partition", "create", "shop.taken", &dsn, "--months", "1", "-o", "plan.json"];
    site.yard.pgassay(&planned).run().expect(0);
    site.admin
        .execute("insert into shop.taken (id, at) values (1, now() at time zone 'UTC' + interval '1 month')")
        .await
        .expect("a row");
    let outcome = site.apply(&[]).expect(5);
    assert!(outcome.stdout.contains("would be violated by some row"), "{outcome:#?}");
    assert_eq!(tables(&site, "taken%").await, "taken_now taken_rest");
    site.admin.execute("alter table shop.taken detach partition shop.taken_rest").await.expect("detached");
    let outcome = site.apply(&[]).expect(4);
    assert!(outcome.stderr.contains("the DEFAULT partition of shop.taken came or went since planning"), "{outcome:#?}");
}
