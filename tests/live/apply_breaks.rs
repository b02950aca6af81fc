//! A change is cut off at every point: by the death of the program, of its session or of the server, by
//! an interrupt, and by a limit. What is left is said, and `apply resume` comes to the end of it.

use crate::support::{ALONE, CORNER, Site, WAITS, end, index, newest, notes, oldest, signal};
use pgassay::demo::SUPERUSER;
use pgassay::model::plan::Change;
use rustix::process::Signal;

/// Keeps a build from its end: it must wait for a snapshot that is older, whatever its tables.
const SNAPSHOT: &str = "begin isolation level repeatable read; select count(*) from shop.users";

/// Keeps a build from its begin, and a drop from its end.
const WRITER: &str = "begin; update shop.orders set note = note where id = 1";

/// Our session is dropping an index, and waits.
const DROPS: &str = "select count(*) = 1 from pg_stat_activity where application_name like 'pgassay/apply/%'
    and wait_event_type = 'Lock' and query like 'DROP INDEX%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_is_killed() {
    // The server of 13 never notices, later ones do within ten seconds.
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let holder = site.session(SNAPSHOT).await;
        site.plan(vec![notes()]).await;
        let mut killed = site.until_it_waits(&[]).await;
        killed.kill().expect("killed");
        killed.wait().expect("it is gone");
        assert_eq!(site.indexes("%note%").await, "orders_note_idx f t", "the server goes on");

        if binaries.major < 14 {
            let early = site.run(&["resume", "--max-wait", "1s"]).expect(5);
            assert!(early.stdout.contains("half done: pid "), "{early:#?}");
            assert!(early.stdout.contains("of an earlier run is still at work and waits for pid"), "{early:#?}");
        }
        let resumed = site.start(&["resume"]);
        site.until("select count(*) > 1 from pg_stat_activity where application_name like 'pgassay/%'").await;
        holder.execute("rollback").await.expect("released");
        end(resumed).expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
        assert_eq!(site.journals(), 1);
        assert!(site.run(&["resume"]).expect(0).stdout.contains("nothing to resume"));
        site.run(&["undo"]).expect(0);
        assert_eq!(site.indexes("%note%").await, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_program_began_is_taken_back() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let holder = site.session(SNAPSHOT).await;
        site.plan(vec![notes()]).await;
        let mut killed = site.until_it_waits(&[]).await;
        killed.kill().expect("killed");
        killed.wait().expect("it is gone");
        let undone = site.start(&["undo"]);
        site.until("select count(*) > 1 from pg_stat_activity where application_name like 'pgassay/%'").await;
        holder.execute("rollback").await.expect("released");
        end(undone).expect(0);
        assert_eq!(site.indexes("%note%").await, "");
        assert!(site.run(&["resume"]).expect(0).stdout.contains("nothing to resume"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_somebody_elses_is_not_taken_back() {
    let site = Site::open(&newest()).await;
    let holder = site.session(SNAPSHOT).await;
    site.plan(vec![notes()]).await;
    site.apply(&["--max-wait", "1s"]).expect(5);
    holder.execute("rollback").await.expect("released");
    site.admin.execute("create index orders_note_idx on shop.orders (note)").await.expect("made by hand");
    assert!(site.run(&["undo"]).expect(0).stdout.contains("nothing to take back"));
    assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    assert!(site.run(&["resume"]).expect(0).stdout.contains("nothing to do"));
    assert!(site.run(&["undo"]).expect(0).stdout.contains("nothing to take back"));
    assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_session_is_ended() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let holder = site.session(SNAPSHOT).await;
        site.plan(vec![notes()]).await;
        let applied = site.until_it_waits(&[]).await;
        let ended =
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pgassay/apply/%'";
        site.admin.execute(ended).await.expect("ended");
        let outcome = end(applied).expect(5);
        assert!(outcome.stdout.contains("what was built of it is removed"), "{}", outcome.stdout);
        assert!(outcome.stderr.contains("apply resume"), "{}", outcome.stderr);
        assert_eq!(site.indexes("%note%").await, "");
        holder.execute("rollback").await.expect("released");
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_ends_idle_sessions() {
    let site = Site::open(&newest()).await;
    let (first, second) = (site.session(SNAPSHOT).await, site.session("begin; select 1").await);
    second.execute("lock table shop.users in row exclusive mode").await.expect("in the way");
    site.plan(vec![notes(), Change::CreateIndex(index("users_name_idx", "users", "btree (name)"))]).await;
    let applied = site.until_it_waits(&[]).await;
    site.admin
        .execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
        .await
        .expect("ended");
    site.until("select count(*) = 0 from pg_locks where locktype = 'advisory'").await;
    first.execute("rollback").await.expect("released");
    site.until("select count(*) = 1 from pg_stat_activity where query like 'CREATE INDEX%users_name%' and wait_event_type = 'Lock'").await;
    assert_eq!(site.text("select count(*) from pg_locks where locktype = 'advisory'").await, "1", "it is held again");
    second.execute("rollback").await.expect("released");
    end(applied).expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_crashes() {
    for binaries in [oldest(), newest()] {
        let mut site = Site::open(&binaries).await;
        let _holder = site.session(SNAPSHOT).await;
        site.plan(vec![notes()]).await;
        let applied = site.until_it_waits(&[]).await;
        site.admin.execute("checkpoint").await.expect("commits are not synchronous");
        site.cluster.crash();
        site.cluster.restart(&binaries).expect("it starts again");
        site.admin = site.cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
        let outcome = end(applied).expect(5);
        assert!(outcome.stdout.contains("what was built of it is removed"), "{}", outcome.stdout);
        assert_eq!(site.indexes("%note%").await, "");
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_and_server_die() {
    for binaries in [oldest(), newest()] {
        let mut site = Site::open(&binaries).await;
        let _holder = site.session(SNAPSHOT).await;
        site.plan(vec![notes()]).await;
        let mut applied = site.until_it_waits(&[]).await;
        site.admin.execute("checkpoint").await.expect("commits are not synchronous");
        applied.kill().expect("killed");
        applied.wait().expect("it is gone");
        site.cluster.crash();
        site.cluster.restart(&binaries).expect("it starts again");
        site.admin = site.cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
        assert_eq!(site.indexes("%note%").await, "orders_note_idx f t");
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_interrupts_once() {
    for how in [Signal::INT, Signal::TERM] {
        let site = Site::open(&newest()).await;
        let holder = site.session(SNAPSHOT).await;
        site.plan(vec![notes(), Change::Analyze { table: pgassay::model::plan::Name::new("shop", "users") }]).await;
        let applied = site.until_it_waits(&[]).await;
        signal(applied.id(), how);
        let outcome = end(applied).expect(5);
        assert!(outcome.stdout.contains("interrupted; what was built of it is removed"), "{}", outcome.stdout);
        assert!(outcome.stderr.contains("stopping at the next safe point"), "{}", outcome.stderr);
        assert_eq!(site.indexes("%note%").await, "");
        let status = site.yard.pgassay(&["apply", "status", "--state", "state"]).run().expect(0).stdout;
        assert!(status.contains("0 of 2 steps done") && status.contains("stopped at"), "{status}");
        holder.execute("rollback").await.expect("released");
        let outcome = site.run(&["resume"]).expect(0);
        assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
        let status = site.yard.pgassay(&["apply", "status", "--state", "state"]).run().expect(0).stdout;
        assert!(status.contains("2 of 2 steps done") && status.contains("complete at"), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_interrupts_twice() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let holder = site.session(WRITER).await;
        site.plan(vec![notes()]).await;
        let applied = site.until_it_waits(&[]).await;
        signal(applied.id(), Signal::INT);
        site.until(DROPS).await;
        signal(applied.id(), Signal::INT);
        let outcome = end(applied).expect(5);
        assert!(outcome.stderr.contains("left as it is"), "{}", outcome.stderr);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx f f");
        holder.execute("rollback").await.expect("released");
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");
    }
}

/// Drops the index of the shop's foreign key.
async fn drop_it(site: &Site) {
    let made = "comment on index shop.orders_user_id_idx is 'it''s kept \\ as it is'";
    site.admin.execute(made).await.expect("a comment");
    site.plan(vec![Change::DropIndex(index("orders_user_id_idx", "orders", "btree (user_id)"))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drop_stops_half_way() {
    for binaries in [oldest(), newest()] {
        for next in ["resume", "undo"] {
            let site = Site::open(&binaries).await;
            drop_it(&site).await;
            let reader = site.session("begin; select count(*) from shop.orders").await;
            let outcome = site.apply(&["--max-wait", "1s"]).expect(5);
            assert!(outcome.stdout.contains("resume drops it, undo builds it anew"), "{}", outcome.stdout);
            assert!(outcome.stdout.contains("application till"), "who is in the way: {}", outcome.stdout);
            assert_eq!(site.indexes("%user_id%").await, "orders_user_id_idx f t");
            reader.execute("rollback").await.expect("released");
            site.run(&[next]).expect(0);
            let left = if next == "undo" { "orders_user_id_idx t t" } else { "" };
            assert_eq!(site.indexes("%user_id%").await, left, "{next}");
            if next == "undo" {
                let comment = "select obj_description('shop.orders_user_id_idx'::regclass)";
                assert_eq!(site.text(comment).await, "it's kept \\ as it is");
                assert!(site.run(&["resume"]).expect(0).stdout.contains("nothing to resume"), "it was taken back");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropping_program_is_killed() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        drop_it(&site).await;
        let reader = site.session("begin; select count(*) from shop.orders").await;
        let mut killed = site.until_it_waits(&[]).await;
        killed.kill().expect("killed");
        killed.wait().expect("it is gone");
        reader.execute("rollback").await.expect("released");
        site.until(ALONE).await;
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("%user_id%").await, "");
        site.run(&["undo"]).expect(0);
        assert_eq!(site.indexes("%user_id%").await, "orders_user_id_idx t t");
    }
}

/// Strangers' leftovers on the same table: one by a name like ours would have.
const STRANGERS: &str = "
    create index orders_stranger on shop.orders (note);
    create index orders_stranger_ccnew on shop.orders (note);
    create index orders_user_id_idx_ccnew on shop.orders (user_id);
    update pg_index set indisvalid = false where indexrelid in ('shop.orders_stranger'::regclass,
      'shop.orders_stranger_ccnew'::regclass, 'shop.orders_user_id_idx_ccnew'::regclass)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_is_cut_off() {
    for binaries in [oldest(), newest()] {
        for how in ["limit", "killed", "ended"] {
            let site = Site::with(&binaries, STRANGERS).await;
            let before = site.indexes("%").await;
            let index = index("orders_user_id_idx", "orders", "btree (user_id)");
            site.plan(vec![Change::ReindexIndex { index, was_valid: true, bytes: 0 }]).await;
            let holder = site.session(SNAPSHOT).await;
            let mut applied = site.start(&["plan.json", "--max-wait", if how == "limit" { "1s" } else { "5min" }]);
            match how {
                "killed" => {
                    site.until(WAITS).await;
                    applied.kill().expect("killed");
                    applied.wait().expect("it is gone");
                    let ended = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pgassay/apply/%'";
                    site.admin.execute(ended).await.expect("before it comes to its end");
                    site.until(ALONE).await;
                    assert_ne!(site.indexes("%").await, before, "something is left");
                }
                "ended" => {
                    site.until(WAITS).await;
                    let ended = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pgassay/apply/%'";
                    site.admin.execute(ended).await.expect("ended");
                    assert!(end(applied).expect(5).stdout.contains("the index is as it was"));
                    assert_eq!(site.indexes("%").await, before, "{how}");
                }
                _ => {
                    assert!(end(applied).expect(5).stdout.contains("the index is as it was"));
                    assert_eq!(site.indexes("%").await, before, "{how}");
                }
            }
            holder.execute("rollback").await.expect("released");
            let old = site.text("select pg_relation_filenode('shop.orders_user_id_idx')").await;
            site.run(&["resume"]).expect(0);
            assert_eq!(site.indexes("%").await, before, "{how}: strangers' are not touched");
            assert_ne!(site.text("select pg_relation_filenode('shop.orders_user_id_idx')").await, old, "{how}");
        }
    }
}
