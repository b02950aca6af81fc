//! Months that leave: by their real ends, without holding anybody up; broken off and brought to the end; attached
//! again with every row; dropped only when asked, and never what is not ours.

use crate::support::{ALONE, Outcome, Site, WAITS, end, newest, server};
use pgassay::demo::Binaries;
use std::process::Child;

/// Four months back to the current one, with a key and rows; what came before was adopted as it was, and ends last.
const STEPS: &str = "
    create table shop.steps (id bigint, at date not null, user_id bigint references shop.users (id), primary key (id, at)) partition by range (at);
    do $$
      declare first date := date_trunc('month', now() at time zone 'UTC'); at date;
    begin
      for nr in -4..0 loop
        at := first + nr * interval '1 month';
        execute format('create table shop.%I partition of shop.steps for values from (%L) to (%L)',
          'steps_' || abs(nr), at, at + interval '1 month');
        execute format('insert into shop.steps select nr, %L, 1 from generate_series(1, 100) nr', at);
      end loop;
    end $$;
    analyze shop.steps";

fn words(site: &Site, more: &[&str]) -> Vec<String> {
    let state = site.state().display().to_string();
    let all = ["partition", "retire", "shop.steps", &site.dsn(), "--state", &state, "--yes"].map(str::to_owned);
    all.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn retire(site: &Site, more: &[&str]) -> Outcome {
    site.said(&words(site, more))
}

fn start(site: &Site, more: &[&str]) -> Child {
    site.spawn(&words(site, more))
}

/// The steps' tables by name: attached, hidden or alone.
async fn tables(site: &Site) -> String {
    site.text(
        "select string_agg(c.relname || case when not c.relispartition then ' alone'
           when to_jsonb(h) ->> 'inhdetachpending' = 'true' then ' hidden' else '' end, ', ' order by c.relname)
         from pg_class c left join pg_inherits h on h.inhrelid = c.oid where c.relname like 'steps\\__' and c.relkind = 'r'",
    )
    .await
}

async fn open(binaries: &Binaries) -> Site {
    Site::with(binaries, STEPS).await
}

async fn rows(site: &Site) -> String {
    site.text("select count(*) || ' ' || md5(string_agg(s::text, ',' order by at, id)) from shop.steps s").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_months_leave_and_come_back() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = open(&binaries).await;
        let before = rows(&site).await;
        let outcome = retire(&site, &["--keep", "2 months"]).expect(0);
        assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3 alone, steps_4 alone", "{major}");
        assert!(outcome.stdout.contains("kept: 2 months; about 100 rows"), "{outcome:#?}");
        assert_eq!(outcome.stdout.contains("DETACH PARTITION shop.steps_4 CONCURRENTLY"), major >= 14, "{outcome:#?}");
        assert_eq!(site.text("select count(*) from shop.steps").await, "300");
        assert_eq!(site.text("select count(*) from shop.steps_4").await, "100", "its rows are where they were");
        let again = retire(&site, &["--keep", "2 months"]).expect(0);
        assert!(
            again.stdout.contains("nothing to do: no partition of shop.steps is older than what is kept, 2 months"),
            "{again:#?}"
        );
        site.run(&["undo"]).expect(0);
        assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3, steps_4", "{major}");
        assert_eq!(rows(&site).await, before, "{major}");
        let keys = "select count(*) from pg_constraint where contype = 'f' and conrelid = 'shop.steps_4'::regclass and conparentid <> 0";
        assert_eq!(site.text(keys).await, "1", "{major}: its key is a part of the table's again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_is_not_read_again() {
    let site = open(&newest()).await;
    let scans = "select pg_stat_clear_snapshot()::text || coalesce(seq_tup_read, 0) from pg_stat_all_tables where relname = 'steps_4'";
    retire(&site, &["--keep", "3 months"]).expect(0);
    site.until(ALONE).await;
    let before = site.text(scans).await;
    site.run(&["undo"]).expect(0);
    site.until(ALONE).await;
    assert_eq!(site.text(scans).await, before, "the CHECK that DETACH CONCURRENTLY leaves spares the scan");
    retire(&site, &["--keep", "3 months"]).expect(0);
    let checks = "do $$ declare c name; begin for c in select conname from pg_constraint where conrelid = 'shop.steps_4'::regclass and contype = 'c'
        loop execute format('alter table shop.steps_4 drop constraint %I', c); end loop; end $$";
    site.admin.execute(checks).await.expect("dropped");
    site.run(&["undo"]).expect(0);
    site.until(ALONE).await;
    assert_ne!(site.text(scans).await, before, "without it there is one");
}

/// A reader of the month that is to leave: it is detached only when that ends.
const READER: &str = "begin; select count(*) from shop.steps";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detach_that_stops_is_brought_to_its_end_or_taken_back() {
    for major in [14, 18] {
        let Some(binaries) = server(major) else { continue };
        for next in ["resume", "undo"] {
            let site = open(&binaries).await;
            let before = rows(&site).await;
            let reader = site.session(READER).await;
            let outcome = retire(&site, &["--keep", "3 months", "--max-wait", "1s"]).expect(5);
            assert!(outcome.stdout.contains("half detached, and its rows are hidden"), "{outcome:#?}");
            assert!(outcome.stdout.contains("application till"), "who is in the way: {outcome:#?}");
            assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3, steps_4 hidden", "{major}");
            let other = retire(&site, &["--keep", "2 months"]);
            assert_eq!(other.code, Some(2), "{other:#?}");
            assert!(other.stderr.contains("steps_4 is half detached already"), "{other:#?}");
            reader.execute("rollback").await.expect("released");
            site.run(&[next]).expect(0);
            if next == "resume" {
                assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3, steps_4 alone", "{major}");
                site.run(&["undo"]).expect(0);
            }
            assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3, steps_4", "{major}");
            assert_eq!(rows(&site).await, before);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_the_month_leaves_in_the_end() {
    for major in [14, 18] {
        let Some(binaries) = server(major) else { continue };
        for how in ["program", "session"] {
            let site = open(&binaries).await;
            let reader = site.session(READER).await;
            let mut child = start(&site, &["--keep", "3 months"]);
            site.until(WAITS).await;
            assert_eq!(
                site.text("select count(*) from shop.steps").await,
                "400",
                "nobody is held up, and the month is hidden"
            );
            let locks = "select string_agg(distinct mode, ',') from pg_locks l join pg_stat_activity a on a.pid = l.pid
                where l.relation = 'shop.steps'::regclass and a.application_name like 'pgassay/apply/%' and l.granted";
            // Between its two transactions it holds nothing.
            assert!(["", "ShareUpdateExclusiveLock"].contains(&site.text(locks).await.as_str()), "{major}");
            let end_it =
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pgassay/apply/%'";
            if how == "program" {
                child.kill().expect("killed");
                child.wait().expect("it is gone");
                site.admin.execute(end_it).await.expect("ended");
                site.until(ALONE).await;
                assert!(tables(&site).await.contains("steps_4 hidden"), "{major}");
                reader.execute("rollback").await.expect("released");
                site.run(&["resume"]).expect(0);
            } else {
                site.admin.execute(end_it).await.expect("ended");
                site.until("select count(*) > 0 from pg_stat_activity where query like '%FINALIZE%' and application_name like 'pgassay/apply/%'").await;
                reader.execute("rollback").await.expect("released");
                end(child).expect(0);
            }
            assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3, steps_4 alone", "{major} {how}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_out_for_long_enough_is_dropped() {
    let site = open(&newest()).await;
    retire(&site, &["--keep", "2 months"]).expect(0);
    let early = retire(&site, &["--keep", "2 months", "--drop"]).expect(0);
    assert!(early.stdout.contains("nothing to do"), "{early:#?}");
    // One is attached again, by hand.
    let bound = site.text("select quote_literal(min(at)) || ') to (' || quote_literal(min(at) + interval '1 month') from shop.steps_3").await;
    site.admin
        .execute(&format!("alter table shop.steps attach partition shop.steps_3 for values from ({bound})"))
        .await
        .expect("attached");
    let drop = ["--keep", "1 year", "--drop", "--quarantine", "1ms"];
    let outcome = retire(&site, &drop).expect(0);
    assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3", "{outcome:#?}");
    assert!(
        outcome.stdout.contains("drop_detached") && outcome.stdout.contains("cannot be taken back"),
        "{outcome:#?}"
    );
    let undone = site.run(&["undo"]).expect(4);
    assert!(undone.stderr.contains("shop.steps_4 is gone: its rows are in a backup at best"), "{undone:#?}");
    // Somebody makes a table of that name.
    site.admin.execute("create table shop.steps_4 as select 1 as precious").await.expect("made");
    assert!(retire(&site, &drop).expect(0).stdout.contains("nothing to do"));
    assert_eq!(site.text("select precious from shop.steps_4").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_back_and_left_again_is_out_since_then() {
    let site = open(&newest()).await;
    retire(&site, &["--keep", "3 months"]).expect(0);
    // A hundred years ago, by its journal.
    for file in std::fs::read_dir(site.state()).expect("journals") {
        let path = file.expect("a journal").path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, text.replace(r#""at":"20"#, r#""at":"19"#)).expect("written");
    }
    site.run(&["undo"]).expect(0);
    retire(&site, &["--keep", "3 months"]).expect(0);
    let early = retire(&site, &["--keep", "3 months", "--drop", "--quarantine", "1d"]).expect(0);
    assert!(early.stdout.contains("nothing to do"), "{early:#?}");
    assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3, steps_4 alone");
    let late = retire(&site, &["--keep", "3 months", "--drop", "--quarantine", "1ms"]).expect(0);
    assert!(late.stdout.starts_with("1 step for"), "{late:#?}");
    assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_months_never_leave() {
    let site = open(&newest()).await;
    let more = "create table shop.prizes (id bigint, at date, foreign key (id, at) references shop.steps (id, at))";
    site.admin.execute(more).await.expect("a key");
    let referred = retire(&site, &["--keep", "1 month"]);
    assert_eq!(referred.code, Some(2), "{referred:#?}");
    assert!(referred.stderr.contains("foreign keys refer to shop.steps"), "{referred:#?}");
    site.admin
        .execute("drop table shop.prizes; create table shop.steps_d partition of shop.steps default")
        .await
        .expect("DEFAULT");
    let outcome = retire(&site, &["--keep", "3 months"]).expect(0);
    assert!(!outcome.stdout.contains("CONCURRENTLY"), "DEFAULT forbids it: {outcome:#?}");
    assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2, steps_3, steps_4 alone, steps_d");
    let unsaid = retire(&site, &[]);
    assert!(unsaid.code == Some(2) && unsaid.stderr.contains("how long are rows of shop.steps kept?"), "{unsaid:#?}");
    let odd = retire(&site, &["--keep", "2 weeks"]);
    assert!(odd.code == Some(2) && odd.stderr.contains("24 months or 2 years"), "{odd:#?}");
    site.yard.write("pgassay.yaml", "partition: {tables: [{table: shop.steps, keep: 1 month}]}");
    retire(&site, &[]).expect(0);
    assert_eq!(tables(&site).await, "steps_0, steps_1, steps_2 alone, steps_3 alone, steps_4 alone, steps_d");
}
