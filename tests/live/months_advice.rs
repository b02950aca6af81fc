//! `partition advise`: a table whose rows are looked for and deleted by time is told, one that is looked up by id is
//! not; the rule says the same, and so does the snapshot.

use crate::support::{CORNER, Yard, corner, newest, oldest, with_statements};
use pgassay::demo::{SUPERUSER, Setup};
use serde_json::Value;

const TABLES: &str = "
    create extension pg_stat_statements;
    create table shop.events (id bigint generated always as identity primary key, at timestamptz not null, note text);
    create table shop.letters (id bigint primary key, at timestamptz not null, note text);
    create table shop.visits (id bigint primary key, at timestamptz not null, seen_at timestamptz not null);
    insert into shop.events (at, note) select now() - nr * interval '1 hour', repeat('x', 100) from generate_series(1, 9600) nr;
    insert into shop.letters select nr, now() - nr * interval '1 hour', repeat('x', 100) from generate_series(1, 9600) nr;
    insert into shop.visits select nr, now(), now() - nr * interval '1 hour' from generate_series(1, 9600) nr;
    create table shop.ticks (ms bigint not null); create table shop.phones (nr bigint not null);
    create table shop.keys (id uuid primary key); create table shop.chances (id uuid primary key);
    insert into shop.ticks select (extract(epoch from now() - nr * interval '1 hour') * 1000)::bigint from generate_series(1, 9600) nr;
    insert into shop.phones select 491700000000 + nr * 98765 from generate_series(1, 9600) nr;
    insert into shop.keys select (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(ms::text), 1, 3) || '9' || substr(md5(ms::text), 5, 15))::uuid from shop.ticks;
    insert into shop.chances select gen_random_uuid() from generate_series(1, 9600) nr;
    analyze shop.events, shop.letters, shop.visits, shop.ticks, shop.phones, shop.keys, shop.chances;
    select pg_stat_statements_reset();";

const WORK: [(&str, usize); 12] = [
    ("select count(*) from shop.ticks where ms >= 1700000000000", 12),
    ("select count(*) from shop.phones where nr >= 491700000000", 12),
    ("select count(*) from shop.keys where id >= '01900000-0000-7000-8000-000000000000'", 12),
    ("select count(*) from shop.chances where id >= '80000000-0000-4000-8000-000000000000'", 12),
    ("select count(*) from shop.events where at >= now() - interval '30 days'", 12),
    ("select note from shop.events where id = 7", 40),
    ("delete from shop.events where at < now() - interval '390 days'", 3),
    ("insert into shop.events (at) values (now()) on conflict do nothing", 2),
    ("select note from shop.letters where id = 7", 40),
    ("select note from shop.letters where at > now() - interval '1 day'", 2),
    ("select count(*) from shop.visits where seen_at > now() - interval '1 day'", 20),
    ("update shop.visits set seen_at = now() where id = 7", 20),
];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_statements_nothing_is_advised() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &Setup::default());
    corner(&cluster).await.close().await;
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    yard.pgassay(&["partition", "advise", &dsn])
        .run()
        .expect_unable(&["no workload to advise on", "pg_stat_statements"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_by_time_is_told_and_the_rule_agrees() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        admin.execute(TABLES).await.expect("tables");
        for (sql, times) in WORK {
            for _ in 0..times {
                admin.execute(sql).await.expect("work");
            }
        }
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let ask = ["partition", "advise", &dsn, "--min-size", "100kB", "--format", "json"];
        let advice = json(&yard.pgassay(&ask).run().expect(0).stdout);
        let tables = advice["tables"].as_array().expect("tables");
        let mut told: Vec<_> =
            tables.iter().map(|one| (one["table"]["name"].as_str(), one["key_unit"].as_str())).collect();
        told.sort_unstable();
        let guesses = [(Some("keys"), Some("uuid_v7")), (Some("ticks"), Some("ms"))];
        assert_eq!(told, [&[(Some("events"), None)], &guesses[..]].concat(), "{advice:#}");
        let events = &tables[0];
        assert_eq!(
            (events["table"]["name"].as_str(), events["key"].as_str()),
            (Some("events"), Some("at")),
            "{events:#}"
        );
        assert_eq!(events["retention"]["calls"], 3, "{events:#}");
        let monthly = events["growth"]["rows_per_month"].as_i64().expect("a histogram");
        assert!((600..=860).contains(&monthly), "an hour each, 730 a month: {monthly}");
        assert!((13..=15).contains(&events["effect"]["partitions"].as_i64().expect("months")), "{events:#}");
        assert_eq!(events["obstacles"][0]["code"], "primary_key");
        let passed = |name: &str| {
            let all = advice["passed_over"].as_array().expect("tables");
            all.iter().find(|one| one["table"]["name"] == name).map(|one| one["code"].clone())
        };
        assert_eq!((passed("letters"), passed("visits")), (Some("not_by_time".into()), Some("key_changes".into())));

        yard.pgassay(&["snapshot", &dsn, "-o", "shop.json"]).run().expect(0);
        let offline = ["partition", "advise", "--from", "shop.json", "--min-size", "100kB", "--format", "json"];
        let offline = json(&yard.pgassay(&offline).run().expect(0).stdout);
        assert_eq!(offline["tables"][0]["table"], events["table"]);
        let rule = "large_unpartitioned_table";
        let params = [format!("{rule}.min_bytes=100kB"), format!("{rule}.min_stats_age_days=0")];
        let audit = ["audit", "--from", "shop.json", "--only", rule, "--param", &params[0], "--param", &params[1]];
        let report = json(&yard.pgassay(&[&audit[..], &["--format", "json"]].concat()).run().expect(0).stdout);
        let [finding] = report["findings"].as_array().expect("findings").as_slice() else { panic!("{report:#}") };
        assert_eq!(finding["object"]["name"], "events");

        let now =
            yard.pgassay(&["partition", "advise", &dsn, "--since", "shop.json", "--min-size", "1kB"]).run().expect(0);
        assert!(now.stdout.contains("shop.events  by month of at"), "{now:#?}");
        yard.pgassay(&["partition", "advise", "--from", "shop.json", "--since", "shop.json"])
            .run()
            .expect_unable(&["--since: that snapshot is not earlier"]);
    }
}
