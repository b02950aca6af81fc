//! The binary from outside, without a server: exit codes, both streams, errors, files.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop")]

#[path = "cli/advise.rs"]
mod advise;
#[path = "cli/change.rs"]
mod change;
#[path = "cli/diff.rs"]
mod diff;
#[path = "cli/fleet.rs"]
mod fleet;
#[path = "cli/history.rs"]
mod history;
#[path = "cli/init.rs"]
mod init;
#[path = "cli/measure.rs"]
mod measure;
#[path = "cli/pool.rs"]
mod pool;
#[path = "cli/streams.rs"]
mod streams;

use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// The binary in an empty folder and environment.
struct Desk {
    folder: TempDir,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn write(&self, file: &str, text: &str) -> &Self {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).expect("made");
        fs::write(path, text).expect("written");
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::cargo_bin("pgassay").expect("built");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("USER", "me").current_dir(self.folder.path());
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        let output = self.command().args(args).output().expect("run");
        Said {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    fn audit(&self, args: &[&str]) -> Said {
        let shop = fixture("snapshots/shop.json.zst");
        let mut all = vec!["audit", "--from", shop.to_str().unwrap()];
        all.extend(args);
        self.run(&all)
    }
}

#[test]
fn a_replay_needs_no_server_and_gates() {
    let desk = Desk::new();
    let said = desk.audit(&[]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    assert!(said.out.contains("sequence_exhaustion  shop.invoices_id_seq"), "{}", said.out);
    assert_eq!(desk.audit(&["--fail-on", "never"]).code, 0);
    assert_eq!(desk.audit(&["--only", "txid_wraparound", "--fail-on", "info"]).code, 0);
    assert_eq!(desk.audit(&["--only", "index", "--fail-on", "warning"]).code, 1);
}

#[test]
fn several_formats_come_from_one_run_and_files_are_whole() {
    let desk = Desk::new();
    let said = desk.audit(&["--format", "json", "--output", "table=report.txt", "--output", "json=report.json"]);
    let json = fs::read_to_string(desk.folder.path().join("report.json")).expect("written");
    assert_eq!(json, said.out);
    assert!(fs::read_to_string(desk.folder.path().join("report.txt")).expect("written").contains("CRITICAL"));
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 2);
    let said = desk.audit(&["--output", "json=/nowhere/report.json"]);
    assert_eq!(said.code, 2);
    assert!(said.err.starts_with("pgassay: cannot write /nowhere/report.json: "), "{}", said.err);
}

#[test]
fn a_baseline_gates_only_what_is_new() {
    let desk = Desk::new();
    let first = ["--format", "json", "--output", "json=all.json"];
    assert_eq!(desk.audit(&first).code, 1);
    let said = desk.audit(&["--baseline", "all.json", "--fail-on-new", "--output", "json=again.json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains(": 0 new, 0 gone; only new ones can fail the run"), "{}", said.out);
    assert_eq!(desk.audit(&["--baseline", "all.json"]).code, 1, "all count without --fail-on-new");
    let mut report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(desk.folder.path().join("all.json")).unwrap()).unwrap();
    report["findings"].as_array_mut().unwrap().remove(0);
    desk.write("ops/most.json", &report.to_string());
    desk.write("ops/pgassay.yaml", "audit: {baseline: most.json, fail_on_new: true}\n");
    let said = desk.audit(&["--config", "ops/pgassay.yaml"]);
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(said.out.contains("  (new)\n") && said.out.contains(": 1 new, 0 gone"), "{}", said.out);
    report["target"]["system_identifier"] = "1".into();
    desk.write("other.json", &report.to_string());
    let said = desk.audit(&["--baseline", "other.json", "--fail-on-new"]);
    assert_eq!(said.err, "baseline other.json: it is of another cluster; findings are compared by rule and object\n");
    assert!(said.out.contains(", of another cluster: 1 new, 0 gone"), "{}", said.out);
    report["target"]["databases"] = vec!["crm"].into();
    report["target"]["database"] = "crm".into();
    desk.write("crm.json", &report.to_string()).write("snapshot.json", "{\"format_version\": 1}");
    for (file, told) in [
        ("crm.json", "baseline crm.json: it is of database crm, this run of shop"),
        ("snapshot.json", "snapshot.json: no JSON report of pgassay"),
    ] {
        let said = desk.audit(&["--baseline", file, "--output", "json=not.json"]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{file}");
        assert!(said.err.contains(told), "{file}: {}", said.err);
        assert!(!desk.folder.path().join("not.json").exists());
    }
}

#[test]
fn usage_errors_exit_with_2_and_name_the_next_step() {
    let desk = Desk::new();
    fs::create_dir(desk.folder.path().join("empty")).unwrap();
    fs::write(desk.folder.path().join("binary"), [0xff, 0xfe, 0]).unwrap();
    desk.write("list.yaml", "rules: [1]\n");
    for (args, told) in [
        (vec!["audit", "--rules", "empty"], "empty: no rule files (*.yaml) there"),
        (vec!["rules", "check", "binary"], "binary: no text: it is not UTF-8"),
        (vec!["audit", "--config", "binary"], "config binary: no text: it is not UTF-8"),
        (vec!["audit", "--config", "list.yaml"], "list.yaml:1:8: rules: invalid type: sequence, expected a map"),
        (vec!["audit", "--output", "json=", "host=x"], "--output json=: write FORMAT=FILE"),
        (vec!["audit", "mysql://db/x"], "a target is a URL (postgres://…), key=value pairs, or a name"),
        (vec!["audit", "--frm", "x"], "tip: a similar argument exists: '--from'"),
        (vec!["audit", "nowhere"], "`nowhere` is no URL and no key=value pair, and the config names no targets"),
        (vec!["audit", "--from", "none.zst"], "none.zst: No such file or directory"),
        (
            vec!["audit", "--only", "indx"],
            "no rule, area or tag `indx` (`pgassay rules list` shows all) — did you mean `index`?",
        ),
        (
            vec!["audit", "--param", "slow_query.min_mean=5"],
            "rule `slow_query` has no parameter `min_mean`; its own: min_calls, min_mean_ms",
        ),
        (
            vec!["audit", "--param", "slow_qery.min_mean_ms=5"],
            "no rule `slow_qery` (`pgassay rules list` shows all) — did you mean `slow_query`?",
        ),
        (vec!["audit", "--param", "slow_query.min_mean_ms=5parsec"], "\"parsec\" is not a unit of time"),
        (vec!["audit", "--param", "x"], "write RULE.PARAM=VALUE"),
        (
            vec!["audit", "--output", "pdf=x"],
            "the format should be table, json, markdown, sarif, junit, github, gitlab, csv, prometheus or html",
        ),
        (vec!["audit", "--from", "x", "--fail-on-new"], "--fail-on-new needs a baseline"),
        (vec!["audit", "--from", "x", "--baseline", "none.json"], "none.json: No such file or directory"),
        (vec!["audit", "--statement-timeout", "0", "host=x"], "should be between 1ms and 1d"),
        (vec!["audit", "--sample", "10", "host=x"], "sample: `10` has no unit: write it as in 10s"),
        (vec!["snapshot", "host=/nowhere", "-o", "no/x.json"], "cannot write no/x.json: there is no folder no"),
        (vec!["audit", "sslcrl=x"], "`sslcrl` is not supported"),
        (vec!["audit", "--config", "none.yaml"], "config none.yaml: No such file or directory"),
        (vec!["audit", "--rules", "none"], "none: No such file or directory"),
        (vec!["rules", "show", "slow_querry"], "did you mean `slow_query`?"),
        (vec!["rules", "fields", "indxes"], "no facet `indxes` — did you mean `indexes`?"),
        (vec!["rules", "new", "my_rule"], "should be AREA/ID"),
        (vec!["rules", "new", "idx/my_rule"], "should be one of query, index"),
        (vec!["demo", "--pg-bin", "/nowhere"], "no `initdb` and `postgres` of 13 or later in /nowhere"),
    ] {
        let said = desk.run(&args);
        assert_eq!(said.code, 2, "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
        assert_eq!(said.out, "", "{args:?}");
    }
}

#[test]
fn a_schema_that_is_not_there_is_told() {
    let desk = Desk::new();
    let said = desk.audit(&["--schema", "shop,shpo,s*"]);
    assert_eq!(said.err, "--schema shpo: no schema of that name has a table\n");
    assert_eq!(desk.audit(&["--schema", "shop,shpo", "--quiet"]).err, "");
    let shop = fixture("snapshots/shop.json.zst");
    let shop = shop.to_str().unwrap();
    for command in [["audit", "--from", shop], ["plan", "--from", shop], ["diff", shop, shop]] {
        let said = desk.run(&[&command[..], &["--schema", "shpo,crm*"]].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{command:?}");
        assert!(said.err.contains("--schema shpo, crm*: no schema of that name has a table, so that"), "{}", said.err);
        assert!(said.err.contains("there are shop"), "{}", said.err);
    }
}

#[test]
fn a_server_that_is_not_there_is_told_with_cause_and_next_step() {
    let desk = Desk::new();
    let said = desk.run(&["audit", "postgres://u:S3cret@127.0.0.1:1/shop"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("cannot connect to 127.0.0.1:1/shop: "), "{}", said.err);
    assert!(said.err.contains("Connection refused"), "{}", said.err);
    assert!(said.err.contains("next: check that the server runs there"), "{}", said.err);
    assert!(!said.err.contains("S3cret"));
    let said = desk.run(&["audit", "host=/nowhere dbname=shop"]);
    assert!(said.err.contains("no socket there"), "{}", said.err);
    assert!(!said.err.contains("nothing names a server"), "{}", said.err);
    let unnamed = desk.command().env("PGPORT", "1").arg("audit").output().expect("run");
    let said = String::from_utf8(unnamed.stderr).expect("UTF-8");
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(said.contains("next: ") && said.contains("\n  nothing names a server, "), "{said}");
    let said = desk.run(&["audit", "host=no-such-host.invalid dbname=shop"]);
    assert!(said.err.contains("the name has no address"), "{}", said.err);
}

#[test]
fn damaged_snapshots_are_refused() {
    let desk = Desk::new();
    desk.write("a.json", "{}").write("b.json", "{\"format_version\": 77}").write("c.zst", "\u{28}");
    fs::write(desk.folder.path().join("d.zst"), [0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]).unwrap();
    for (file, told) in
        [("a.json", "not a snapshot"), ("b.json", "format 77"), ("c.zst", "not a snapshot"), ("d.zst", "d.zst: ")]
    {
        let said = desk.run(&["audit", "--from", file]);
        assert_eq!(said.code, 2, "{file}");
        assert!(said.err.contains(told), "{file}: {}", said.err);
    }
}

#[test]
fn the_config_tunes_waives_and_is_checked() {
    let desk = Desk::new();
    desk.write(
        "pgassay.yaml",
        "rules:
  params: {slow_query.min_mean_ms: 20ms}
  severity: {sequence_exhaustion: info}
audit: {fail_on: critical}
waivers:
  - {rule: partition_runway, object: \"shop.page_*\", reason: \"moved in December\", until: 2999-01-31, owner: me}
  - {rule: no_primary_key, object: \"shop.audit_log\", reason: \"was accepted\", until: 2020-01-31, owner: me}
  - {rule: duplicate_index, object: \"shop.gone\", reason: \"gone\", until: null, owner: null}
",
    );
    let said = desk.audit(&[]);
    assert_eq!(said.code, 0, "{}", said.out);
    for part in [
        "slow_query",
        "WAIVED",
        "moved in December (me), until 2999-01-31",
        "waiver_expired",
        "waiver_unused",
        "no_primary_key",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    for (text, told) in [
        (
            "rules:\n  params: {slow_query.min_mean_mss: 1}\n",
            "pgassay.yaml:2:12: rule `slow_query` has no parameter `min_mean_mss`",
        ),
        (
            "rules:\n  severity: {slow_querry: info}\n",
            "pgassay.yaml:2:14: no rule `slow_querry` (`pgassay rules list` shows all) — did you mean `slow_query`?",
        ),
        (
            "waivers:\n  - {rule: nope, object: x, reason: y, until: null, owner: null}\n",
            "pgassay.yaml:2:12: a waiver names `nope`",
        ),
        ("waivers:\n  - {rule: slow_query, object: x, reason: y, until: soon, owner: null}\n", "pgassay.yaml:2:"),
        ("audit: {fail_on: bad}\n", "pgassay.yaml:1:18: audit.fail_on: unknown variant `bad`, expected one of `info`"),
        ("audit: {format: pdf}\n", "pgassay.yaml:1:17: audit.format: unknown variant `pdf`, expected one of `table`"),
        ("rules:\n\tx: 1\n", "pgassay.yaml:2:1"),
        ("targets: {shop: {url: \"postgres://u:S3cret@h/d\"}}\n", "holds a password"),
    ] {
        let said = desk.write("pgassay.yaml", text).audit(&[]);
        assert_eq!(said.code, 2, "{text}");
        assert!(said.err.contains(told), "{text}\n  wanted: {told}\n  said: {}", said.err);
        assert!(!said.err.contains("S3cret"));
    }
}

#[test]
fn a_rule_is_written_checked_and_tested() {
    let desk = Desk::new();
    let said = desk.run(&["rules", "new", "index/my_rule", "--into", "ops"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(desk.run(&["rules", "check", "ops"]).out, "1 rule file is sound\n");
    let said = desk.run(&["rules", "test", "ops"]);
    assert_eq!((said.code, said.out.as_str()), (0, "2 fixtures of 1 rule, 0 failed\n"), "{}", said.err);
    assert!(desk.run(&["rules", "list", "--rules", "ops", "--only", "my_rule"]).out.contains("(pack)"));
    assert!(desk.audit(&["--rules", "ops", "--only", "my_rule", "--fail-on", "never"]).out.contains("1 found"));
    assert_eq!(desk.run(&["rules", "new", "index/my_rule", "--into", "ops"]).code, 2, "nothing is overwritten");
    desk.write("ops/fixtures/my_rule/quiet_small.yaml", "snapshot: {}\nexpect: [{object: a.b, severity: info}]\n");
    let said = desk.run(&["rules", "test", "ops"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("quiet_small.yaml\n  not found: "), "{}", said.out);
    desk.write("ops/index/my_rule.yaml", "id: my_rule\n");
    let said = desk.run(&["rules", "check", "ops"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("ops/index/my_rule.yaml:1:1: missing field `title`"), "{}", said.err);
}

#[test]
fn the_built_in_rules_pass_their_own_command() {
    let folder = fixture("rules");
    let said = Desk::new().run(&["rules", "test", "--fixtures", folder.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.out);
}

#[test]
fn every_command_helps_with_two_examples() {
    let desk = Desk::new();
    for command in [
        vec!["audit"],
        vec!["snapshot"],
        vec!["demo"],
        vec!["completions"],
        vec!["man"],
        vec!["rules"],
        vec!["rules", "list"],
        vec!["rules", "show"],
        vec!["rules", "check"],
        vec!["rules", "test"],
        vec!["rules", "new"],
        vec!["rules", "fields"],
        vec!["rules", "schema"],
        vec!["plan"],
        vec!["apply"],
        vec!["apply", "status"],
        vec!["apply", "resume"],
        vec!["apply", "undo"],
        vec!["verify"],
        vec!["advise"],
        vec!["measure"],
        vec!["init"],
        vec!["init", "role"],
        vec!["init", "config"],
        vec!["init", "cron"],
        vec!["init", "ci"],
    ] {
        let mut args = command.clone();
        args.push("--help");
        let said = desk.run(&args);
        assert_eq!(said.code, 0, "{command:?}");
        let examples = said.out.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{command:?} has no examples"));
        let start = format!("  pgassay {}", command[0]);
        assert!(examples.lines().filter(|line| line.starts_with(&start)).count() >= 2, "{command:?}: {examples}");
    }
}

#[test]
fn completions_and_manual_are_made() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(desk.run(&["completions", shell]).out.contains("fail-on"), "{shell}");
    }
    assert!(desk.run(&["man"]).out.contains(".TH pgassay"));
    let said = desk.run(&["man", "--into", "share/man1"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    let pages = fs::read_dir(desk.folder.path().join("share/man1")).unwrap().map(|page| page.unwrap().file_name());
    let pages: Vec<_> = pages.collect();
    for page in ["pgassay.1", "pgassay-audit.1", "pgassay-rules-test.1", "pgassay-partition-convert.1"] {
        assert!(pages.iter().any(|name| name == page), "{page}: {pages:?}");
    }
    assert_eq!(desk.run(&["man", "audits"]).code, 2);
}

#[test]
fn the_pictures_show_the_report_of_today() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (what, file) in [("terminal", "terminal.svg"), ("page", "report.cksum")] {
        let mut draw = Command::new(root.join("scripts/pictures"));
        let drawn = draw.arg(what).env("PGASSAY", assert_cmd::cargo::cargo_bin!("pgassay")).output().expect("run");
        assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
        let stored = fs::read_to_string(root.join("docs/pictures").join(file)).expect("kept");
        assert_eq!(stored, String::from_utf8_lossy(&drawn.stdout), "{file}: run `make pictures`");
    }
}

#[test]
fn the_version_tells_builds_apart() {
    let desk = Desk::new();
    let short = desk.run(&["-V"]).out;
    assert_eq!(short, format!("pgassay {}\n", env!("CARGO_PKG_VERSION")));
    let long = desk.run(&["--version"]).out;
    let facts = long.strip_prefix(&short).expect("begins with the same line");
    let names: Vec<_> = facts.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    assert_eq!(names, ["commit", "target", "parser", "servers"]);
    assert!(facts.contains("PostgreSQL 13 to 18") && facts.contains(std::env::consts::ARCH), "{long}");
}

#[test]
fn the_schemas_are_published() {
    let desk = Desk::new();
    for (flag, file) in [
        ("", "rule"),
        ("--report", "report"),
        ("--snapshot", "snapshot"),
        ("--plan", "plan"),
        ("--advice", "advice"),
        ("--pool", "pool"),
        ("--measurement", "measurement"),
        ("--config-file", "config"),
    ] {
        let mut args = vec!["rules", "schema"];
        args.extend((!flag.is_empty()).then_some(flag));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{file}.json"));
        assert_eq!(desk.run(&args).out, fs::read_to_string(path).expect("published"), "run `make pages`");
    }
}

#[test]
fn the_static_profile_judges_what_an_empty_database_shows() {
    let desk = Desk::new();
    let said = desk.audit(&["--profile", "static"]);
    for found in ["duplicate_index", "redundant_index", "unindexed_foreign_key", "no_primary_key"] {
        assert!(said.out.contains(&format!("  {found}  ")), "{found}: {}", said.out);
    }
    for runtime in ["slow_query", "dead_rows", "unused_index"] {
        assert!(!said.out.contains(&format!("  {runtime}  ")), "{runtime}: {}", said.out);
    }
}

#[test]
fn schemas_are_chosen_by_name() {
    let desk = Desk::new();
    let found = |args: &[&str]| desk.audit(args).out.contains("no_primary_key  shop.audit_log");
    assert!(found(&["--schema", "sh*"]) && found(&["--exclude-schema", "pg_*"]));
    assert!(!found(&["--schema", "public"]) && !found(&["--exclude-schema", "shop"]));
}

#[test]
fn colour_only_when_asked() {
    let desk = Desk::new();
    assert!(!desk.audit(&[]).out.contains('\u{1b}'));
    assert!(desk.audit(&["--color", "always"]).out.contains('\u{1b}'));
    assert!(!desk.audit(&["--color", "never"]).out.contains('\u{1b}'));
}
