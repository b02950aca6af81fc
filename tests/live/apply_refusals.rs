//! What stands against a change is said in a line each before anything is begun, and nothing is done.

use crate::support::{CORNER, Outcome, Pooler, Site, Standby, corner, index, newest, notes, oldest};
use pgassay::demo::{SUPERUSER, Setup};
use pgassay::model::plan::{Change, IndexForm, Name};

/// Refused for these reasons, one a line, and nothing is done.
fn refused(outcome: Outcome, reasons: &[&str]) {
    let outcome = outcome.expect(4);
    let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("refused: ")).collect();
    assert_eq!(lines.len(), reasons.len(), "{outcome:#?}");
    for reason in reasons {
        assert!(lines.iter().any(|line| line.contains(reason)), "`{reason}` should be in {lines:#?}");
    }
}

/// `pgassay apply plan.json` for another target.
fn apply(site: &Site, dsn: &str, words: &[&str]) -> Outcome {
    site.yard.pgassay(&[&["apply", "plan.json", dsn, "--state", "state", "--yes"], words].concat()).run()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_not_changed() {
    for binaries in [oldest(), newest()] {
        let mut site = Site::open(&binaries).await;
        site.admin.execute("checkpoint").await.expect("commits are not synchronous");
        site.plan(vec![notes()]).await;
        let standby = Standby::of(&site.yard, &mut site.cluster, &binaries);
        let dsn = standby.dsn(SUPERUSER, CORNER);
        refused(apply(&site, &dsn, &[]), &["the server is a standby: name the primary"]);
        assert_eq!(site.journals(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_changed_through_a_pooler() {
    let site = Site::open(&newest()).await;
    let roles = "create role auditor login; grant clerk to auditor; alter table shop.orders owner to auditor;
                 grant create on schema shop to auditor";
    site.admin.execute(roles).await.expect("roles");
    site.plan(vec![notes()]).await;
    let pooler = Pooler::start(&site.yard, &site.cluster);
    let settings = || async {
        let session = pooler.session("auditor").await;
        let sql = "select string_agg(name || '=' || setting, ', ' order by name) from pg_settings
            where source = 'session' or name in ('search_path', 'statement_timeout', 'lock_timeout', 'DateStyle')";
        let settings = session.value(sql).await.expect("settings");
        session.close().await;
        settings
    };
    let usual = settings().await;
    let dsn = format!("postgres://auditor@127.0.0.1:{}/{CORNER}?sslmode=disable", pooler.port);
    refused(apply(&site, &dsn, &[]), &["a transaction pooler stands between"]);
    assert_eq!(settings().await, usual, "nothing of ours stays in its session");
    assert_eq!(site.indexes("%note%").await, "");
    assert_eq!(site.journals(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_asked_for_first() {
    for binaries in [oldest(), newest()] {
        let site = Site::with(&binaries, "create role owner login; grant usage on schema shop to owner, clerk").await;
        site.plan(vec![notes(), Change::Analyze { table: Name::new("shop", "users") }]).await;
        let clerk = site.cluster.dsn("clerk", CORNER);
        refused(
            apply(&site, &clerk, &[]),
            &[
                "step 1: shop.orders belongs to postgres, and clerk may not act as that role",
                "step 1: clerk may not create in schema shop",
                "step 2: shop.users belongs to postgres",
            ],
        );
        site.admin.execute("alter table shop.orders owner to owner").await.expect("given away");
        let owner = site.cluster.dsn("owner", CORNER);
        refused(apply(&site, &owner, &["--step", "1"]), &["owner may not create in schema shop"]);
        site.admin.execute("grant create on schema shop to owner").await.expect("granted");
        site.admin.execute("alter role owner set default_transaction_read_only = on").await.expect("set");
        refused(apply(&site, &owner, &["--step", "1"]), &["default_transaction_read_only is on for owner"]);
        site.admin.execute("alter role owner reset default_transaction_read_only").await.expect("reset");
        assert_eq!((site.journals(), site.indexes("%note%").await.as_str()), (0, ""));
        apply(&site, &owner, &["--step", "1"]).expect(0);
        assert_eq!(site.indexes("%note%").await, "orders_note_idx t t", "no superuser is needed");
    }
}

/// A change, what happened since it was planned, and what is said of it.
fn changed() -> Vec<(Change, &'static str, &'static str)> {
    let user_id = || index("orders_user_id_idx", "orders", "btree (user_id)");
    let kept = IndexForm { keeper: Some(Name::new("shop", "orders_twin")), ..user_id() };
    let option = Change::SetReloption {
        table: Name::new("shop", "orders"),
        option: "fillfactor".to_owned(),
        from: Some("90".to_owned()),
        to: None,
    };
    let redefined = "drop index shop.orders_user_id_idx; create index orders_user_id_idx on shop.orders (user_id, id)";
    vec![
        (Change::DropIndex(user_id()), redefined, "orders_user_id_idx changed since planning"),
        (Change::ReindexIndex { index: user_id(), was_valid: true, bytes: 0 }, redefined, "changed since planning"),
        (
            Change::ReindexIndex { index: user_id(), was_valid: true, bytes: 0 },
            "drop index shop.orders_user_id_idx",
            "is gone",
        ),
        (Change::DropIndex(user_id()), "alter table shop.orders rename to old_orders", "table shop.orders is gone"),
        (notes(), "alter table shop.orders rename to old_orders", "table shop.orders is gone"),
        (notes(), "create index orders_note_idx on shop.orders (note desc)", "is there with another definition"),
        (notes(), "create unique index orders_note_idx on shop.orders (note)", "is there with another definition"),
        (notes(), "create index orders_note_idx on shop.users (name)", "is taken by another relation"),
        (notes(), "create table shop.orders_note_idx ()", "is taken by a table"),
        (notes(), "create view shop.orders_note_idx as select 1 as one", "is taken by a view"),
        (
            Change::DropIndex(user_id()),
            "alter table shop.orders add constraint c unique (user_id, id);
             alter table shop.orders replica identity using index c",
            "",
        ),
        (Change::DropIndex(kept.clone()), "", "shop.orders_twin, which should do the work of"),
        (
            Change::DropIndex(kept),
            "create index orders_twin on shop.orders (user_id);
             update pg_index set indisvalid = false where indexrelid = 'shop.orders_twin'::regclass",
            "is gone or unusable",
        ),
        (option, "alter table shop.orders set (fillfactor = 80)", "fillfactor=80, which is not what it was"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_since_planning_is_seen() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        for (change, sql, reason) in changed() {
            site.plan(vec![change.clone()]).await;
            site.admin.execute("drop schema shop cascade; drop role clerk").await.expect("gone");
            site.admin.execute(&tables()).await.expect("made again");
            site.admin.execute(sql).await.expect(sql);
            if reason.is_empty() {
                apply(&site, &site.dsn(), &[]).expect(0);
                continue;
            }
            let before = site.indexes("%").await;
            let outcome = apply(&site, &site.dsn(), &[]);
            refused(outcome, &[reason]);
            assert_eq!(site.indexes("%").await, before, "{change:?}");
        }
    }
}

fn tables() -> String {
    "create schema shop;
     create table shop.users (id bigint primary key, name text not null);
     create table shop.orders (id bigint primary key, user_id bigint not null, note text not null);
     create index orders_user_id_idx on shop.orders (user_id);
     create role clerk"
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_for_one_database_of_one_cluster() {
    let site = Site::open(&newest()).await;
    site.plan(vec![notes()]).await;
    let other = site.cluster.dsn(SUPERUSER, "postgres");
    let outcome = apply(&site, &other, &[]).expect(4);
    assert!(outcome.stderr.contains("connected to database postgres, the plan is for corner"), "{outcome:#?}");
    let stranger = site.yard.start(&newest(), &Setup::default());
    corner(&stranger).await.close().await;
    let outcome = apply(&site, &stranger.dsn(SUPERUSER, CORNER), &[]);
    refused(outcome, &["this is another cluster than the plan was made on"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_and_replication_have_limits() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let mut plan = site.planned(vec![notes()]).await;
        plan.steps[0].estimate.bytes = 2 << 20;
        plan.steps[0].estimate.peak_bytes = 3 << 20;
        site.keep(&plan);
        refused(apply(&site, &site.dsn(), &["--free-disk", "2MiB"]), &["--free-disk says 2 MiB"]);
        site.admin.execute("select pg_create_physical_replication_slot('old', true)").await.expect("a slot");
        let wal = "create table shop.wal as select repeat('x', 1000) from generate_series(1, 5000)";
        site.admin.execute(wal).await.expect("WAL");
        refused(apply(&site, &site.dsn(), &["--max-slot-wal", "1MiB"]), &["slot old keeps"]);
        assert_eq!(site.journals(), 0);
        apply(&site, &site.dsn(), &["--free-disk", "1GiB"]).expect(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_build_is_waited_out_by_nobody() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let holder = site.session("begin isolation level repeatable read; select count(*) from shop.users").await;
        let stranger = site.session("select 1").await;
        let builds = tokio::spawn(async move {
            stranger.execute("create index concurrently orders_note_idx on shop.orders (note)").await
        });
        let waits = "select exists (select from pg_stat_activity where query like 'create index%' and wait_event_type = 'Lock')";
        site.until(waits).await;
        site.plan(vec![notes(), Change::CreateIndex(index("o_id_note", "orders", "btree (id, note)"))]).await;
        refused(apply(&site, &site.dsn(), &[]), &["step 1: pid ", "step 2: pid "]);
        holder.execute("rollback").await.expect("released");
        builds.await.expect("it ran").expect("and came to its end");
        let outcome = apply(&site, &site.dsn(), &["--step", "1"]).expect(0);
        assert!(outcome.stdout.contains("nothing to do"), "{outcome:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_says_the_same_and_leaves_no_trace() {
    for binaries in [oldest(), newest()] {
        let site = Site::with(&binaries, "grant usage on schema shop to clerk").await;
        site.plan(vec![notes()]).await;
        let (dsn, clerk) = (site.dsn(), site.cluster.dsn("clerk", CORNER));
        let rehearse =
            |dsn: &str| site.yard.pgassay(&["apply", "plan.json", dsn, "--state", "state", "--dry-run"]).run();
        let outcome = rehearse(&dsn).expect(0);
        assert!(outcome.stdout.contains("CREATE INDEX CONCURRENTLY orders_note_idx ON shop.orders"), "{outcome:#?}");
        refused(rehearse(&clerk), &["belongs to postgres", "may not create"]);
        let holder = site.session("select pg_advisory_lock(31638865638023545)").await;
        rehearse(&dsn).expect(0);
        holder.close().await;
        assert_eq!((site.journals(), site.indexes("%note%").await.as_str()), (0, ""));
        let unasked = site.yard.pgassay(&["apply", "plan.json", &dsn, "--state", "state"]).run();
        unasked.expect_unable(&["nobody is there to be asked"]);
    }
}
