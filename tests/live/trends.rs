//! Runs of a real server, one after the other: the same work gives no trend, a lost index does, and a window across a
//! reset or a restart is left out.

use crate::support::{CORNER, Yard, corner, newest, oldest, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::postgres::Scratch;
use serde_json::Value;

const MORE: &str = "
    create extension pg_stat_statements;
    insert into shop.orders (user_id, note) select 1 + i % 500, 'note ' || i from generate_series(2001, 20000) as i;
    create index orders_note_idx on shop.orders (note);
    analyze shop.orders;
";

struct Till {
    yard: Yard,
    cluster: Cluster,
    admin: Scratch,
}

impl Till {
    async fn open(binaries: &Binaries) -> Self {
        let yard = Yard::open();
        let cluster = yard.start(binaries, &with_statements());
        let admin = corner(&cluster).await;
        for statement in MORE.split(';').filter(|text| !text.trim().is_empty()) {
            admin.execute(statement).await.expect("prepared");
        }
        Self { yard, cluster, admin }
    }

    /// So many times the same work, and a run after each.
    async fn work(&self, windows: u32) {
        let clerk = self.cluster.session(CORNER, SUPERUSER, "till").await.expect("a session");
        for window in 0..windows {
            for order in 1..=20 {
                let number = 20 * window + order;
                clerk
                    .execute(&format!("select id from shop.orders where note = 'note {number}'"))
                    .await
                    .expect("asked");
                clerk.execute(&format!("update shop.users set name = name where id = {order}")).await.expect("set");
            }
            self.read();
        }
        clerk.close().await;
    }

    fn read(&self) {
        let dsn = self.cluster.dsn(SUPERUSER, CORNER);
        self.yard.pgassay(&["snapshot", &dsn, "--plans", "0", "--history", "past", "--quiet"]).run().expect(0);
    }

    /// Trends of what statements do, whatever the time they take.
    fn trends(&self, code: i32) -> Value {
        let metrics = "blocks_per_call,rows_per_call,temp_blocks_per_call,wal_bytes_per_call";
        let args = ["history", "trend", "--history", "past", "--metric", metrics];
        let gate = ["--of", "statement", "--fail-on", "degrading", "--format", "json"];
        let outcome = self.yard.pgassay(&[&args[..], &gate].concat()).run().expect(code);
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }
}

/// What became of a metric of the look-ups by note.
fn course(trends: &Value, metric: &str) -> String {
    let all = trends["trends"].as_array().expect("trends");
    let is_it = |trend: &&Value| {
        trend["metric"] == metric && trend["text"].as_str().is_some_and(|text| text.contains("where note ="))
    };
    all.iter().find(is_it).unwrap_or_else(|| panic!("no {metric}: {trends:#}"))["course"]
        .as_str()
        .expect("a course")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_index_degrades_and_the_same_work_does_not() {
    for binaries in [oldest(), newest()] {
        let till = Till::open(&binaries).await;
        till.work(13).await;
        let steady = till.trends(0);
        assert_eq!((&steady["runs"], &steady["windows"]), (&13.into(), &12.into()), "{steady:#}");
        assert_eq!(course(&steady, "blocks_per_call"), "stable");

        till.admin.execute("drop index shop.orders_note_idx").await.expect("dropped");
        till.work(8).await;
        let lost = till.trends(1);
        assert_eq!(course(&lost, "blocks_per_call"), "degrading");
        assert_eq!(course(&lost, "rows_per_call"), "stable");
        assert_eq!(lost["summary"]["degrading"], 1, "{lost:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resets_and_restarts_are_said_and_give_no_value() {
    for binaries in [oldest(), newest()] {
        let mut till = Till::open(&binaries).await;
        till.work(5).await;
        till.admin.execute("select pg_stat_statements_reset()").await.expect("reset");
        till.work(3).await;
        till.cluster.crash();
        till.cluster.restart(&binaries).expect("restarted");
        till.admin = till.cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
        till.work(4).await;
        let trends = till.trends(0);
        let reasons: Vec<&str> =
            trends["dropped"].as_array().expect("dropped").iter().filter_map(|one| one["reason"].as_str()).collect();
        assert!(reasons.iter().any(|reason| reason.starts_with("the server was restarted at ")), "{reasons:?}");
        let all = trends["trends"].as_array().expect("trends");
        let values =
            all.iter().filter(|trend| trend["text"].as_str().is_some_and(|text| text.contains("where note =")));
        for trend in values {
            // Of eleven windows one holds the reset, one the restart.
            assert_eq!(trend["points"].as_array().map(Vec::len), Some(9), "{trend:#}\n{reasons:?}");
        }
        let has_info = !reasons.iter().all(|reason| !reason.starts_with("pg_stat_statements was reset"));
        assert_eq!(has_info, binaries.major >= 14, "13 does not record it, its counters do: {reasons:?}");
    }
}
