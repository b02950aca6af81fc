//! `advise` on a server with HypoPG, which of this machine's only the distribution's own has: advised, applied,
//! and not advised again. And what is said where something is missing.

use crate::support::{CORNER, Pooler, Yard, ask, corner, newest, server, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Shop};
use pgassay::postgres::Scratch;
use pgassay::progress::Silent;
use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn served(advice: &Value) -> BTreeSet<&str> {
    let proposals = advice["proposals"].as_array().expect("proposals");
    let statements = proposals.iter().flat_map(|one| one["serves"].as_array().expect("statements"));
    statements.map(|one| one["fingerprint"].as_str().expect("a fingerprint")).collect()
}

pub(crate) fn definitions(advice: &Value) -> Vec<&str> {
    let proposals = advice["proposals"].as_array().expect("proposals");
    proposals.iter().map(|one| one["definition"].as_str().expect("a definition")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_advised_is_created_and_not_advised_again() {
    let Some(binaries) = server(15) else { return };
    let yard = Yard::open();
    let shop = yard.shop(&binaries, &Shop::setup()).await;
    shop.work(&Silent).await.expect("the workload").release().await;
    let (auditor, owner) = (shop.dsn(), shop.cluster.dsn(SUPERUSER, "shop"));
    yard.pgassay(&["advise", &auditor, "--explain", "1"])
        .run()
        .expect_unable(&["HypoPG is not installed", "create extension hypopg"]);
    let admin = shop.cluster.session("shop", SUPERUSER, "setup").await.expect("a session");
    admin.execute("create extension hypopg").await.expect("HypoPG");

    let ask = ["advise", &auditor, "--format", "json", "-o", "plan.json", "--sql", "plan.sql"];
    let first = json(&yard.pgassay(&ask).run().expect(0).stdout);
    assert!(!definitions(&first).is_empty(), "{first:#}");
    for proposal in first["proposals"].as_array().expect("proposals") {
        assert!(proposal["saved_share"].as_f64().expect("a share") > 0.0, "{proposal:#}");
        assert!(!proposal["serves"].as_array().expect("statements").is_empty(), "{proposal:#}");
    }
    assert!(first["account"]["what_if_calls"].as_u64() > Some(0), "{first:#}");

    let shown = yard.pgassay(&["advise", &auditor, "--explain", "1"]).run().expect(0).stdout;
    let (before, after) = shown.split_once("with what is proposed:").expect("two plans");
    assert!(!before.contains("btree_") && after.contains("btree_"), "{shown}");

    yard.pgassay(&["snapshot", &auditor, "-o", "shop.json", "--plans", "200"]).run().expect(0);
    let offline = ["advise", "--from", "shop.json", "--what-if", &auditor, "--format", "json"];
    let offline = json(&yard.pgassay(&offline).run().expect(0).stdout);
    assert_eq!(definitions(&offline), definitions(&first));
    assert!(offline["account"]["what_if"].is_string(), "{offline:#}");
    let alone = json(&yard.pgassay(&["advise", "--from", "shop.json", "--format", "json"]).run().expect(0).stdout);
    assert_eq!(alone["account"]["estimate"], "a snapshot has no planner");

    yard.pgassay(&["apply", "plan.json", &owner, "--state", "state", "--yes"]).run().expect(0);
    let second = json(&yard.pgassay(&["advise", &auditor, "--format", "json"]).run().expect(0).stdout);
    let again: Vec<&str> = served(&first).intersection(&served(&second)).copied().collect();
    assert!(again.is_empty(), "{again:?}: {:?} after {:?}", definitions(&second), definitions(&first));
}

macro_rules! without_a_planner {
    ($($test:ident $major:literal)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            what_is_estimated_is_created_and_not_advised_again($major).await;
        }
    )*};
}

without_a_planner! {
    without_a_planner_on_13 13
    without_a_planner_on_14 14
    without_a_planner_on_15 15
    without_a_planner_on_16 16
    without_a_planner_on_17 17
    without_a_planner_on_18 18
}

/// The server has no HypoPG: it is not asked to plan with what is not there.
async fn what_is_estimated_is_created_and_not_advised_again(major: i32) {
    let Some(binaries) = server(major) else { return };
    let yard = Yard::open();
    let shop = yard.shop(&binaries, &Shop::setup()).await;
    // Else loading the tables would count as what writes to them.
    let admin = shop.cluster.session("shop", SUPERUSER, "setup").await.expect("a session");
    admin.execute("select pg_stat_reset()").await.expect("reset");
    shop.work(&Silent).await.expect("the workload").release().await;
    let (auditor, owner) = (shop.dsn(), shop.cluster.dsn(SUPERUSER, "shop"));
    let ask = ["advise", &auditor, "--format", "json", "-o", "plan.json"];
    let first = json(&yard.pgassay(&ask).run().expect(0).stdout);
    assert!(!definitions(&first).is_empty(), "{first:#}");
    for proposal in first["proposals"].as_array().expect("proposals") {
        assert_eq!(proposal["planner_checked"], false, "{proposal:#}");
    }
    assert_eq!(first["account"]["estimate"], "HypoPG is not installed in this database");
    assert_eq!(first["account"]["what_if_calls"], 0);
    yard.pgassay(&["apply", "plan.json", &owner, "--state", "state", "--yes"]).run().expect(0);
    let second = json(&yard.pgassay(&["advise", &auditor, "--format", "json"]).run().expect(0).stdout);
    let again: Vec<&str> = served(&first).intersection(&served(&second)).copied().collect();
    assert!(again.is_empty(), "{again:?}: {:?} after {:?}", definitions(&second), definitions(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hypopg_cannot_simulate_is_estimated_beside_it() {
    let Some(binaries) = server(15) else { return };
    let yard = Yard::open();
    let cluster = yard.start(&binaries, &with_statements());
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("created");
    if admin.execute("create extension hypopg").await.is_err() {
        return;
    }
    let papers =
        "create table papers as select i as id, i % 2000 as owner, array['t' || i % 3000, 'u' || i % 700] as tags,
        repeat('p', 200) as pad from generate_series(1, 20000) i; analyze papers";
    admin.execute(papers).await.expect("a table");
    for _ in 0..3 {
        admin.execute("select pad from papers where owner = 7").await.expect("run");
        admin.execute("select pad from papers where tags @> array['t5']").await.expect("run");
    }
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let ask = ["advise", &dsn, "--weigh-by", "calls", "--format", "json", "-o", "papers.json"];
    let first = json(&yard.pgassay(&ask).run().expect(0).stdout);
    let checked: BTreeSet<(String, bool)> = (first["proposals"].as_array().expect("proposals").iter())
        .map(|one| (one["using"].as_str().expect("a form").to_owned(), one["planner_checked"] == true))
        .collect();
    assert_eq!(checked, BTreeSet::from([("btree (owner)".to_owned(), true), ("gin (tags)".to_owned(), false)]));
    assert_eq!(first["account"]["estimate"], Value::Null);
    yard.pgassay(&["apply", "papers.json", &dsn, "--state", "state", "--yes"]).run().expect(0);
    let second = json(&yard.pgassay(&ask[..6]).run().expect(0).stdout);
    assert_eq!(definitions(&second), Vec::<&str>::new());
}

/// A server with the extension, HypoPG where there is a package of it, and these tables, and a session on it.
pub(crate) async fn laid_out(yard: &Yard, binaries: &Binaries, tables: &str) -> (Cluster, Scratch) {
    let cluster = yard.start(binaries, &with_statements().with("autovacuum", "off"));
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("created");
    let _ = admin.execute("create extension hypopg").await;
    // VACUUM marks pages as visible to all only once the commit of their rows is on disk.
    admin.execute("set synchronous_commit = on").await.expect("set");
    admin.execute(tables).await.expect("tables");
    forget_loading(&admin).await;
    (cluster, admin)
}

/// Loading tables is no usual write. What this session counted is told to the server first, from 15 on.
async fn forget_loading(admin: &Scratch) {
    for sql in ["select pg_stat_force_next_flush()", "select pg_stat_reset(), pg_stat_statements_reset()"] {
        admin.execute(sql).await.expect(sql);
    }
}

const KINDS: &str = "
    create table kinds as select i as id, i % 2000 as owner, i % 20 as grp, i * 7919 % 300 as sub, 'user' || i || '@example.com' as email,
      array['t' || i % 3000, 'u' || i % 700] as tags, case when i % 80 = 0 then null else now() end as read_at, i % 999 as total,
      tstzrange('2024-01-01'::timestamptz + i * interval '1 minute', '2024-01-01'::timestamptz + (i + 9) * interval '1 minute') as span,
      repeat('k', 200) as pad from generate_series(1, 20000) i;
    create index kinds_grp on kinds (grp);
    create table measured (at date not null, sensor int not null, pad text) partition by range (at);
    create table measured_1 partition of measured for values from ('2024-01-01') to ('2024-05-01');
    create table measured_2 partition of measured for values from ('2024-05-01') to ('2025-01-01');
    insert into measured select '2024-01-01'::date + i % 366, i * 7919 % 900, repeat('m', 150) from generate_series(1, 20000) i";

/// A statement, and what the index that it wants is told by.
const WANTED: [(&str, &str); 7] = [
    ("select * from kinds where lower(email) = 'user5@example.com'", "btree (lower(email))"),
    ("select * from kinds where read_at is null", "WHERE"),
    ("select owner, sum(total) from kinds where owner between 5 and 90 group by owner", "INCLUDE (total)"),
    ("select * from kinds where tags @> array['t5']", "gin (tags)"),
    ("select * from kinds where span && tstzrange('2024-01-03 10:00', '2024-01-03 11:00')", "gist (span)"),
    ("select * from kinds where grp = 3 and sub = 5", "btree (grp, sub)"),
    ("select * from measured where sensor = 17", "btree (sensor)"),
];

/// With the planner, and by the estimate where a server has no HypoPG.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_index_is_made_and_not_advised_again() {
    for major in [15, 17] {
        let Some(binaries) = server(major) else { continue };
        let yard = Yard::open();
        let (cluster, admin) = laid_out(&yard, &binaries, KINDS).await;
        admin.execute("vacuum analyze").await.expect("statistics");
        for (statement, _) in WANTED {
            admin.execute(statement).await.expect(statement);
        }
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let ask = ["advise", &dsn, "--weigh-by", "calls", "--format", "json", "-o", "kinds.json"];
        let first = json(&yard.pgassay(&ask).run().expect(0).stdout);
        for (statement, form) in WANTED {
            assert!(definitions(&first).iter().any(|one| one.contains(form)), "{major}, {statement}: {first:#}");
        }
        let replaces = |one: &&Value| one["kind"] == "replace_index" && one["replaces"][0]["name"] == "kinds_grp";
        let proposals = first["proposals"].as_array().expect("proposals");
        assert_eq!(proposals.iter().filter(replaces).count(), 1, "{major}: {first:#}");
        yard.pgassay(&["apply", "kinds.json", &dsn, "--state", "state", "--yes"]).run().expect(0);
        let second = json(&yard.pgassay(&ask[..6]).run().expect(0).stdout);
        assert_eq!(definitions(&second), Vec::<&str>::new(), "{major}: {second:#}");
    }
}

/// As large as a table must be for block ranges, a row a page, in the order of its times.
const READINGS: &str = "
    create unlogged table readings (at timestamptz not null, sensor int not null, pad text not null);
    alter table readings alter pad set storage plain;
    insert into readings select '2024-01-01'::timestamptz + i * interval '1 minute', i % 50, repeat('r', 7500) from generate_series(1, 132000) i";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_ranges_are_advised_where_there_is_room_for_no_more() {
    let Some(binaries) = server(15) else { return };
    let yard = Yard::open();
    let (cluster, admin) = laid_out(&yard, &binaries, READINGS).await;
    admin.execute("vacuum analyze").await.expect("statistics");
    for _ in 0..3 {
        let day = "select max(sensor) from readings where at >= '2024-02-01' and at < '2024-02-02'";
        admin.execute(day).await.expect("run");
    }
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let ask = ["advise", &dsn, "--weigh-by", "calls", "--budget", "1MB", "--format", "json", "-o", "plan.json"];
    let first = json(&yard.pgassay(&ask).run().expect(0).stdout);
    let index = "CREATE INDEX CONCURRENTLY readings_at_idx ON public.readings USING brin (at)";
    assert_eq!(definitions(&first), [index], "{first:#}");
    yard.pgassay(&["apply", "plan.json", &dsn, "--state", "state", "--yes"]).run().expect(0);
    let second = json(&yard.pgassay(&ask[..8]).run().expect(0).stdout);
    assert_eq!(definitions(&second), Vec::<&str>::new(), "{second:#}");
}

const NAMES: &str = r#"
    create schema "Other Side"; create role auditor login; grant pg_monitor, pg_read_all_data to auditor;
    create table "Other Side"."Big Orders" as select i as id, i % 2000 as "Customer ""Id""", repeat('p', 200) as pad from generate_series(1, 20000) i;
    create table public."Big Orders" as select * from "Other Side"."Big Orders" limit 10;
    create table notes as select i as id, i % 2000 as author, i % 3 as tenant, repeat('n', 200) as pad from generate_series(1, 20000) i;
    alter table notes enable row level security; create policy own on notes using (tenant is not null);
    create table logs as select i as id, i % 2000 as kind, repeat('l', 200) as pad from generate_series(1, 20000) i;
    create table lines as select i as id, i % 2000 as log, repeat('l', 200) as pad from generate_series(1, 20000) i;
    create table words as select i as id, 'Word ' || i as word, repeat('w', 200) as pad from generate_series(1, 20000) i;
    create function folded(text) returns text language plpgsql immutable as 'begin return lower($1); end'"#;

/// Statements, where the superuser or the auditor asks about them, and the index that each wants.
const NAMED: [(&str, &str, &str); 5] = [
    (
        SUPERUSER,
        r#"select * from "Other Side"."Big Orders" where "Customer ""Id""" = 7"#,
        r#"ON "Other Side"."Big Orders" USING btree ("Customer ""Id""")"#,
    ),
    ("auditor", "select * from notes where author = 5", "ON public.notes USING btree (author"),
    (
        SUPERUSER,
        "with gone as (delete from logs where kind = 7 returning id) select count(*) from gone",
        "ON public.logs USING btree (kind",
    ),
    (
        SUPERUSER,
        "select id from lines where log = 3 except select id from lines where log = 4",
        "ON public.lines USING btree (log",
    ),
    (
        SUPERUSER,
        "select id from words where folded(word) = 'word 7'",
        "ON public.words USING btree (public.folded(word)",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_policies_and_sets_are_no_hindrance() {
    for major in [15, 18] {
        let Some(binaries) = server(major) else { continue };
        let yard = Yard::open();
        let (cluster, admin) = laid_out(&yard, &binaries, NAMES).await;
        admin.execute("analyze").await.expect("statistics");
        for (_, statement, _) in NAMED {
            admin.execute(&format!("begin; {statement}; rollback")).await.expect(statement);
        }
        for asks in [SUPERUSER, "auditor"] {
            let dsn = cluster.dsn(asks, CORNER);
            let told = json(
                &yard.pgassay(&["advise", &dsn, "--weigh-by", "calls", "--format", "json"]).run().expect(0).stdout,
            );
            for (_, statement, form) in NAMED.iter().filter(|(role, ..)| *role == asks) {
                assert!(definitions(&told).iter().any(|one| one.contains(form)), "{major}, {statement}: {told:#}");
            }
        }
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let ask = ["advise", &dsn, "--weigh-by", "calls", "--format", "json", "-o", "names.json"];
        yard.pgassay(&ask).run().expect(0);
        yard.pgassay(&["apply", "names.json", &dsn, "--state", "state", "--yes"]).run().expect(0);
        let second = json(&yard.pgassay(&ask[..6]).run().expect(0).stdout);
        assert_eq!(definitions(&second), Vec::<&str>::new(), "{major}: {second:#}");
    }
}

/// From 18 on an index serves what is compared with its second column, where the first has few values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_skip_scan_serves_needs_no_index() {
    for (major, expected) in [(17, &["btree (owner)"][..]), (18, &[])] {
        let Some(binaries) = server(major) else { continue };
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements().with("autovacuum", "off"));
        let admin = corner(&cluster).await;
        let table = "create extension pg_stat_statements; create table papers as select i as id, i % 4 as kind, i * 7919 % 200 as owner,
                     repeat('p', 200) as pad from generate_series(1, 40000) i; create index on papers (kind, owner)";
        admin.execute(table).await.expect("a table");
        forget_loading(&admin).await;
        admin.execute("analyze papers").await.expect("statistics");
        for _ in 0..100 {
            admin.execute("select pad from papers where owner = 7").await.expect("run");
        }
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let ask = ["advise", &dsn, "--weigh-by", "calls", "--format", "json"];
        let advised = || json(&yard.pgassay(&ask).run().expect(0).stdout);
        let first = advised();
        let forms: Vec<&str> = definitions(&first).iter().filter_map(|one| Some(one.split_once("USING ")?.1)).collect();
        assert_eq!(forms, expected, "{major}: {first:#}");
        if major == 17 {
            assert!(!first["proposals"][0].to_string().contains("stale_statistics"), "{first:#}");
            let more = "insert into papers select i, 1, 1, 'new' from generate_series(1, 8000) i; select pg_stat_force_next_flush()";
            admin.execute(more).await.expect("rows");
            let told = advised()["proposals"][0].to_string();
            assert!(told.contains("8,000 rows of public.papers changed since its last ANALYZE"), "{told}");
        }
    }
}

/// The rare value gains, and the common one is told beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_values_would_gain_is_told() {
    for major in [15, 17] {
        let Some(binaries) = server(major) else { continue };
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        admin.execute("create extension pg_stat_statements").await.expect("created");
        let _ = admin.execute("create extension hypopg").await;
        let table = "create table papers as select i as id, case when i % 200 = 0 then 'rare' else 'done' end as state,
                     repeat('p', 200) as pad from generate_series(1, 20000) i; analyze papers";
        admin.execute(table).await.expect("a table");
        admin.execute("select * from papers where state = 'rare'").await.expect("run");
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let told =
            json(&yard.pgassay(&["advise", &dsn, "--weigh-by", "calls", "--format", "json"]).run().expect(0).stdout);
        let served = &told["proposals"][0]["serves"][0];
        assert_eq!(served["values"], "rare", "{major}: {told:#}");
        let saved = |cost: &Value| {
            let cost = |name: &str| cost[name].as_f64().expect("a cost");
            1.0 - cost("cost_after") / cost("cost_before")
        };
        assert!(saved(served) > 0.5, "{served:#}");
        // The usual one is the most common.
        let usual = served["spread"].as_array().expect("others").iter().find(|one| one["values"] == "usual");
        assert!(saved(usual.expect("a cost")) < 0.1, "{major}: {served:#}");
        let text = yard.pgassay(&["advise", &dsn, "--weigh-by", "calls"]).run().expect(0).stdout;
        assert!(text.contains("by values: generic ") && text.contains(", usual "), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_told() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    let admin = corner(&cluster).await;
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let advise = ["advise", dsn.as_str()];
    yard.pgassay(&advise).run().expect_unable(&["no workload to advise on", "create extension pg_stat_statements"]);
    admin.execute("create extension pg_stat_statements").await.expect("created");
    let explained = ["advise", dsn.as_str(), "--explain", "1"];
    yard.pgassay(&explained).run().expect_unable(&["HypoPG is not installed", "--what-if"]);
    let none = ["advise", dsn.as_str(), "--plans", "0"];
    yard.pgassay(&none).run().expect_unable(&["no plans to advise on", "--plans"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_has_no_room_for_hypothetical_indexes() {
    let Some(binaries) = server(15) else { return };
    let yard = Yard::open();
    let cluster = yard.start(&binaries, &with_statements());
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("created");
    admin.execute("create role auditor login; grant pg_monitor, pg_read_all_data to auditor").await.expect("a role");
    if admin.execute("create extension hypopg").await.is_err() {
        return;
    }
    ask(&cluster).await;
    let pooler = Pooler::start(&yard, &cluster);
    let pooled = format!("host={} port={} dbname={CORNER} user=auditor", pooler.folder.display(), pooler.port);
    yard.pgassay(&["advise", &pooled]).run().expect_unable(&["a transaction pooler stands between"]);
}
