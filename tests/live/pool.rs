//! A real PgBouncer before a real server, with clients that fill the pool by sleeping: what keeps them waiting is
//! told, and with the size that is advised they wait no longer than is aimed at.
//!
//! The machine may be busy with other tests: a sample in which it was held up is taken again.

use crate::support::{
    CORNER, Crowd, Habit, Pooler, Yard, corner, newest, oldest, signal, until, until_so, with_statements,
};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::postgres::Scratch;
use rustix::process::Signal;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Samples that may be taken until one shows what is expected.
const SAMPLES: usize = 5;

/// A transaction of 50 ms every 150 ms.
const QUICK: Habit =
    Habit { says: &["select pg_sleep(0.05)"], pause: Duration::ZERO, think: Duration::from_millis(100) };

/// Reports that a watch has printed so far.
fn reports(path: &std::path::Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().matches("\nPgBouncer ").count()
}

/// A server, a pooler before it, and who watches both.
struct Scene {
    admin: Scratch,
    pooler: Pooler,
    cluster: Cluster,
    binaries: Binaries,
    yard: Yard,
}

impl Scene {
    async fn with(binaries: Binaries, settings: &str) -> Self {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        let roles = "create role auditor login; grant pg_monitor to auditor;
                     grant update on shop.orders to clerk; checkpoint";
        admin.execute(roles).await.expect("a role");
        let pooler = Pooler::set(&yard, &cluster, settings);
        Self { admin, pooler, cluster, binaries, yard }
    }

    async fn set(settings: &str) -> Self {
        Self::with(newest(), settings).await
    }

    fn target(&self) -> String {
        self.cluster.dsn("auditor", CORNER)
    }

    /// One sample of both, as JSON.
    fn sample(&self, more: &[&str]) -> Value {
        let (target, console) = (self.target(), self.pooler.console());
        self.run(&[&["pool", &target, "--pgbouncer", &console], more].concat())
    }

    /// One sample of the console alone.
    fn sample_alone(&self) -> Value {
        self.run(&["pool", "--pgbouncer", &self.pooler.console()])
    }

    fn run(&self, words: &[&str]) -> Value {
        let outcome = self.yard.pgassay(&[words, &["--sample", "3s", "--format", "json"]].concat()).run().expect(0);
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }

    /// Samples until the clerks' pool has this verdict, for a reason that holds these words.
    fn shows(&self, verdict: &str, words: &[&str]) -> Value {
        seen(|| self.sample(&[]), |all| is_so(&pool(all)["judgement"], verdict, words))
    }

    fn shows_alone(&self, verdict: &str, words: &[&str]) -> Value {
        seen(|| self.sample_alone(), |all| is_so(&pool(all)["judgement"], verdict, words))
    }
}

fn seen(sample: impl Fn() -> Value, is_expected: impl Fn(&Value) -> bool) -> Value {
    let samples: Vec<Value> = (0..SAMPLES)
        .scan(false, |is_done, _| {
            let all = (!*is_done).then(&sample)?;
            *is_done = is_expected(&all);
            Some(all)
        })
        .collect();
    let last = samples.into_iter().next_back().expect("a sample");
    assert!(is_expected(&last), "after {SAMPLES} samples: {last:#}");
    last
}

fn is_so(judgement: &Value, verdict: &str, words: &[&str]) -> bool {
    let reason = judgement["reason"].as_str().expect("a reason");
    judgement["verdict"] == verdict && words.iter().all(|word| reason.contains(word))
}

/// The clerks' pool; null before there is one.
fn pool(all: &Value) -> Value {
    let pools = all["poolers"][0]["pools"].as_array().expect("pools");
    pools.iter().find(|pool| pool["user"] == "clerk").cloned().expect("the clerks' pool")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_advised_size_the_wait_falls_below_the_target() {
    let scene = Scene::set("default_pool_size = 2").await;
    // 16 clients want 107 transactions of 50 ms a second: 5.3 connections' work.
    let crowd = Crowd::come(&scene.pooler, 16, QUICK);
    let aim = ["--target-wait", "25ms"];
    let is_small = |all: &Value| is_so(&pool(all)["judgement"], "pool_too_small", &["all 2 server connections"]);
    let full = pool(&seen(|| scene.sample(&aim), is_small));
    assert!(full["flow"]["wait_ms"].as_f64().expect("a wait") > 25.0, "{full:#}");
    assert_eq!(full["server_states"]["active"], 2, "{full:#}");
    let advised = full["sizing"]["servers"].as_i64().expect("a size");
    assert!((4..=16).contains(&advised), "{full:#}");
    assert_eq!(full["settings"][0]["line"], format!("default_pool_size = {advised}"));
    assert!(scene.run(&["pool", "--pgbouncer", &scene.pooler.console()])["server"].is_null());

    scene.pooler.say(&format!("SET default_pool_size = {advised}")).await;
    let is_enough = |all: &Value| {
        let pool = pool(all);
        pool["judgement"]["verdict"] == "healthy" && pool["flow"]["wait_ms"].as_f64().is_some_and(|wait| wait <= 25.0)
    };
    let after = pool(&seen(|| scene.sample(&aim), is_enough));
    let rate = |pool: &Value| pool["flow"]["rate"].as_f64().expect("a rate");
    assert!(rate(&after) > 1.5 * rate(&full), "more is done: {full:#} {after:#}");
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_for_locks_is_the_databases() {
    let scene = Scene::set("default_pool_size = 3").await;
    let holder = scene.cluster.session(CORNER, SUPERUSER, "checkout").await.expect("a session");
    holder.execute("begin; update shop.orders set note = 'held' where id = 7").await.expect("held");
    let pid = holder.value("select pg_backend_pid()::text").await.expect("a pid").expect("a pid");
    let habit = Habit { says: &["update shop.orders set note = 'mine' where id = 7"], ..QUICK };
    let crowd = Crowd::come(&scene.pooler, 9, habit);
    let all = "select count(*) = 3 from pg_stat_activity where usename = 'clerk' and wait_event_type = 'Lock'";
    until(&scene.admin, all).await;
    let all = scene.shows("database_slow", &["wait for locks"]);
    let root = all["server"]["blockers"][0]["pid"].as_i64().expect("who blocks");
    assert!(root.to_string() == pid, "{root} should be {pid}");
    assert_eq!(all["server"]["judgement"]["verdict"], "database_slow", "{all:#}");
    assert!(pool(&all)["settings"].as_array().expect("settings").is_empty(), "a size is no help");
    // The console alone sees that no transaction ends.
    scene.shows_alone("database_slow", &["no transaction ended"]);
    holder.execute("rollback").await.expect("released");
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_take_longer_than_they_did_are_the_databases() {
    let scene = Scene::set("default_pool_size = 3").await;
    let quick = Habit { says: &["select 1"], pause: Duration::ZERO, think: Duration::from_millis(5) };
    let crowd = Crowd::come(&scene.pooler, 3, quick);
    // Enough of them to say what is usual.
    let before = "select calls > 300 from pg_stat_statements where query = 'select $1' order by calls desc limit 1";
    scene.admin.execute("create extension pg_stat_statements").await.expect("the extension");
    until(&scene.admin, before).await;
    crowd.leave().await;
    let slow = Habit { says: &["select pg_sleep(0.3)"], ..QUICK };
    let crowd = Crowd::come(&scene.pooler, 9, slow);
    scene.shows("database_slow", &["before the sample"]);
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_transactions_that_do_nothing_hold_the_pool() {
    let scene = Scene::set("default_pool_size = 2").await;
    let idle = Habit {
        says: &["begin", "select 1", "commit"],
        pause: Duration::from_millis(200),
        think: Duration::from_millis(10),
    };
    let crowd = Crowd::come(&scene.pooler, 8, idle);
    let all = scene.shows("transactions_held", &["idle in transaction", "the oldest transaction"]);
    assert!(pool(&all)["held_share"].as_f64().expect("a share") > 0.5, "{all:#}");
    scene.shows_alone("transactions_held", &["idle in transaction"]);
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_keep_a_pool_small_are_named() {
    let scene = Scene::set("default_pool_size = 20\nmax_db_connections = 2").await;
    let crowd = Crowd::come(&scene.pooler, 16, QUICK);
    let all = scene.shows("limit_elsewhere", &["max_db_connections of 2"]);
    assert_eq!(pool(&all)["settings"][0]["line"], "max_db_connections = 20");
    scene.shows_alone("limit_elsewhere", &["max_db_connections of 2"]);

    scene.pooler.say("SET max_db_connections = 0").await;
    scene.pooler.say("SET max_user_connections = 2").await;
    scene.shows("limit_elsewhere", &["max_user_connections of 2"]);

    scene.admin.execute("alter role clerk connection limit 2").await.expect("limited");
    scene.pooler.say("SET max_user_connections = 0").await;
    let all = scene.shows("limit_elsewhere", &["role clerk have 2 sessions"]);
    assert!(
        pool(&all)["settings"][0]["line"].as_str().expect("a line").starts_with("ALTER ROLE clerk CONNECTION LIMIT")
    );
    scene.admin.execute("alter role clerk connection limit -1").await.expect("not limited");
    scene.shows("healthy", &[]);

    // All slots but two are taken by others, and the clerks' connections are made anew.
    let free = "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                - count(*) - 3 from pg_stat_activity where backend_type = 'client backend' and usename <> 'clerk'";
    let free: usize = scene.admin.value(free).await.expect("a count").expect("a count").parse().expect("a number");
    let others = (0..free).map(|_| scene.cluster.session(CORNER, "auditor", "reports"));
    scene.pooler.say("KILL corner").await;
    let others = futures_util::future::try_join_all(others).await.expect("sessions");
    scene.pooler.say("RESUME corner").await;
    let all = scene.shows("limit_elsewhere", &["connection slots of the server are in use"]);
    assert_eq!(all["server"]["judgement"]["verdict"], "connection_limit_near", "{all:#}");
    for session in others {
        session.close().await;
    }
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_near_their_limit_and_pools_too_large_are_seen() {
    let scene = Scene::set("default_pool_size = 50\nmax_client_conn = 14").await;
    let calm = Habit { think: Duration::from_millis(500), ..QUICK };
    let crowd = Crowd::come(&scene.pooler, 12, calm);
    let all = scene.shows("oversized", &["of 50 connections at work"]);
    let judgement = &all["poolers"][0]["judgement"];
    assert!(is_so(judgement, "client_limit_near", &["12 of 14"]), "{judgement:#}");
    assert!(pool(&all)["sizing"]["servers"].as_i64().expect("a size") < 50, "{all:#}");
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_no_saturation_of_the_server() {
    // One for each client: whatever the machine does, nobody waits.
    let scene = Scene::set("default_pool_size = 8").await;
    let crowd = Crowd::come(&scene.pooler, 8, QUICK);
    scene.shows("healthy", &[]);
    scene.pooler.say(&format!("PAUSE {CORNER}")).await;
    scene.shows("paused", &["database corner is paused", "clients wait"]);
    scene.shows_alone("paused", &["database corner is paused"]);
    scene.pooler.say(&format!("RESUME {CORNER}")).await;
    scene.shows("healthy", &[]);
    // Of all: 1.18 does not tell, and the server shows that it would serve.
    scene.pooler.say("PAUSE").await;
    scene.shows("paused", &["paused"]);
    scene.pooler.say("RESUME").await;
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_during_the_sample_spoils_no_figure() {
    let mut scene = Scene::set("default_pool_size = 2").await;
    let crowd = Crowd::come(&scene.pooler, 16, QUICK);
    scene.shows("pool_too_small", &[]);
    let watch = |scene: &Scene| {
        let (target, console) = (scene.target(), scene.pooler.console());
        let words = ["pool", &target, "--pgbouncer", &console, "--sample", "8s", "--format", "json"];
        let run = scene.yard.pgassay(&words);
        std::thread::spawn(move || run.run())
    };
    let watching = watch(&scene);
    tokio::time::sleep(Duration::from_secs(3)).await;
    scene.pooler.restart();
    let all: Value = serde_json::from_str(&watching.join().expect("it ran").expect(0).stdout).expect("JSON");
    let notes = all["poolers"][0]["notes"].to_string();
    assert!(notes.contains("restarted or its console lost once"), "{all:#}");
    assert_eq!(pool(&all)["judgement"]["verdict"], "pool_too_small", "{all:#}");
    let service = pool(&all)["flow"]["service_ms"].as_f64().expect("a time");
    assert!((45.0..200.0).contains(&service), "{all:#}");

    let watching = watch(&scene);
    tokio::time::sleep(Duration::from_secs(3)).await;
    scene.cluster.crash();
    let binaries = scene.binaries.clone();
    scene.cluster.restart(&binaries).expect("it starts again");
    let all: Value = serde_json::from_str(&watching.join().expect("it ran").expect(0).stdout).expect("JSON");
    let gap = &all["gaps"][0];
    assert_eq!((&gap["facet"], &gap["partial"]), (&"session_samples".into(), &true.into()), "{all:#}");
    assert!(all["server"]["missed"].as_u64() > Some(0) && all["server"]["looks"].as_u64() > Some(8), "{all:#}");
    assert_eq!(pool(&all)["judgement"]["verdict"], "pool_too_small", "{all:#}");
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_takes_the_pools_with_it() {
    let scene = Scene::with(oldest(), "default_pool_size = 2").await;
    let crowd = Crowd::come(&scene.pooler, 16, QUICK);
    scene.shows("pool_too_small", &[]);
    let (target, console) = (scene.target(), scene.pooler.console());
    let words = ["--pgbouncer", &console, "--sample", "6s", "--save", "scene.json", "--format", "json"];
    let report = scene.yard.audit(&[&[target.as_str()], &words[..]].concat()).run().report();
    let found = report.0["findings"].as_array().expect("findings");
    let finding =
        found.iter().find(|finding| finding["rule"] == "pool_too_small").unwrap_or_else(|| panic!("{found:#?}"));
    assert!(finding["object"]["name"].as_str().expect("a name").ends_with("/corner/clerk"), "{finding:#}");
    assert!(finding["fix"]["text"].as_str().expect("a fix").contains("default_pool_size = "), "{finding:#}");
    let is_watched = |facet: &str| report.gaps().iter().all(|gap| gap.facet != facet);
    assert!(is_watched("pools") && is_watched("session_samples"), "{:?}", report.gaps());
    let again = scene.yard.audit(&["--from", "scene.json", "--only", "pgbouncer", "--format", "json"]).run().report();
    assert_eq!(again.0["findings"].as_array().expect("findings").len(), 1);
    let replayed = scene.yard.pgassay(&["pool", "--from", "scene.json", "--format", "json"]).run().expect(0);
    let replayed: Value = serde_json::from_str(&replayed.stdout).expect("JSON");
    assert_eq!(pool(&replayed)["judgement"]["verdict"], "pool_too_small");
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_wait_for_saturation_and_collectors_get_gauges() {
    let scene = Scene::set("default_pool_size = 2").await;
    let console = scene.pooler.console();
    let alone = ["pool", "--pgbouncer", &console, "--sample", "2s"];
    let until_then = [&alone[..], &["--until-saturated"]].concat();
    let waiting = scene.yard.pgassay(&until_then);
    let waiting = std::thread::spawn(move || waiting.run());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!waiting.is_finished(), "nothing is saturated yet");
    let crowd = Crowd::come(&scene.pooler, 16, QUICK);
    let outcome = waiting.join().expect("it ran").expect(1);
    assert!(outcome.stdout.contains("pool corner of clerk  pool_too_small"), "{}", outcome.stdout);
    let gauges = scene.yard.pgassay(&[&alone[..], &["--format", "prometheus"]].concat()).run().expect(0).stdout;
    assert!(gauges.contains("\npgassay_pool_size{") && gauges.contains("\npgassay_saturated 1\n"), "{gauges}");
    // --watch goes on until it is told to stop.
    let log = scene.yard.path().join("watch.log");
    let mut watching = Command::new(env!("CARGO_BIN_EXE_pgassay"))
        .args(["pool", "--watch", "--sample", "500ms", "--pgbouncer", &console])
        .env_clear()
        .stdout(std::fs::File::create(&log).expect("a log"))
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until_so("it has reported twice", || reports(&log) >= 2);
    signal(watching.id(), Signal::INT);
    assert!(!watching.wait().expect("it ends").success());

    // Without a console the server's sessions are judged alone.
    let server = scene.run(&["pool", &scene.target()]);
    assert_eq!(
        (&server["server"]["judgement"]["verdict"], &server["poolers"]),
        (&"healthy".into(), &serde_json::json!([]))
    );
    assert!(server["server"]["active"]["peak"].as_i64().expect("a peak") >= 1, "{server:#}");
    crowd.leave().await;
}
