//! Many targets in one run: each has its report, failures are said, no server is hurt, and neither a target that
//! hangs nor an interrupt leaves anything behind.

use crate::support::{
    CORNER, Outcome, Pgassay, Yard, busy, corner, entries, logging, newest, peak, root, signal, taken_by, until,
    with_statements,
};
use pgassay::demo::{Cluster, SUPERUSER};
use pgassay::postgres::Scratch;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A corner shop with a fault, and a config.
async fn open(yard: &Yard, targets: &[(&str, String)]) -> (Cluster, Scratch) {
    let cluster = yard.start(&newest(), &logging(with_statements()));
    let admin = corner(&cluster).await;
    admin.execute("create table shop.keyless (id int)").await.expect("a fault");
    let socket = cluster.dsn("clerk", "");
    let line = |(name, url): &(&str, String)| format!("  {name}: {{url: \"{}\"}}\n", url.replace("@", &socket));
    let targets: Vec<String> = targets.iter().map(line).collect();
    yard.write("pgassay.yaml", &format!("targets:\n{}", targets.concat()));
    (cluster, admin)
}

fn audit<'a>(yard: &'a Yard, args: &[&'a str]) -> Pgassay {
    yard.pgassay(&[&["audit", "--only", "table,index", "--format", "json"], args].concat())
}

fn overview(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}: {}", path.display())))
        .expect("JSON")
}

/// Names and how they ended.
fn endings(overview: &Value) -> Vec<(&str, &str)> {
    let targets = overview["targets"].as_array().expect("targets").iter();
    targets.map(|target| (target["name"].as_str().unwrap(), target["ending"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_target_has_its_report_and_a_failure_is_said() {
    let yard = Yard::open();
    let targets = [
        ("prod-again", format!("@{CORNER}")),
        ("prod-corner", format!("@{CORNER}")),
        ("prod-down", "host=/nowhere".to_owned()),
        ("prod-lost", "service=nobody".to_owned()),
        ("prod/näme", "@postgres".to_owned()),
        ("test", "host=/nowhere".to_owned()),
    ];
    let (_cluster, _admin) = open(&yard, &targets).await;
    let files = [
        "--output",
        "json=reports/{target}.json",
        "--save",
        "{target}.zst",
        "--output",
        "csv=all.csv",
        "--output",
        "prometheus={target}.prom",
    ];
    let all = [&files[..], &["--targets", "prod*", "--history", "past", "--fail-on", "never"]].concat();
    let outcome = audit(&yard, &all).run().expect(3);
    let told = overview(&outcome);
    assert_eq!(
        endings(&told),
        [
            ("prod-again", "audited"),
            ("prod-corner", "audited"),
            ("prod-down", "failed"),
            ("prod-lost", "failed"),
            ("prod/näme", "audited")
        ]
    );
    assert_eq!(outcome.stderr, "pgassay: 2 of 5 targets failed: prod-down, prod-lost\n");
    let lost = told["targets"][3]["error"].as_str().expect("an error");
    assert!(lost.contains("nobody"), "{lost}");
    assert_eq!(told["same"], serde_json::json!([["prod-again", "prod-corner"]]));
    let keyless = told["rules"].as_array().expect("rules").iter().find(|rule| rule["rule"] == "no_primary_key");
    assert_eq!(keyless.expect("found")["targets"], 2, "{told:#}");
    assert_eq!(std::fs::read_to_string(yard.path().join("all.csv")).expect("written").lines().count(), 6);

    // What the collector of metrics reads is open to it, and has no series twice.
    let metrics = yard.path().join("prod-corner.prom");
    assert_eq!(std::fs::metadata(&metrics).expect("written").permissions().mode() & 0o777, 0o644);
    let metrics = std::fs::read_to_string(metrics).expect("read");
    let samples: Vec<&str> = metrics.lines().filter(|line| !line.starts_with('#')).collect();
    let series: BTreeSet<&str> = samples.iter().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    assert_eq!(series.len(), samples.len(), "{metrics}");
    assert!(series.contains("pgassay_captured_timestamp_seconds{target=\"prod-corner\"}"), "{metrics}");

    // A report is what an audit of it alone would be, and the snapshot can be judged again.
    let report = json(&yard.path().join("reports/prod-corner.json"));
    let alone = overview(&audit(&yard, &["--from", "prod-corner.zst", "--fail-on", "never"]).run().expect(0));
    assert_eq!(report["findings"], alone["findings"]);
    assert_eq!(report["target"]["name"], "prod-corner");
    assert_eq!(json(&yard.path().join("reports/prod%2Fn%C3%A4me.json"))["target"]["database"], "postgres");
    assert_eq!(std::fs::read_dir(yard.path().join("reports")).expect("made").count(), 3);
    let listed = yard.pgassay(&["history", "list", "--history", "past", "--format", "json"]).run().expect(0);
    let mut kept: Vec<String> = overview(&listed)["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["target"]["name"].to_string())
        .collect();
    kept.sort();
    assert_eq!(kept, ["\"prod-again\"", "\"prod-corner\"", "\"prod/näme\""]);

    // Findings count before failures; what each had before is no news, a target without a baseline is.
    let gated = |more: &[&str]| audit(&yard, &[&["--fail-on", "info", "--targets"], more].concat()).run();
    gated(&["prod-*"]).expect(1);
    let news = ["--baseline", "reports/{target}.json", "--fail-on-new"];
    gated(&[&["prod-corner,prod-again"], &news[..]].concat()).expect(0);
    std::fs::remove_file(yard.path().join("reports/prod-again.json")).expect("removed");
    let unknown = gated(&[&["prod-corner,prod-again"], &news[..]].concat()).expect(1);
    assert!(unknown.stderr.contains("prod-again: there is no reports/prod-again.json: all that is found counts"));

    // A report that cannot be written is a failure of that target; the others are whole.
    std::fs::create_dir(yard.path().join("reports/prod-again.json")).expect("in the way");
    let told = overview(
        &audit(&yard, &[&files[..], &["--targets", "prod-corner,prod-again", "--fail-on", "never"]].concat())
            .run()
            .expect(3),
    );
    assert_eq!(endings(&told), [("prod-again", "failed"), ("prod-corner", "audited")]);
    assert!(
        told["targets"][0]["error"].as_str().expect("an error").starts_with("cannot write reports/prod-again.json: ")
    );
    assert_eq!(told["targets"][0]["run"]["database"], told["targets"][1]["run"]["database"]);

    // So is a baseline that cannot be read: the others of its files are written, and all that was found counts.
    yard.write("reports/prod-corner.json", "no report");
    let files = ["--output", "json=new/{target}.json"];
    let args = [&["prod-corner", "--output", "csv=late/{target}.csv"], &files[..], &news[..]].concat();
    std::fs::create_dir_all(yard.path().join("late/prod-corner.csv")).expect("in the way");
    let told = overview(&gated(&args).expect(1));
    let (ending, why) = (&told["targets"][0]["ending"], told["targets"][0]["error"].as_str().expect("an error"));
    assert!(
        ending == "failed" && why.contains("reports/prod-corner.json") && why.contains("late/prod-corner.csv"),
        "{why}"
    );
    assert_eq!(json(&yard.path().join("new/prod-corner.json"))["findings"], alone["findings"]);
}

/// Sessions of ours in that server, by the name of each.
const OURS: &str = "select count(*) from pg_stat_activity where application_name like 'pgassay/%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_has_no_more_to_do_than_for_one_audit() {
    let yard = Yard::open();
    let targets: Vec<(&str, String)> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| (*name, format!("@{CORNER}")))
        .chain([("e", "@postgres".to_owned())])
        .collect();
    let (cluster, admin) = open(&yard, &targets).await;
    audit(&yard, &["--targets", "*", "--jobs", "2", "--servers-at-once", "8", "--fail-on", "never"]).run().expect(0);
    until(&admin, &OURS.replace("count(*)", "count(*) = 0")).await;
    let seen = entries(&cluster);
    assert!((1..=2).contains(&busy(&seen)), "{} sessions at work at a time", busy(&seen));
    // Those of the target before may still be closing.
    assert!(peak(&seen, "clerk") <= 4, "{} sessions at a time", peak(&seen, "clerk"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_hangs_is_given_up_and_its_session_ended() {
    let yard = Yard::open();
    let (_cluster, admin) = open(&yard, &[("a", format!("@{CORNER}")), ("b", "host=/nowhere".to_owned())]).await;
    let pack = root().join("fixtures/packs/hostile/sleeps").display().to_string();
    let args = ["--targets", "*", "--rules", &pack, "--statement-timeout", "10min", "--target-timeout", "3s"];
    let began = Instant::now();
    let told = overview(&yard.pgassay(&[&["audit", "--format", "json"], &args[..]].concat()).run().expect(2));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(endings(&told), [("a", "timed_out"), ("b", "failed")]);
    let why = told["targets"][0]["error"].as_str().expect("an error");
    assert!(why.contains("was not read within 3") && why.contains("--target-timeout"), "{why}");
    until(&admin, &OURS.replace("count(*)", "count(*) = 0")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_says_what_it_did() {
    let yard = Yard::open();
    let targets = [("a", "host=/nowhere".to_owned()), ("b", format!("@{CORNER}")), ("c", format!("@{CORNER}"))];
    let (_cluster, admin) = open(&yard, &targets).await;
    let pack = root().join("fixtures/packs/hostile/sleeps").display().to_string();
    let run = Command::new(env!("CARGO_BIN_EXE_pgassay"))
        .env_clear()
        .env("HOME", yard.home())
        .current_dir(yard.path())
        .args(["audit", "--targets", "*", "--format", "json", "--rules", &pack, "--statement-timeout", "30s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    until(&admin, "select count(*) > 0 from pg_stat_activity where wait_event = 'PgSleep'").await;
    signal(run.id(), Signal::INT);
    let outcome = Outcome::of(&run.wait_with_output().expect("ended")).expect(2);
    assert!(outcome.stderr.ends_with("pgassay: interrupted: 2 of 3 targets were not reached\n"), "{}", outcome.stderr);
    let told = overview(&outcome);
    assert_eq!(endings(&told), [("a", "failed"), ("b", "not_reached"), ("c", "not_reached")]);
}

/// The targets of a yard, as the files in contrib expect them.
fn contributed(yard: &Yard, cluster: &Cluster) -> String {
    let targets = ["shop", "billing"].map(|name| format!("  {name}: {{url: \"{}\"}}\n", cluster.dsn("clerk", CORNER)));
    let history = cluster.dsn(SUPERUSER, CORNER);
    let config = format!("targets:\n{}history: {{store: \"{history}\"}}\n", targets.concat());
    yard.write("pgassay.yaml", &config);
    yard.pgassay(&["history", "init", "--yes"]).run().expect(0);
    yard.write("pgpass", "*:*:*:clerk:unused\n");
    yard.path().display().to_string()
}

fn contrib(file: &str) -> String {
    std::fs::read_to_string(root().join("contrib").join(file)).unwrap_or_else(|error| panic!("{error}: {file}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_for_schedulers_run() {
    let yard = Yard::open();
    let (cluster, _admin) = open(&yard, &[]).await;
    let here = contributed(&yard, &cluster);
    let bin = Path::new(env!("CARGO_BIN_EXE_pgassay"));
    let path = format!("{}:/usr/bin:/bin", bin.parent().expect("a folder").display());
    let run = |script: &str, env: &[(&str, &str)]| {
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", &path).env("HOME", yard.home()).envs(env.iter().copied());
        Outcome::of(&shell.current_dir(yard.home()).args(["-c", script]).output().expect("sh"))
    };

    // Kubernetes: each index is a shard, all of them are all targets.
    let text = contrib("kubernetes/pgassay.yaml");
    let documents: Vec<Value> = text.split("\n---\n").map(|text| serde_yaml::from_str(text).expect("YAML")).collect();
    let (map, job) = (&documents[0], &documents[1]["spec"]["jobTemplate"]["spec"]);
    let container = &job["template"]["spec"]["containers"][0];
    assert_eq!((job["completionMode"].as_str(), container["command"][1].as_str()), (Some("Indexed"), Some("-c")));
    assert_eq!((&job["backoffLimit"], job["backoffLimitPerIndex"].as_u64()), (&Value::Null, Some(1)));
    let set = |name: &str| {
        container["env"].as_array().unwrap().iter().find(|set| set["name"] == name).map(|set| &set["value"])
    };
    assert_eq!(set("SHARDS").and_then(Value::as_str), Some(job["completions"].to_string().as_str()));
    let config = map["data"]["pgassay.yaml"].as_str().expect("a config");
    assert!(!text.contains("password:") && config.contains("targets:"));
    let script = container["args"][0].as_str().expect("a script");
    let pgpass = format!("{here}/copy");
    let pod = |config: &str, script: &str, index: &str| {
        let env = [
            ("CONFIG", config),
            ("SECRETS", &here),
            ("PGPASSFILE", &pgpass),
            ("SHARDS", "2"),
            ("JOB_COMPLETION_INDEX", index),
        ];
        run(script, &env)
    };
    let shards = ["0", "1"].map(|index| pod(&here, script, index).expect(0));
    let read: usize =
        shards.iter().map(|shard| ["shop", "billing"].iter().filter(|name| shard.stdout.contains(*name)).count()).sum();
    assert_eq!(read, 2, "{shards:#?}");
    // Both have kept their run in the one history.
    let kept = yard.pgassay(&["history", "list", "--format", "json"]).run().expect(0);
    assert_eq!(overview(&kept)["runs"].as_array().map(Vec::len), Some(2));
    // The config in it loads: that nobody answers is all that is wrong.
    std::fs::create_dir(yard.path().join("map")).expect("made");
    yard.write("map/pgassay.yaml", config);
    let hasty = script.replace("--quiet", "--quiet --connect-timeout 2s");
    let told = pod(&format!("{here}/map"), &hasty, "1");
    assert!(told.stderr.contains("1 of 1 targets failed: billing\n"), "{told:?}");

    // systemd: an instance is a shard.
    let unit = contrib("systemd/pgassay@.service");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    let command = command.replace("/etc/pgassay", &here).replace("/var/lib/pgassay", &here);
    let command = command.replace("%I", "1/1").replace("%i", "1-1").replace(" * ", " '*' ");
    run(&format!("{command} --fail-on never"), &[]).expect(0);
    assert_eq!(json(&yard.path().join("overview-1-1.json"))["summary"]["audited"], 2);
    assert_eq!(std::fs::read_dir(yard.path().join("reports")).expect("made").count(), 2);
    let units = yard.path().join("units");
    std::fs::create_dir(&units).expect("made");
    let verified = ["service", "timer"].map(|kind| {
        let path = units.join(format!("pgassay@1-1.{kind}"));
        let text = contrib(&format!("systemd/pgassay@.{kind}"));
        std::fs::write(&path, text.replace("ExecStart=pgassay ", "ExecStart=true ")).expect("written");
        path.display().to_string()
    });
    taken_by("systemd-analyze", &["verify", "--man=no", &verified[0], &verified[1]]);
}
