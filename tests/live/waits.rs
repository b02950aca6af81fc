//! Who waits for whom: seen at one instant, and watched for a second.

use crate::support::{CORNER, Yard, corner, newest, oldest, until, with_statements};
use pgassay::demo::{Binaries, SUPERUSER};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_on_the_oldest() {
    a_wait_is_seen(&oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_on_the_newest() {
    a_wait_is_seen(&newest()).await;
}

async fn a_wait_is_seen(binaries: &Binaries) {
    let yard = Yard::open();
    let cluster = yard.start(binaries, &with_statements());
    let admin = corner(&cluster).await;
    admin.execute("create role auditor login; grant pg_monitor to auditor").await.expect("a role");
    let holder = cluster.session(CORNER, SUPERUSER, "checkout").await.expect("a session");
    holder.execute("begin; update shop.orders set note = 'held' where id = 7").await.expect("held");
    let waiter = cluster.session(CORNER, SUPERUSER, "till").await.expect("a session");
    let waits = tokio::spawn(async move { waiter.execute("update shop.orders set note = 'mine' where id = 7").await });
    until(
        &admin,
        "select count(*) = 1 from pg_stat_activity where application_name = 'till' and wait_event_type = 'Lock'",
    )
    .await;

    let dsn = cluster.dsn("auditor", CORNER);
    yard.pgassay(&["snapshot", &dsn, "-o", "corner.json", "--sample", "1s"]).run().expect(0);
    let text = std::fs::read_to_string(yard.path().join("corner.json")).expect("a snapshot");
    let snapshot: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let locks = snapshot["locks"].as_array().expect("locks");
    let [lock] = locks.as_slice() else { panic!("one wait: {locks:?}") };
    assert_eq!((&lock["application"], &lock["root_application"]), (&"till".into(), &"checkout".into()), "{lock}");
    assert_eq!((&lock["schema"], &lock["relation"]), (&"shop".into(), &"orders".into()), "{lock}");
    assert_eq!(lock["query"], "update shop.orders set note = $1 where id = $2");
    assert_eq!(lock["root_state"], "idle in transaction");

    let samples = &snapshot["session_samples"];
    assert!(samples["looks"].as_i64().is_some_and(|looks| (2..=10).contains(&looks)), "{samples}");
    let seen = samples["seen"].as_array().expect("what was seen");
    assert!(seen.iter().any(|one| one["wait_event_type"] == "Lock" && one["count"] == samples["looks"]), "{samples}");

    holder.execute("rollback").await.expect("released");
    waits.await.expect("it ran").expect("and went on");
}
