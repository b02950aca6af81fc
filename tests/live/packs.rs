//! Rule packs that bring a SELECT of their own: a useful one is judged like any rule; what a hostile one
//! tries is refused or stopped and said so, while the server stays as it was and the others have judged.

use crate::support::{CORNER, Outcome, Yard, corner, newest, oldest, root, until, with_statements};
use pgassay::demo::{Binaries, Cluster};
use pgassay::postgres::Scratch;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Packs that are not even loaded, and what is said: where, and why.
const REFUSED: &[(&str, &[&str])] = &[
    ("breaks_out", &["breaks_out.sql:1:14: ", "syntax error"]),
    ("everything", &["everything.sql:1:8: ", "should have a name"]),
    ("into_table", &["into_table.sql:1:", "write"]),
    ("locks_rows", &["locks_rows.sql:3:1: ", "lock rows"]),
    ("misspelt", &["misspelt.sql:2:1: ", "syntax error at or near \"form\""]),
    ("programs", &["programs.sql:1:1: ", "SELECT or WITH"]),
    ("several_statements", &["several_statements.sql:1:16: ", "one SELECT"]),
    ("writes", &["writes.sql:1:1: ", "SELECT or WITH"]),
    ("writes_in_with", &["writes_in_with.sql:1:", "may not write"]),
];

/// Packs that are stopped when they run, and what is said: the reason, and a remedy that helps.
const STOPPED: &[(&str, &str, &str)] = &[
    ("column_gone", "u.nickname does not exist", "correct"),
    ("divides", "division by zero", "correct"),
    ("endless", "statement timeout", "statement-timeout"),
    ("fat", "more than", "less"),
    ("huge", "more than 10000 rows", "less"),
    ("lifts_read_only", "transaction read-write mode must be set before any query", "correct"),
    ("next_number", "cannot execute nextval() in a read-only transaction", "correct"),
    ("sleeps", "statement timeout", "statement-timeout"),
    ("sleeps_unlimited", "statement timeout", "statement-timeout"),
    ("table_closed", "permission denied for", "grant"),
    ("waits", "lock timeout", "lock"),
    ("writes_in_function", "cannot execute INSERT in a read-only transaction", "correct"),
];

/// The corner shop, with a vault and a function that writes; the auditor may do too much for its own good.
async fn open(yard: &Yard, binaries: &Binaries) -> (Cluster, Scratch) {
    let cluster = yard.start(binaries, &with_statements());
    let admin = corner(&cluster).await;
    let made = "create extension pg_stat_statements;
                create schema vault; create table vault.secrets (id int primary key, secret text);
                create function shop.innocent() returns int language sql volatile
                  as $$insert into shop.users (name) values ('mallory') returning 1$$;
                create role reckless login; grant pg_monitor to reckless; grant all on schema shop to reckless;
                grant all on all tables in schema shop to reckless; grant all on all sequences in schema shop to reckless";
    admin.execute(made).await.expect("made");
    (cluster, admin)
}

fn pack(name: &str) -> String {
    root().join("fixtures/packs").join(name).display().to_string()
}

/// An audit by the reckless role with one hostile pack.
fn audit(yard: &Yard, cluster: &Cluster, name: &str) -> Outcome {
    let (dsn, pack) = (cluster.dsn("reckless", CORNER), pack(&format!("hostile/{name}")));
    // Time enough to list ten million rows, and not to sleep for ten minutes.
    let time = if matches!(name, "huge" | "fat") { "60s" } else { "1s" };
    yard.audit(&[&dsn, "--rules", &pack, "--format", "json", "--statement-timeout", time]).run()
}

/// What a pack could have changed: rows, relations, sequences and locks.
async fn state(admin: &Scratch) -> String {
    let question = "
        select pg_catalog.concat_ws(' ',
          (select count(*) from shop.users), (select count(*) from shop.orders),
          (select string_agg(relname, ',' order by relname) from pg_class where relnamespace = 'shop'::regnamespace),
          (select string_agg(sequencename || last_value, ',' order by sequencename) from pg_sequences),
          (select count(*) from pg_locks where locktype = 'advisory'))";
    admin.value(question).await.expect("the state").expect("a text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_packs_on_the_oldest() {
    hostile_packs_are_stopped(&oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_packs_on_the_newest() {
    hostile_packs_are_stopped(&newest()).await;
}

async fn hostile_packs_are_stopped(binaries: &Binaries) {
    let yard = Yard::open();
    let (cluster, admin) = open(&yard, binaries).await;
    // What `waits` waits for is the application's own.
    admin.execute("select pg_advisory_lock(42)").await.expect("locked");
    let before = state(&admin).await;
    let mut complaints: BTreeMap<&str, String> = BTreeMap::new();
    for (name, reason, remedy) in STOPPED {
        let since = Instant::now();
        let outcome = audit(&yard, &cluster, name);
        assert!(since.elapsed() < Duration::from_secs(20), "{name}: {:?}", since.elapsed());
        let report = outcome.report();
        report.assert_calm();
        assert_eq!(report.status("no_primary_key"), "passed", "{name}");
        let gaps = report.0["gaps"].as_array().expect("gaps").iter().filter(|gap| gap["facet"] == "custom");
        let said: Vec<String> = gaps.map(|gap| format!("{}; {}", gap["reason"], gap["remedy"])).collect();
        let said = said.concat();
        if (outcome.code, report.status(name)) != (Some(3), "skipped".to_owned())
            || ![&format!("{name}.sql"), *reason, *remedy].iter().all(|word| said.contains(word))
        {
            complaints.insert(name, format!("exit {:?}: {said}", outcome.code));
        }
        assert_eq!(state(&admin).await, before, "{name}");
    }
    assert_eq!(complaints, BTreeMap::new(), "reasons and remedies");
    let ours = "select count(*) = 0 from pg_stat_activity where application_name like 'pgassay/%'";
    until(&admin, ours).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_pack_leaves_in_its_session_goes_with_it() {
    let yard = Yard::open();
    let (cluster, admin) = open(&yard, &newest()).await;
    let before = state(&admin).await;
    let report = audit(&yard, &cluster, "leaves_things").expect(0).report();
    report.assert_calm();
    assert_eq!((report.status("leaves_things"), report.status("no_primary_key")), ("found".into(), "passed".into()));
    until(&admin, "select count(*) = 0 from pg_stat_activity where application_name like 'pgassay/%'").await;
    assert_eq!(state(&admin).await, before);
}

/// Without a server: nobody listens at that port.
#[test]
fn hostile_packs_are_not_loaded() {
    let yard = Yard::open();
    let mut complaints: BTreeMap<&str, String> = BTreeMap::new();
    for (name, words) in REFUSED {
        let pack = pack(&format!("hostile/{name}"));
        let target = format!("host={} dbname=nowhere", yard.path().display());
        for run in [yard.audit(&[&target, "--rules", &pack]), yard.pgassay(&["rules", "check", &pack])] {
            let outcome = run.run().expect(2);
            assert_eq!(outcome.stdout, "", "{name}");
            if !words.iter().all(|word| outcome.stderr.contains(word)) {
                complaints.insert(name, outcome.stderr);
            }
        }
    }
    assert_eq!(complaints, BTreeMap::new(), "where and why");
}

/// Every hostile pack is in one of the lists.
#[test]
fn every_hostile_pack_is_tried() {
    let folder = root().join("fixtures/packs/hostile").read_dir().expect("packs");
    let folders = folder.map(|entry| entry.expect("a pack").path()).filter(|path| path.is_dir());
    let mut found: Vec<String> = folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    found.sort();
    let tried = REFUSED.iter().map(|(name, _)| *name).chain(STOPPED.iter().map(|(name, ..)| *name));
    let mut tried: Vec<&str> = tried.chain(["leaves_things"]).collect();
    tried.sort_unstable();
    assert_eq!(found, tried);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useful_pack_finds_what_it_is_for() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, admin) = open(&yard, &binaries).await;
        let triggers = "
            create function shop.touch() returns trigger language plpgsql as $$begin return new; end$$;
            create trigger one before insert on shop.orders for each row execute function shop.touch();
            create trigger two before insert on shop.orders for each row execute function shop.touch();
            create trigger three after update on shop.orders for each row execute function shop.touch();
            create trigger all_at_once after insert on shop.orders execute function shop.touch();
            create trigger alone before insert on shop.users for each row execute function shop.touch()";
        admin.execute(triggers).await.expect("triggers");
        until(&admin, "select n_tup_ins >= 2000 from pg_stat_user_tables where relname = 'orders'").await;
        let (dsn, pack) = (cluster.dsn("reckless", CORNER), pack("example"));
        let kept = yard.path().join("kept.json.zst");
        let audit = yard.audit(&[&dsn, "--rules", &pack, "--only", "row_triggers", "--format", "json"]);
        let report = audit.arg("--save").arg(kept.to_str().expect("UTF-8")).run().expect(0).report();
        yard.pgassay(&["snapshot", &dsn, "--rules", &pack, "-o", "only_read.json"]).run().expect(0);
        let again = |file: &str| {
            let args = ["--from", file, "--rules", &pack, "--only", "row_triggers", "--format", "json"];
            yard.audit(&args).run().expect(0).report()
        };
        for report in [report, again("kept.json.zst"), again("only_read.json")] {
            let findings = report.0["findings"].as_array().expect("findings");
            let [finding] = findings.as_slice() else { panic!("one table has three: {findings:?}") };
            assert_eq!(finding["object"]["path"], "shop.orders");
            assert_eq!(finding["evidence"]["names"]["value"], serde_json::json!(["one", "three", "two"]));
        }
    }
}

#[test]
fn the_useful_pack_has_fixtures_that_hold() {
    let yard = Yard::open();
    yard.pgassay(&["rules", "check", &pack("example")]).run().expect(0);
    yard.pgassay(&["rules", "test", &pack("example")]).run().expect(0);
}
