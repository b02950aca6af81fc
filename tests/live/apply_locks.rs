//! Other people's locks: a build waits for them and says for whom, a short lock is tried for again and
//! again, nobody else waits long because of us, and of two runs one goes.

use crate::support::{Site, end, index, newest, notes, oldest};
use pgassay::model::plan::{Change, IndexForm, Leaf, Name};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Who is in the way, what a build leaves when it gives up, and how it is named.
const HOLDERS: &[(&str, &str, &str)] = &[
    ("begin isolation level repeatable read; select count(*) from shop.users", "", "application till"),
    ("begin; update shop.orders set note = note where id = 1", "orders_note_idx f f", "idle in transaction"),
    (
        "begin; update shop.orders set note = note where id = 1; prepare transaction 'it''s'",
        "orders_note_idx f f",
        "the prepared transaction \"it's\"",
    ),
    ("begin; lock table shop.orders in share update exclusive mode", "", "application till"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_waits_no_longer_than_it_may_and_says_for_whom() {
    for binaries in [oldest(), newest()] {
        for (sql, left, named) in HOLDERS {
            let site = Site::open(&binaries).await;
            let holder = site.session(sql).await;
            site.plan(vec![notes()]).await;
            let outcome = site.apply(&["--max-wait", "1s"]).expect(5);
            assert!(outcome.stdout.contains("(--max-wait) for") && outcome.stdout.contains(named), "{outcome:#?}");
            assert!(outcome.stderr.contains("waits for"), "told while it waits: {outcome:#?}");
            if !named.contains("prepared") {
                assert!(outcome.stdout.contains("SELECT pg_terminate_backend("), "{outcome:#?}");
            }
            assert_eq!(site.indexes("%note%").await, *left, "{sql}");
            let free = if named.contains("prepared") { "rollback prepared 'it''s'" } else { "rollback" };
            holder.execute(free).await.expect("released");
            site.run(&["resume"]).expect(0);
            assert_eq!(site.indexes("%note%").await, "orders_note_idx t t", "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_goes_on_when_others_are_done() {
    for binaries in [oldest(), newest()] {
        for (sql, ..) in HOLDERS {
            let site = Site::open(&binaries).await;
            let holder = site.session(sql).await;
            site.plan(vec![notes()]).await;
            let applied = site.until_it_waits(&[]).await;
            let free = if sql.contains("prepare") { "rollback prepared 'it''s'" } else { "rollback" };
            holder.execute(free).await.expect("released");
            end(applied).expect(0);
            assert_eq!(site.indexes("%note%").await, "orders_note_idx t t", "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_outs_of_the_role_do_not_cut_a_build_off() {
    for binaries in [oldest(), newest()] {
        let sql = "alter role postgres set statement_timeout = '200ms'; alter role postgres set lock_timeout = '100ms';
                   alter role postgres set search_path = shop; alter role postgres set datestyle = 'SQL, DMY'";
        let site = Site::with(&binaries, sql).await;
        let holder = site.session(HOLDERS[0].0).await;
        site.plan(vec![notes()]).await;
        let applied = site.until_it_waits(&[]).await;
        let long = "select clock_timestamp() - query_start > interval '1 second' from pg_stat_activity
            where application_name like 'pgassay/apply/%'";
        site.until(long).await;
        holder.execute("rollback").await.expect("released");
        end(applied).expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_see_little_is_told_what_can_be_seen() {
    for binaries in [oldest(), newest()] {
        let sql = "create role owner login; alter table shop.orders owner to owner;
                   grant usage, create on schema shop to owner";
        let site = Site::with(&binaries, sql).await;
        let holder = site.session(HOLDERS[1].0).await;
        let pid = holder.value("select pg_backend_pid()").await.expect("a number").expect("one");
        site.plan(vec![notes()]).await;
        let dsn = site.cluster.dsn("owner", "corner");
        let words = ["apply", "plan.json", &dsn, "--state", "state", "--yes", "--max-wait", "1s"];
        let outcome = site.yard.pgassay(&words).run().expect(5);
        assert!(outcome.stdout.contains(&format!("for pid {pid} (application till, role postgres)")), "{outcome:#?}");
        holder.execute("rollback").await.expect("released");
        site.yard.pgassay(&["apply", "resume", &dsn, "--state", "state", "--yes"]).run().expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    }
}

/// Sets an option of a table.
fn option() -> Change {
    Change::SetReloption {
        table: Name::new("shop", "orders"),
        option: "autovacuum_enabled".to_owned(),
        from: Some("off".to_owned()),
        to: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_lock_is_tried_for_again() {
    for binaries in [oldest(), newest()] {
        for lock in ["access exclusive", "share update exclusive"] {
            let site = Site::with(&binaries, "alter table shop.orders set (autovacuum_enabled = off)").await;
            let holder = site.session(&format!("begin; lock table shop.orders in {lock} mode")).await;
            site.plan(vec![option()]).await;
            let outcome = site.apply(&["--max-wait", "1s"]).expect(5);
            assert!(outcome.stdout.contains("lock not granted after"), "{outcome:#?}");
            assert!(outcome.stdout.contains("held by pid") && outcome.stdout.contains("till"), "{outcome:#?}");
            assert!(outcome.stderr.contains("try 1 of 20"), "{outcome:#?}");

            let resumed = site.start(&["resume"]);
            site.until("select count(*) > 0 from pg_locks where not granted").await;
            holder.execute("rollback").await.expect("released");
            end(resumed).expect(0);
            assert_eq!(site.text("select reloptions from pg_class where relname = 'orders'").await, "");
            site.run(&["undo"]).expect(0);
            let options = site.text("select reloptions from pg_class where relname = 'orders'").await;
            assert_eq!(options, "{autovacuum_enabled=off}");
        }
    }
}

/// A partitioned table whose one partition has the index already.
const PARTITIONED: &str = "
    create table shop.events (id bigint, note text) partition by range (id);
    create table shop.events_1 partition of shop.events for values from (0) to (1000);
    insert into shop.events select i, 'note' from generate_series(0, 999) i;
    create index mine on shop.events_1 (note)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_long_behind_us() {
    for binaries in [oldest(), newest()] {
        let site = Site::with(&binaries, PARTITIONED).await;
        let leaf =
            Leaf { table: Name::new("shop", "events_1"), index: Name::new("shop", "events_1_note_idx"), twin: None };
        let form = index("events_note_idx", "events", "btree (note)");
        site.plan(vec![Change::CreateIndex(IndexForm { is_partitioned: true, leaves: vec![leaf], ..form })]).await;
        // Attaching takes the index for itself, and this reader has it.
        let reader = site.session("begin; select count(*) from shop.events_1").await;
        let application = site.session("select 1").await;
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let asking = tokio::spawn(async move {
            let (mut longest, mut asked) = (Duration::ZERO, 0);
            while !stop.load(Ordering::Relaxed) {
                let since = Instant::now();
                application.execute("select from shop.events_1 where id = 7").await.expect("it reads");
                longest = longest.max(since.elapsed());
                asked += 1;
            }
            (longest, asked)
        });
        let outcome = site.apply(&["--max-wait", "4s"]).expect(5);
        is_over.store(true, Ordering::Relaxed);
        let (longest, asked) = asking.await.expect("it ran");
        assert!(outcome.stdout.contains("lock not granted after"), "{outcome:#?}");
        assert!(asked > 1 && longest < Duration::from_secs(3), "{asked} queries, the longest {longest:?}");
        reader.execute("rollback").await.expect("released");
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("%note%").await, "events_note_idx t t");
        assert_eq!(site.indexes("mine").await, "mine t t");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_runs_one_goes() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let holder = site.session("begin; update shop.orders set note = note where id = 1").await;
        site.plan(vec![notes()]).await;
        let first = site.until_it_waits(&[]).await;
        let other = Change::CreateIndex(index("users_name_idx", "users", "btree (name)"));
        site.plan(vec![other]).await;
        let second = site.apply(&[]).expect(4);
        assert!(second.stderr.contains("refused: another run is at work in this database: pid"), "{second:#?}");
        let third = site.run(&["resume"]).expect(4);
        assert!(third.stderr.contains("refused: "), "{third:#?}");
        assert_eq!(site.indexes("%name%").await, "");
        holder.execute("rollback").await.expect("released");
        end(first).expect(0);
        site.apply(&[]).expect(0);
        assert_eq!(site.indexes("%name%").await, "users_name_idx t t");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_at_the_same_time_do_not_lock_each_other_up() {
    let site = Site::open(&newest()).await;
    site.plan(vec![notes(), Change::CreateIndex(index("users_name_idx", "users", "btree (name)"))]).await;
    let all: Vec<_> = (0..4).map(|_| site.start(&["plan.json"])).collect();
    let codes: Vec<_> = all.into_iter().map(|one| end(one).code).collect();
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 4))), "{codes:?}");
    assert!(codes.contains(&Some(0)), "{codes:?}");
    assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    assert_eq!(site.indexes("%name%").await, "users_name_idx t t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        site.plan(vec![
            notes(),
            Change::ReindexIndex {
                index: index("orders_user_id_idx", "orders", "btree (user_id)"),
                was_valid: true,
                bytes: 0,
            },
            Change::Analyze { table: Name::new("shop", "orders") },
        ])
        .await;
        let is_over = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        for _ in 0..3 {
            let (stop, session) = (Arc::clone(&is_over), site.session("select 1").await);
            writers.push(tokio::spawn(async move {
                let (mut written, mut longest) = (0_i64, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    let sql = "insert into shop.orders (user_id, note) values (1, 'new');
                        update shop.orders set note = note || '.' where id = 7";
                    session.execute(sql).await.expect("the application sees no error");
                    longest = longest.max(since.elapsed());
                    written += 1;
                }
                (written, longest)
            }));
        }
        site.apply(&[]).expect(0);
        site.run(&["undo"]).expect(0);
        site.apply(&["--step", "1"]).expect(0);
        is_over.store(true, Ordering::Relaxed);
        let mut all = 0;
        for writer in writers {
            let (written, longest) = writer.await.expect("it ran");
            assert!(longest < Duration::from_secs(5), "{longest:?}");
            all += written;
        }
        let scanned = "set enable_seqscan = off; select count(*) from shop.orders where note = 'new'";
        let by_index = site.admin.value(scanned).await.expect("a count").unwrap_or_default();
        assert_eq!(by_index, all.to_string(), "each row is in the index");
    }
}
