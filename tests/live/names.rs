//! Names and texts that try to break out: of SQL, of templates, of the terminal and of each format. They
//! are shown as what they are, and found again by a waiver.

use crate::support::{Outcome, Yard, newest, oldest, until, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::postgres::Scratch;
use std::collections::BTreeSet;

const DATABASE: &str = "o'dd {{ 61 * 61 * 61 * 61 }} %n \"db\" \\";

/// Each a table without a key, in a schema like it.
const NAMES: &[&str] = &[
    "semi; drop table x; -- comment",
    "/* open comment",
    "line\nbreak \u{1b}[31mred\u{7}\r",
    "{{ 61 * 61 * 61 * 61 }} {% raw %} {# a #}",
    "quo\"te.dot.'single' $1 $$",
    "%n%s \\ \\n ${HOME} `id`",
    "<script>alert(1)</script> & ]]> --> |",
    "\u{202e}right to left\u{2066}",
    "éééééééééééééééééééééééééééééé123",
    "Capital",
    "select",
    " ",
];

/// What comes out of a template that was taken for one.
const RENDERED: &str = "13845841";

const FORMATS: &[&str] = &["table", "json", "markdown", "sarif", "junit", "github", "gitlab", "csv"];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn open(yard: &Yard, binaries: &Binaries) -> (Cluster, Vec<Scratch>) {
    let cluster = yard.start(binaries, &with_statements());
    let postgres = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    postgres.execute(&format!("create database {}", quoted(DATABASE))).await.expect("a database");
    let admin = cluster.session(DATABASE, SUPERUSER, "setup").await.expect("a session");
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    let mut sessions = vec![postgres];
    for name in NAMES {
        let name = quoted(name);
        let made = format!(
            "create schema {name}; create table {name}.{name} ({name} int, note text);
             insert into {name}.{name} select i, 'note' from generate_series(1, 2000) as i; analyze {name}.{name};
             create role {name} login; grant usage on schema {name} to {name}; grant all on {name}.{name} to {name}"
        );
        admin.execute(&made).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for name in NAMES {
        // What it asks stays open, and counts as slow.
        let role = cluster.session(DATABASE, name, name).await.expect("a session");
        let name = quoted(name);
        let asked = format!(
            "select {name} as {name} from {name}.{name} where note = '\u{1b}[31m{{{{ 61 * 61 * 61 * 61 }}}}\n'"
        );
        role.execute("begin").await.expect("begun");
        role.execute(&asked).await.unwrap_or_else(|error| panic!("{asked}: {error}"));
        sessions.push(role);
    }
    let idle = format!("select count(*) = {} from pg_stat_activity where state = 'idle in transaction'", NAMES.len());
    until(&admin, &idle).await;
    sessions.push(admin);
    (cluster, sessions)
}

/// Everything that can be found of them is.
const EAGER: &[&str] = &[
    "--fail-on",
    "never",
    "--param",
    "idle_in_transaction.min_seconds=0",
    "--param",
    "slow_query.min_mean_ms=0",
    "--param",
    "slow_query.min_calls=1",
    "--param",
    "time_hog.min_pct=0",
    "--param",
    "time_hog.min_total_seconds=0",
];

fn audit(yard: &Yard, dsn: &str, args: &[&str]) -> Outcome {
    yard.audit(&[&[dsn], EAGER, args].concat()).run().expect(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_on_the_oldest() {
    nothing_breaks_out(&oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_on_the_newest() {
    nothing_breaks_out(&newest()).await;
}

async fn nothing_breaks_out(binaries: &Binaries) {
    let yard = Yard::open();
    let (cluster, sessions) = open(&yard, binaries).await;
    let dsn = cluster.dsn(SUPERUSER, &format!("'{}'", DATABASE.replace('\\', "\\\\").replace('\'', "\\'")));

    let outcome = audit(&yard, &dsn, &["--format", "json", "--save", "odd.json.zst"]);
    let report = outcome.report();
    report.assert_calm();
    assert_eq!(report.gaps(), []);
    assert_eq!(report.0["target"]["database"], DATABASE);
    let findings = report.0["findings"].as_array().expect("findings");
    let of = |rule: &'static str| findings.iter().filter(move |finding| finding["rule"] == rule);
    let named: BTreeSet<&str> = of("no_primary_key").filter_map(|finding| finding["object"]["name"].as_str()).collect();
    assert_eq!(named, NAMES.iter().copied().collect(), "each by its own name");
    assert!(of("slow_query").count() >= NAMES.len(), "each statement is one");
    assert_eq!(of("idle_in_transaction").count(), NAMES.len());

    let mut complaints = Vec::new();
    for format in FORMATS {
        for color in ["never", "always"] {
            let outcome = audit(&yard, &dsn, &["--format", format, "--color", color]);
            let ours = color == "always" && *format == "table";
            let is_odd = |c: char| c.is_control() && c != '\n' && !(ours && c == '\u{1b}');
            let lines = || outcome.stdout.lines();
            let what = format!("{format} --color {color}");
            let show = |line: &str| format!("{what}: {}", line.chars().take(300).collect::<String>().escape_debug());
            complaints.extend(lines().filter(|line| line.chars().any(is_odd)).map(show));
            complaints.extend(lines().filter(|line| line.contains(RENDERED)).map(show));
            complaints.extend(lines().filter(|line| line.contains("\u{1b}[31mred")).map(show));
            if !matches!(*format, "json" | "sarif" | "gitlab") {
                complaints.extend(lines().filter(|line| line.contains('\u{202e}')).map(show));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));

    waived(&yard, &dsn, &report.0);
    let again = yard.audit(&[&["--from", "odd.json.zst", "--format", "json"], EAGER].concat()).run().expect(0).report();
    assert_eq!(again.0["findings"], report.0["findings"], "a replay says the same");
    drop(sessions);
}

/// Waivers for what was found, by its path, silence all of it.
fn waived(yard: &Yard, dsn: &str, report: &serde_json::Value) {
    let findings = report["findings"].as_array().expect("findings");
    let tables = findings.iter().filter(|finding| finding["rule"] == "no_primary_key");
    let waivers: Vec<serde_json::Value> = tables
        .map(|finding| {
            let path = &finding["object"]["path"];
            serde_json::json!({"rule": "no_primary_key", "object": path, "reason": "odd", "until": "2999-01-01"})
        })
        .collect();
    assert_eq!(waivers.len(), NAMES.len());
    let config = serde_yaml::to_string(&serde_json::json!({"waivers": waivers})).expect("YAML");
    yard.write("odd.yaml", &config);
    let report = audit(yard, dsn, &["--format", "json", "--config", "odd.yaml"]).report();
    assert_eq!((report.status("no_primary_key"), report.status("waiver_unused")), ("waived".into(), "passed".into()));
}
