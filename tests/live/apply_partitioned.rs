//! An index of a partitioned table: made partition by partition, gone on with after a break, and taken
//! back with what was there before.

use crate::support::{Site, index, newest, oldest, step};
use pgassay::demo::Binaries;
use pgassay::model::plan::{Change, IndexForm, Leaf, Name};

const TABLES: &str = "
    create table shop.events (id bigint, user_id bigint, note text) partition by range (id);
    create table shop.events_1 partition of shop.events for values from (0) to (1000);
    create table shop.events_2 partition of shop.events for values from (1000) to (2000);
    create table shop.events_3 partition of shop.events for values from (2000) to (3000);
    create table shop.events_d partition of shop.events default;
    insert into shop.events select i, i % 500, 'note' from generate_series(0, 3500) i";

fn leaf(table: &str) -> Leaf {
    Leaf { table: Name::new("shop", table), index: Name::new("shop", &format!("{table}_user_id_idx")), twin: None }
}

fn users(leaves: &[&str]) -> Change {
    let leaves = leaves.iter().map(|name| leaf(name)).collect();
    let form = index("events_user_id_idx", "events", "btree (user_id)");
    Change::CreateIndex(IndexForm { is_partitioned: true, leaves, ..form })
}

const ALL: &[&str] = &["events_d", "events_3", "events_2", "events_1"];

const WHOLE: &str = "events_1_user_id_idx t t, events_2_user_id_idx t t, events_3_user_id_idx t t, \
                     events_d_user_id_idx t t, events_user_id_idx t t";

async fn open(binaries: &Binaries) -> Site {
    Site::with(binaries, TABLES).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_partition_has_its_own() {
    for major in 13..=18 {
        let Some(binaries) = crate::support::server(major) else { continue };
        let site = open(&binaries).await;
        site.plan(vec![users(ALL)]).await;
        site.apply(&[]).expect(0);
        assert_eq!(site.indexes("events%").await, WHOLE, "{major}");
        let outcome = site.apply(&[]).expect(0);
        assert!(outcome.stdout.contains("nothing to do"), "{outcome:#?}");
        assert_eq!(site.journals(), 1);
        site.run(&["undo"]).expect(0);
        assert_eq!(site.indexes("events%").await, "", "{major}");
        assert!(site.run(&["undo"]).expect(0).stdout.contains("nothing to take back"));
    }
}

/// Stops a run at the second partition, by a writer there.
async fn stopped(site: &Site) {
    let writer = site.session("begin; update shop.events_2 set note = note where id = 1001").await;
    let outcome = site.apply(&["--max-wait", "1s"]).expect(5);
    assert!(outcome.stderr.contains("apply undo"), "{outcome:#?}");
    assert_eq!(
        site.indexes("events%").await,
        "events_2_user_id_idx f f, events_3_user_id_idx t t, events_d_user_id_idx t t, events_user_id_idx f t"
    );
    writer.execute("rollback").await.expect("released");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stopped_in_the_middle_goes_on() {
    for binaries in [oldest(), newest()] {
        let site = open(&binaries).await;
        site.plan(vec![users(ALL)]).await;
        stopped(&site).await;
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("events%").await, WHOLE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_killed_in_the_middle_goes_on() {
    for binaries in [oldest(), newest()] {
        let site = open(&binaries).await;
        site.plan(vec![users(ALL)]).await;
        let writer = site.session("begin; update shop.events_2 set note = note where id = 1001").await;
        let mut killed = site.start(&["plan.json"]);
        site.until("select count(*) = 1 from pg_stat_activity where query like 'CREATE INDEX%events_2_%' and wait_event_type = 'Lock'").await;
        killed.kill().expect("killed");
        killed.wait().expect("it is gone");
        let resumed = site.start(&["resume"]);
        site.until("select count(*) > 1 from pg_stat_activity where application_name like 'pgassay/%'").await;
        writer.execute("rollback").await.expect("released");
        crate::support::end(resumed).expect(0);
        assert_eq!(site.indexes("events%").await, WHOLE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stopped_in_the_middle_is_taken_back() {
    for binaries in [oldest(), newest()] {
        let site = open(&binaries).await;
        site.plan(vec![users(ALL)]).await;
        stopped(&site).await;
        // A reader of the partition keeps what is not attached yet, when the rest is gone already.
        let reader = site.session("begin; select count(*) from shop.events_2").await;
        site.run(&["undo", "--max-wait", "1s"]).expect(5);
        reader.execute("rollback").await.expect("released");
        site.run(&["resume"]).expect(0);
        assert_eq!(site.indexes("events%").await, "");
    }
}

/// Two partitions have such an index already, one under the name that ours would get.
const TWINS: &str = "
    create index mine on shop.events_2 (user_id) with (fillfactor = 70);
    drop index shop.mine;
    create index mine on shop.events_2 (user_id);
    comment on index shop.mine is 'of old'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_partition_has_is_attached_and_comes_back() {
    for binaries in [oldest(), newest()] {
        let site = open(&binaries).await;
        site.admin.execute(TWINS).await.expect("twins");
        let definition = "select pg_get_indexdef('shop.mine'::regclass) || obj_description('shop.mine'::regclass)";
        let before = site.text(definition).await;
        let old = site.text("select 'shop.mine'::regclass::oid").await;
        site.plan(vec![users(ALL)]).await;
        site.apply(&[]).expect(0);
        assert_eq!(site.indexes("mine").await, "mine t t");
        assert_eq!(site.indexes("events_2%").await, "", "it is not built again");
        assert_eq!(site.text("select 'shop.mine'::regclass::oid").await, old);
        assert_eq!(site.indexes("events_user_id_idx").await, "events_user_id_idx t t");
        site.run(&["undo"]).expect(0);
        assert_eq!(site.indexes("events%").await, "");
        assert_eq!(site.indexes("mine").await, "mine t t", "it was there before");
        assert_eq!(site.text(definition).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_come_and_go() {
    for binaries in [oldest(), newest()] {
        let site = open(&binaries).await;
        site.plan(vec![users(ALL)]).await;
        site.admin
            .execute("create table shop.events_4 partition of shop.events for values from (4000) to (5000)")
            .await
            .expect("made");
        let outcome = site.apply(&[]).expect(4);
        assert!(outcome.stderr.contains("partition shop.events_4 came since planning: plan again"), "{outcome:#?}");
        site.admin.execute("drop table shop.events_4").await.expect("dropped");

        stopped(&site).await;
        let sql = "create table shop.events_5 partition of shop.events for values from (5000) to (6000);
                   drop table shop.events_1";
        site.admin.execute(sql).await.expect("one more, one less");
        site.run(&["resume"]).expect(0);
        let whole = site.indexes("events%").await;
        assert_eq!(whole.matches("t t").count(), 5, "{whole}");
        assert!(
            whole.contains("events_5_user_id_idx t t, events_d_user_id_idx t t, events_user_id_idx t t"),
            "{whole}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_may_forbid_it() {
    let site = open(&newest()).await;
    site.plan(vec![users(ALL)]).await;
    let sql = "create role other; alter table shop.events_2 owner to other;
               create role owner login; alter table shop.events owner to owner; alter table shop.events_1 owner to owner;
               alter table shop.events_3 owner to owner; alter table shop.events_d owner to owner;
               grant usage, create on schema shop to owner;
               create table shop.events_3_user_id_idx ()";
    site.admin.execute(sql).await.expect("other owners");
    let dsn = site.cluster.dsn("owner", "corner");
    let outcome = site.yard.pgassay(&["apply", "plan.json", &dsn, "--state", "state", "--yes"]).run().expect(4);
    assert!(outcome.stderr.contains("shop.events_2 belongs to other"), "{outcome:#?}");
    assert!(outcome.stderr.contains("shop.events_3_user_id_idx is taken by a table"), "{outcome:#?}");
    assert_eq!((site.indexes("events%").await.as_str(), site.journals()), ("", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_half_index_keeps_what_is_attached_to_it() {
    let site = open(&newest()).await;
    let sql = "create index strange on only shop.events (user_id);
               create index strange_2 on shop.events_2 (user_id);
               alter index shop.strange attach partition shop.strange_2";
    site.admin.execute(sql).await.expect("half an index");
    site.plan(vec![users(ALL)]).await;
    site.apply(&[]).expect(0);
    assert_eq!(site.indexes("events%").await, WHOLE);
    assert_eq!(site.indexes("strange%").await, "strange f t, strange_2 t t");
    let mut plan = site.planned(vec![]).await;
    plan.steps = vec![step(7, users(ALL))];
    site.keep(&plan);
    site.run(&["undo"]).expect(0);
    assert_eq!(site.indexes("strange%").await, "strange f t, strange_2 t t");
}
