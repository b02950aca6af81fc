//! `measure`: what it says of a statement, what it refuses to run, and how it ends early.

use crate::support::{
    CORNER, Outcome, Yard, corner, entries, logging, newest, oldest, ours, root, signal, until, with_statements,
};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::postgres::Scratch;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

/// A corner shop with what does harm, or only seems to.
const TRAPS: &str = "
    create sequence shop.numbers;
    create function shop.untold(x int) returns int language sql as 'select x';
    create function shop.told(x int) returns int stable language plpgsql as 'begin return x; end';
    create function shop.count_up(x bigint, y int) returns bigint volatile language sql as 'select x + 1';
    create aggregate shop.counted(int) (sfunc = shop.count_up, stype = bigint, initcond = '0');
    create operator shop.=># (function = shop.untold, rightarg = int);
    create view shop.next_number as select nextval('shop.numbers') as n;
    create view shop.locking as select id from shop.users for update;
    create function shop.is_mine(x bigint) returns boolean language plpgsql as 'begin return true; end';
    create table shop.guarded (id bigint);
    alter table shop.guarded enable row level security;
    create policy own on shop.guarded using (shop.is_mine(id));
    grant select, update on all tables in schema shop to clerk;
    grant usage on sequence shop.numbers to clerk;
";

/// A server, and the clerk's way to it.
struct Counter {
    dsn: String,
    admin: Scratch,
    cluster: Cluster,
    yard: Yard,
}

impl Counter {
    async fn open(binaries: &Binaries) -> Self {
        let yard = Yard::open();
        let cluster = yard.start(binaries, &logging(with_statements()));
        let admin = corner(&cluster).await;
        let dsn = cluster.dsn("clerk", CORNER);
        Self { dsn, admin, cluster, yard }
    }

    fn measure(&self, sql: &str, more: &[&str]) -> Outcome {
        self.yard.pgassay(&[&["measure", &self.dsn, "--sql", sql], more].concat()).run()
    }

    fn json(&self, sql: &str, more: &[&str]) -> Value {
        let outcome = self.measure(sql, &[more, &["--format", "json"]].concat()).expect(0);
        assert_eq!(outcome.stderr, "");
        let value: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let schema = std::fs::read_to_string(root().join("docs/schema/measurement.json")).expect("published");
        let schema: Value = serde_json::from_str(&schema).expect("a schema");
        jsonschema::validate(&schema, &value).unwrap_or_else(|error| panic!("{error}: {value}"));
        value
    }

    /// A run that goes on until somebody ends it.
    fn start(&self, sql: &str, more: &[&str]) -> Child {
        let args = [&["measure", &self.dsn, "--sql", sql], more].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgassay"));
        command.env_clear().env("USER", "nobody").current_dir(self.yard.path()).args(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_rows_blocks_and_plan() {
    for binaries in [oldest(), newest()] {
        let counter = Counter::open(&binaries).await;
        let sql = "select id, note from shop.orders where user_id = 7;";
        let said = counter.json(sql, &["--iterations", "21", "--clients", "3", "--warmup", "2"]);
        let side = &said["sides"][0];
        assert_eq!(side["times_ms"].as_array().map(Vec::len), Some(21));
        assert_eq!(side["rounds_ms"].as_array().map(Vec::len), Some(10));
        assert_eq!((&side["rows"]["min"], &side["rows"]["max"]), (&Value::from(4), &Value::from(4)));
        assert!(side["blocks"]["shared_hit"].as_u64() > Some(0), "{side}");
        let plan = side["plan"].to_string();
        assert!(plan.contains("orders_user_id_idx") && plan.contains("on orders"), "{plan}");
        assert_eq!(said["comparison"], Value::Null);

        // Each execution in a read-only transaction, with our mark: 21, two before by each of three sessions in ten
        // rounds, and one looked at.
        let all = ours(&entries(&counter.cluster));
        let runs = all.iter().filter(|entry| entry.text.contains("select /* pgassay */ id, note from")).count();
        assert_eq!(runs, 21 + 60 + 1, "{all:#?}");
        let begun = all
            .iter()
            .filter(|entry| entry.text.starts_with("statement: begin isolation level read committed, read only;"))
            .count();
        let ended = all.iter().filter(|entry| entry.text.ends_with("commit")).count();
        // Besides: what the server is, the plan, and which functions may do more than read.
        assert_eq!((begun, ended), (runs + 3, runs + 3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_and_after_and_here_and_there() {
    let counter = Counter::open(&newest()).await;
    let few = ["--iterations", "12", "--warmup", "1"];
    counter.measure("select pg_sleep(0.002)", &[&few[..], &["--save", "before.json"]].concat()).expect(0);
    let slower = counter.json("select pg_sleep(0.02) as s", &[&few[..], &["--baseline", "before.json"]].concat());
    let comparison = &slower["comparison"];
    assert_eq!(comparison["outcome"], "slower");
    assert!(comparison["p"].as_f64() < Some(0.001) && comparison["ratio"].as_f64() > Some(2.0), "{comparison}");
    let low = comparison["interval_ms"][0].as_f64().expect("an interval");
    assert!(low > 5.0, "{comparison}");
    let notes = comparison["notes"].to_string();
    assert!(notes.contains("measured by itself") && notes.contains("the statements differ"), "{notes}");
    counter
        .measure("select 1", &["--baseline", "before.json", "--clients", "2"])
        .expect_unable(&["the baseline was measured by 1 clients"]);

    // So large that its scan stands out from the noise of a loaded machine.
    counter.admin.execute("create table shop.wide as select i as id, repeat('x', 200) as t from generate_series(1, 200000) i; create index on shop.wide (id); grant select on shop.wide to clerk; analyze shop.wide").await.expect("made");
    let postgres = counter.cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    let clerk = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'corner'";
    postgres.execute(&format!("{clerk}; ")).await.expect("alone");
    postgres.execute("create database other template corner").await.expect("a copy");
    let other = counter.cluster.session("other", SUPERUSER, "setup").await.expect("a session");
    other.execute("drop index shop.wide_id_idx; analyze shop.wide").await.expect("dropped");
    let there = counter.cluster.dsn("clerk", "other");
    let said = counter.json("select t from shop.wide where id = 4711", &[&few[..], &["--against", &there]].concat());
    let blocks = |side: usize| said["sides"][side]["blocks"]["shared_hit"].as_u64().expect("a count");
    assert!(blocks(1) > 20 * blocks(0), "{said}");
    assert_eq!(said["comparison"]["outcome"], "slower");
    assert_eq!(said["comparison"]["notes"].to_string(), "[\"the plans differ\"]");
    // In turn, and by sessions of each round's own: of each one warm-up, then one execution or two.
    let all = ours(&entries(&counter.cluster));
    let runs = all.iter().filter(|entry| entry.text.starts_with("statement: select /* pgassay */ t from"));
    let order: Vec<u32> = runs.map(|entry| entry.process).collect();
    assert_eq!(order.len(), 2 * (12 + 10));
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 20);
    assert!(order.windows(4).all(|four| four.iter().any(|one| *one != four[0])), "{order:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_do_more_than_read_is_refused() {
    for binaries in [oldest(), newest()] {
        let counter = Counter::open(&binaries).await;
        counter.admin.execute(TRAPS).await.expect("traps");
        for (sql, told) in [
            ("select nextval('shop.numbers')", "pg_catalog.nextval is VOLATILE"),
            ("select case when false then nextval('shop.numbers') end", "pg_catalog.nextval is VOLATILE"),
            ("select * from shop.next_number", "pg_catalog.nextval is VOLATILE"),
            ("select pg_terminate_backend(1)", "pg_catalog.pg_terminate_backend is VOLATILE"),
            ("select \"set_config\"('transaction_read_only', 'off', true)", "pg_catalog.set_config is VOLATILE"),
            ("select pg_advisory_lock(1)", "pg_catalog.pg_advisory_lock is VOLATILE"),
            ("select pg_try_advisory_xact_lock(1)", "pg_catalog.pg_try_advisory_xact_lock is VOLATILE"),
            ("select pg_notify('a', 'b')", "pg_catalog.pg_notify is VOLATILE"),
            ("select query_to_xml('delete from shop.users', true, true, '')", "pg_catalog.query_to_xml is VOLATILE"),
            ("select shop.untold(1)", "alter function … stable"),
            ("select shop.=># 1", "syntax error"),
            ("select operator(shop.=>#) 1", "operator shop.=># is VOLATILE"),
            ("select shop.counted(id::int) from shop.users", "shop.counted is VOLATILE"),
            ("select * from shop.guarded", "shop.is_mine is VOLATILE"),
            ("select * from shop.locking", "a view that it reads locks rows or writes"),
            ("select 1 from shop.users for update", "it may not lock rows"),
            ("delete from shop.users", "it should be a SELECT or WITH"),
            ("select nosuch from shop.users", "column \"nosuch\" does not exist"),
            ("select * from shop.users where id = $1", "$1 has no value"),
        ] {
            counter.measure(sql, &["--iterations", "1"]).expect_unable(&[told]);
        }
        let numbers = "select not is_called from shop.numbers";
        assert_eq!(counter.admin.value(numbers).await.expect("a value").as_deref(), Some("t"));
        for sql in [
            "select shop.told(1), random(), clock_timestamp(), now(), pg_relation_size('shop.users')",
            "with recursive a as (select 1 as i union all select i + 1 from a where i < 9) select sum(i) from a",
            "select \"lower\"(name), 'nextval(1)' from shop.users tablesample system (50) where name like 'nextval(' || '%'",
            "table shop.users",
        ] {
            counter.measure(sql, &["--iterations", "1"]).expect(0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_the_server_would_cut_otherwise_is_one_statement_still() {
    let counter = Counter::open(&newest()).await;
    counter
        .admin
        .execute("alter role clerk set standard_conforming_strings = off; grant all on shop.users to clerk")
        .await
        .expect("set");
    // One text to us; with backslashes as escapes it would be a text, the end of the transaction, and a DELETE.
    let said = counter.json("select '\\'' ; commit; delete from shop.users; --'", &["--iterations", "2"]);
    assert_eq!(said["sides"][0]["rows"]["max"], 1);
    assert_eq!(counter.admin.value("select count(*) from shop.users").await.expect("a count").as_deref(), Some("500"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_ends() {
    let counter = Counter::open(&newest()).await;
    counter
        .measure("select pg_sleep(20)", &["--statement-timeout", "100ms"])
        .expect_unable(&["canceling statement due to statement timeout", "next: raise --statement-timeout"]);
    counter.admin.execute("begin; lock table shop.users").await.expect("locked");
    counter.measure("table shop.users", &[]).expect_unable(&["lock timeout", "next: another session locks"]);
    counter.admin.execute("commit").await.expect("free");
}

/// One of our sessions sleeps, and the warm-up is over.
const SLEEPS: &str = "select count(*) > 0 from pg_stat_activity
    where application_name like 'pgassay/%' and wait_event = 'PgSleep'";

const GONE: &str = "select count(*) = 0 from pg_stat_activity where application_name like 'pgassay/%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_ends_it_in_good_order() {
    let counter = Counter::open(&newest()).await;
    // Short executions: what was measured is told.
    let run = counter.start("select pg_sleep(0.01)", &["--iterations", "100000", "--clients", "2", "--warmup", "0"]);
    let before = "select sum(calls) > 20 from shop.seen()";
    let seen =
        "create extension pg_stat_statements; create function shop.seen() returns table (calls bigint) language sql
                as 'select calls from pg_stat_statements where query like ''select /* pgassay */ pg_sleep%''';";
    counter.admin.execute(seen).await.expect("a view");
    until(&counter.admin, before).await;
    signal(run.id(), Signal::INT);
    let outcome = Outcome::of(&run.wait_with_output().expect("it ends")).expect(3);
    assert!(outcome.stdout.contains("NOT WHOLE") && outcome.stdout.contains("then: interrupted"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("median"), "{}", outcome.stdout);
    until(&counter.admin, GONE).await;

    // One long execution is cancelled at the server.
    let began = std::time::Instant::now();
    let run = counter.start("select pg_sleep(60)", &["--statement-timeout", "2min", "--warmup", "0"]);
    until(&counter.admin, SLEEPS).await;
    signal(run.id(), Signal::TERM);
    let outcome = Outcome::of(&run.wait_with_output().expect("it ends")).expect(2);
    assert!(outcome.stderr.contains("interrupted before anything was measured"), "{}", outcome.stderr);
    until(&counter.admin, GONE).await;
    assert!(began.elapsed().as_secs() < 50, "it did not wait for the end of the statement");
}
