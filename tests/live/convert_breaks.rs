//! A conversion under load and in trouble: every acknowledged row is there exactly once, nobody is held up for long, and
//! whoever dies at whatever step, it is brought to its end or taken back.

use crate::support::{ALONE, CORNER, Load, Outcome, Site, WAITS, end, newest, oldest, server};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the load works on, not partitioned yet, with a past.
const CALLS: &str = "
    create schema load;
    create table load.calls (id bigint not null primary key, at timestamptz not null, n int not null default 0, note text default 'none');
    create index calls_note_idx on load.calls (note);
    create index calls_at_idx on load.calls (at);
    insert into load.calls (id, at) select -i, now() - i * interval '1 minute' from generate_series(1, 100000) i;
    create view load.seen as select id, at from load.calls;
    vacuum analyze load.calls";

/// A small one with a foreign key.
const STEPS: &str = "
    create table shop.steps (id bigint generated always as identity primary key, at timestamptz not null, user_id bigint references shop.users (id));
    insert into shop.steps (at, user_id) select now() - i * interval '1 hour', 1 from generate_series(1, 1000) i;
    analyze shop.steps";

fn words(site: &Site, table: &str, more: &[&str]) -> Vec<String> {
    let state = site.state().display().to_string();
    let all = ["partition", "convert", table, &site.dsn(), "--by", "at", "--allow", "primary_key", "--state", &state];
    all.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
}

fn convert(site: &Site, table: &str, more: &[&str]) -> Outcome {
    site.said(&words(site, table, more))
}

fn start(site: &Site) -> Child {
    site.spawn(&words(site, "shop.steps", &["--yes"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_under_load() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::open(&binaries).await;
        for sql in CALLS.split(';') {
            site.admin.execute(sql).await.expect("a table");
        }
        let load = Load::start(&site.cluster, CORNER, 2).await;
        // Who reads through a view locks that first.
        let (session, is_over) = (site.session("select 1").await, Arc::new(AtomicBool::new(false)));
        let looking = tokio::spawn({
            let is_over = Arc::clone(&is_over);
            async move {
                while !is_over.load(Ordering::Relaxed) {
                    session.execute("select count(*) from load.seen where id between -9 and 0").await.expect("rows");
                }
            }
        });
        let mut told = Vec::new();
        for what in ["nothing", "prepare", "adopt", "undo"] {
            let before = load.statements();
            load.worst_ms();
            let outcome = match what {
                // How long it takes beside a program that only reads.
                "nothing" => convert(&site, "load.calls", &["--dry-run"]),
                "prepare" => convert(&site, "load.calls", &["--step", "1", "--yes"]),
                "undo" => site.run(&["undo"]),
                _ => convert(&site, "load.calls", &["--yes"]),
            };
            let outcome = outcome.expect(0);
            let locked = outcome.stderr.lines().find_map(|line| line.split("everything for ").nth(1)).unwrap_or("-");
            let locked = locked.split(';').next().unwrap_or_default().to_owned();
            told.push(format!("{what}: {:.1} ms (locked {locked})", load.worst_ms()));
            assert!(load.statements() > before, "the load went on");
        }
        is_over.store(true, Ordering::Relaxed);
        looking.await.expect("it read on");
        let account = load.end().await;
        println!("{major}: worst statement of {}: {}", account.statements, told.join(", "));
        site.has_all_of(&account).await;
        assert_eq!(site.text("select count(*) from load.calls where id < 0").await, "100000", "{major}");
        assert_eq!(site.text("select count(*) from pg_inherits").await, "0", "{major}: it was taken back");
    }
}

/// A rich enough picture of the table: kind, keys, partitions, ids to come, rows.
async fn picture(site: &Site) -> String {
    site.text(
        "select c.relkind::text || ' ' || (select string_agg(pg_get_constraintdef(k.oid), ', ' order by k.conname) from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'f', 'c'))
           || ' ' || (select string_agg(i.indexrelid::regclass || ' ' || i.indisvalid, ', ' order by i.indexrelid::regclass::text) from pg_index i where i.indrelid = c.oid)
           || ' ' || (select count(*) from pg_inherits where inhparent = c.oid)
           || ' ' || (select last_value from shop.steps_id_seq) || ' ' || (select count(*) || ' ' || sum(id) from shop.steps)
         from pg_class c where c.oid = 'shop.steps'::regclass",
    )
    .await
}

/// Our session tries to adopt, and cannot lock.
const ADOPTS: &str = "select count(*) > 0 from pg_stat_activity
    where application_name like 'pgassay/apply/%' and query like '%too late to adopt%' and wait_event_type = 'Lock'";

/// Our session tries to release, and cannot lock.
const RELEASES: &str = "select count(*) > 0 from pg_stat_activity
    where application_name like 'pgassay/apply/%' and query like '%has other partitions than%' and wait_event_type = 'Lock'";

/// What keeps a step from going on, and how one knows that it waits.
const IN_THE_WAY: [(&str, &str, &str); 2] = [
    ("the index", "begin; lock table shop.steps in row exclusive mode", WAITS),
    ("the adoption", "begin; lock table shop.users in row exclusive mode", ADOPTS),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_it_is_brought_to_its_end_or_taken_back() {
    let all = ["program", "session", "server"];
    for (binaries, hows) in [(oldest(), &all[1..2]), (newest(), &all[..])] {
        for how in hows.iter().copied() {
            for (what, sql, question) in IN_THE_WAY {
                let mut site = Site::with(&binaries, STEPS).await;
                let plain = picture(&site).await;
                let holder = site.session(sql).await;
                let child = start(&site);
                site.until(question).await;
                site.die(how, child, holder, &binaries).await;
                assert_eq!(site.text("select count(*) from shop.steps").await, "1000", "{what} {how}");
                site.run(&["resume"]).expect(0);
                let done = picture(&site).await;
                assert!(
                    done.starts_with("p PRIMARY KEY (id, at)") && done.ends_with(" 4 1000 1000 500500"),
                    "{what} {how}: {done}"
                );
                site.run(&["undo"]).expect(0);
                assert_eq!(picture(&site).await, plain, "{what} {how}");
            }
        }
    }
}

/// Our session proves the CHECK, and cannot lock.
const PROVES: &str = "select count(*) > 0 from pg_stat_activity
    where application_name like 'pgassay/apply/%' and query like '%VALIDATE CONSTRAINT%' and wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_while_the_check_is_proved() {
    for how in ["program", "session", "server"] {
        let mut site = Site::with(&newest(), STEPS).await;
        let plain = picture(&site).await;
        convert(&site, "shop.steps", &["--step", "1", "--yes"]).expect(0);
        // As if it had got so far.
        let again = "do $$ declare name name; says text; begin
            select conname, pg_get_constraintdef(oid) into strict name, says from pg_constraint where conname like 'pgassay%';
            execute format('alter table shop.steps drop constraint %I, add constraint %I %s not valid', name, name, says); end $$";
        site.admin.execute(again).await.expect("not proved yet");
        let holder = site.session("begin; lock table shop.steps in share update exclusive mode").await;
        let child = start(&site);
        site.until(PROVES).await;
        site.die(how, child, holder, &newest()).await;
        assert_eq!(site.text("select count(*) from shop.steps").await, "1000", "{how}");
        site.run(&["resume"]).expect(0);
        assert!(picture(&site).await.ends_with(" 4 1000 1000 500500"), "{how}");
        site.run(&["undo"]).expect(0);
        assert_eq!(picture(&site).await, plain, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_that_breaks_off_is_gone_to_its_end() {
    for binaries in [oldest(), newest()] {
        let site = Site::with(&binaries, STEPS).await;
        let plain = picture(&site).await;
        convert(&site, "shop.steps", &["--yes"]).expect(0);
        let holder = site.session("begin; lock table shop.steps_legacy in row exclusive mode").await;
        let mut child = site.start(&["undo"]);
        site.until(WAITS).await;
        child.kill().expect("killed");
        child.wait().expect("it is gone");
        holder.execute("rollback").await.expect("released");
        site.until(ALONE).await;
        let holder = site.session("begin; lock table shop.users in row exclusive mode").await;
        let mut child = site.start(&["resume"]);
        site.until(RELEASES).await;
        child.kill().expect("killed");
        child.wait().expect("it is gone");
        holder.execute("rollback").await.expect("released");
        site.until(ALONE).await;
        assert_eq!(site.text("select count(*) from shop.steps").await, "1000", "all are seen meanwhile");
        site.run(&["resume"]).expect(0);
        assert_eq!(picture(&site).await, plain);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_first_new_row_on_it_is_not_taken_back() {
    let site = Site::with(&newest(), STEPS).await;
    convert(&site, "shop.steps", &["--yes"]).expect(0);
    site.admin
        .execute("insert into shop.steps (at, user_id) values (now() + interval '50 days', 1)")
        .await
        .expect("a row");
    let undone = site.run(&["undo"]).expect(5);
    assert!(undone.stdout.contains("holds rows, and is kept"), "{undone:#?}");
    assert_eq!(site.text("select count(*) from shop.steps").await, "1001");
    site.admin.execute("delete from shop.steps where at > now()").await.expect("moved");
    site.run(&["resume"]).expect(0);
    assert!(picture(&site).await.starts_with("r PRIMARY KEY (id),"), "{}", picture(&site).await);
}

/// What may be done to a table while its adoption waits for a lock, how one sees it, and whether it is too weak to wait.
const MEANWHILE: [(&str, &str, bool); 5] = [
    ("grant select on shop.steps to clerks", "has_table_privilege('clerks', 'shop.steps', 'select')", true),
    (
        "grant select (at) on shop.steps to clerks",
        "has_column_privilege('clerks', 'shop.steps', 'at', 'select')",
        false,
    ),
    (
        "grant usage on sequence shop.steps_id_seq to clerks",
        "has_sequence_privilege('clerks', 'shop.steps_id_seq', 'usage')",
        true,
    ),
    (
        "comment on constraint steps_user_id_fkey on shop.steps is 'said'",
        "exists (select from pg_constraint k where k.conrelid = 'shop.steps'::regclass and obj_description(k.oid, 'pg_constraint') = 'said')",
        true,
    ),
    (
        "create or replace view shop.seen as select id from shop.steps where id > 7",
        "pg_get_viewdef('shop.seen') ~ '7'",
        false,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_or_said_meanwhile_is_not_lost() {
    // What GRANT does beside another change of a row of the catalog came to the later majors.
    for (binaries, cases) in [(oldest(), &MEANWHILE[..3]), (newest(), &MEANWHILE[..])] {
        for &(sql, question, is_weak) in cases {
            let site = Site::with(&binaries, STEPS).await;
            site.admin
                .execute("create role clerks; create view shop.seen as select id from shop.steps")
                .await
                .expect("made");
            convert(&site, "shop.steps", &["--step", "1", "--yes"]).expect(0);
            let holder = site.session("begin; lock table shop.users in row exclusive mode").await;
            let child = start(&site);
            site.until(ADOPTS).await;
            let session = site.session("select 1").await;
            let racing = tokio::spawn(async move { session.execute(sql).await });
            if is_weak {
                site.until(&format!("select {question}")).await;
            } else {
                site.until("select exists (select from pg_stat_activity where application_name = 'till' and wait_event_type = 'Lock')").await;
            }
            holder.execute("rollback").await.expect("released");
            let outcome = end(child);
            let is_acknowledged = racing.await.expect("it ends").is_ok();
            assert!(!is_acknowledged || site.text(&format!("select {question}")).await == "t", "{sql}: {outcome:#?}");
            if is_weak {
                let outcome = outcome.expect(5);
                assert!(is_acknowledged && outcome.stdout.contains("the catalog differs"), "{sql}: {outcome:#?}");
                convert(&site, "shop.steps", &["--yes"]).expect(0);
                assert_eq!(site.text(&format!("select {question}")).await, "t", "{sql}");
            }
        }
    }
}
