//! `plan`, `apply` and `verify`, as far as they go without a server.

use super::{Desk, Said, fixture};
use serde_json::{Value, json};
use std::fs;

/// A socket in no folder: nobody answers there.
const NOBODY: &str = "host=/nowhere dbname=shop user=me";

impl Desk {
    /// The plan of the stored shop.
    fn plan(&self, args: &[&str]) -> Said {
        let (shop, config) = (fixture("snapshots/shop.json.zst"), fixture("schema/shop/pgassay.yaml"));
        let mut all = vec!["plan", "--from", shop.to_str().unwrap(), "--config", config.to_str().unwrap()];
        all.extend(args);
        self.run(&all)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).expect("written")
    }

    fn unable(&self, args: &[&str], told: &str) {
        let said = self.run(args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
    }
}

#[test]
fn a_plan_needs_no_server_and_keeps_its_schema() {
    let desk = Desk::new();
    let said = desk.plan(&["-o", "plan.json", "--sql", "plan.sql"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.starts_with("9 steps for database shop, planned "), "{}", said.out);
    assert!(said.out.contains("\nLEFT TO YOU\n"), "{}", said.out);
    let plan: Value = serde_json::from_str(&desk.read("plan.json")).expect("JSON");
    let schema: Value = serde_json::from_str(&desk.run(&["rules", "schema", "--plan"]).out).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&plan).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(desk.read("plan.sql").contains("\\set ON_ERROR_STOP on\n"));
    let first = (desk.read("plan.json"), desk.read("plan.sql"));
    let again = desk.plan(&["-o", "plan.json", "--sql", "plan.sql", "--quiet"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "files alone");
    assert_eq!(first, (desk.read("plan.json"), desk.read("plan.sql")), "the same bytes");
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 2);
}

#[test]
fn a_plan_takes_chosen_rules_or_the_findings_of_a_report() {
    let desk = Desk::new();
    let only = desk.plan(&["--only", "duplicate_index"]);
    assert!(only.out.starts_with("1 step for") && !only.out.contains("LEFT"), "{}", only.out);
    let none = desk.plan(&["--only", "txid_wraparound", "-o", "plan.json"]);
    assert_eq!(none.code, 0);
    assert!(none.out.starts_with("0 steps for"), "{}", none.out);

    let config = fixture("schema/shop/pgassay.yaml");
    assert_eq!(desk.audit(&["--config", config.to_str().unwrap(), "--output", "json=report.json"]).code, 1);
    let all = desk.plan(&[]);
    assert_eq!(desk.plan(&["--from-report", "report.json"]).out, all.out, "the same findings");
    let named = desk.plan(&["--from-report", "report.json", "--only", "duplicate_index"]);
    assert_eq!(named.out, only.out);
    let elsewhere = desk.plan(&["--from-report", "report.json", "--exclude-schema", "shop"]);
    assert!(elsewhere.out.starts_with("0 steps for"), "{}", elsewhere.out);

    let mut report: Value = serde_json::from_str(&desk.read("report.json")).expect("JSON");
    report["target"]["system_identifier"] = json!("4711");
    desk.write("other.json", &report.to_string()).write("empty.json", "");
    for (file, told) in [
        ("other.json", "the report is of another server"),
        ("empty.json", "empty.json: not a JSON report of pgassay"),
        ("none.json", "none.json: No such file or directory"),
    ] {
        let said = desk.plan(&["--from-report", file]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{file}");
        assert!(said.err.contains(told), "{file}: {}", said.err);
    }
}

#[test]
fn a_plan_of_a_snapshot_changes_nothing() {
    let desk = Desk::new();
    desk.unable(&["plan", "--from", "x", "--yes"], "'--from <FILE>' cannot be used with '--yes'");
    desk.unable(&["plan", "--from", "x", "--dry-run"], "cannot be used with");
    desk.unable(&["plan", "--from", "x", NOBODY], "cannot be used with");
    desk.unable(&["plan", "--yes", "--dry-run", NOBODY], "cannot be used with");
    desk.unable(&["plan", "--from", "none.zst"], "none.zst: No such file or directory");
    desk.unable(&["plan", "--only", "indx"], "did you mean `index`?");
    desk.unable(&["plan", "--all-databases"], "unexpected argument '--all-databases'");
    desk.unable(&["plan", NOBODY], "no socket there");
}

#[test]
fn a_plan_that_is_none_is_refused_before_anything_is_asked() {
    let desk = Desk::new();
    assert_eq!(desk.plan(&["-o", "plan.json"]).code, 0);
    let plan: Value = serde_json::from_str(&desk.read("plan.json")).expect("JSON");
    let changed = |edit: &dyn Fn(&mut Value)| {
        let mut plan = plan.clone();
        edit(&mut plan);
        plan.to_string()
    };
    let cases = [
        (String::new(), "bad.json: not a plan of pgassay: EOF"),
        ("drop table t".to_owned(), "bad.json: not a plan of pgassay: expected"),
        ("{}".to_owned(), "bad.json: not a plan of pgassay: missing field"),
        (changed(&|plan| plan["plan_version"] = json!(2)), "bad.json: plan version 2, this program reads 1"),
        (
            changed(&|plan| {
                plan["plan_version"] = json!(2);
                plan["shape"] = json!("new");
            }),
            "bad.json: plan version 2, this program reads 1",
        ),
        (changed(&|plan| plan["steps"][0]["shape"] = json!("new")), "unknown field `shape`"),
        (
            changed(&|plan| plan["steps"][0]["statements"][0]["sql"] = json!("DROP TABLE shop.orders")),
            "bad.json: step 1: its SQL is not what its change says",
        ),
        (
            changed(&|plan| plan["steps"][0]["statements"][0]["class"] = json!("blocking")),
            "bad.json: step 1: its SQL is not what its change says",
        ),
        (changed(&|plan| plan["steps"][0]["undo"] = json!([])), "step 1: its SQL is not what its change says"),
        (changed(&|plan| plan["steps"][1]["id"] = json!(1)), "bad.json: step 1: another step has the same id"),
        (changed(&|plan| plan["steps"][0]["depends_on"] = json!([7])), "step 1: depends on step 7, which does not"),
        (changed(&|plan| plan["steps"][0]["change"]["kind"] = json!("drop_table")), "unknown variant `drop_table`"),
    ];
    for (text, told) in cases {
        desk.write("bad.json", &text);
        desk.unable(&["apply", "bad.json", NOBODY, "--yes"], told);
        desk.unable(&["verify", "bad.json", NOBODY], told);
    }
    desk.unable(&["apply", "none.json", NOBODY, "--yes"], "none.json: No such file or directory");
    desk.unable(&["apply"], "<PLAN>");
}

#[test]
fn nothing_is_applied_that_nobody_confirmed() {
    let desk = Desk::new();
    assert_eq!(desk.plan(&["-o", "plan.json"]).code, 0);
    let apply =
        |args: &[&str], told| desk.unable(&[&["apply", "plan.json", NOBODY, "--state", "s"], args].concat(), told);
    apply(&[], "nobody is there to be asked: carry it out with --yes, or look with --dry-run");
    apply(&["--yes", "--dry-run"], "cannot be used with");
    apply(&["--yes", "--step", "99"], "--step 99: the plan has steps 1 to 9");
    apply(&["--yes", "--step", "one"], "invalid value 'one'");
    apply(&["--yes", "--max-wait", "soon"], "max-wait: ");
    apply(&["--yes", "--max-wait", "0"], "max-wait: ");
    apply(&["--yes", "--free-disk", "5parsec"], "free-disk: \"parsec\" is not a unit of size");
    apply(&["--yes", "--parallel-workers", "65"], "65 is not in 0..=64");
    apply(&["--yes"], "no socket there");
    apply(&["--dry-run"], "no socket there");
    assert!(!desk.folder.path().join("s").exists(), "no journal of what was never begun");
    desk.unable(&["apply", "plan.json", "--yes", "--state", "s", "nowhere"], "`nowhere` is no URL");
}

#[test]
fn runs_are_told_where_there_are_none() {
    let desk = Desk::new();
    let said = desk.run(&["apply", "status", "--state", "s"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "no runs in s\n", ""));
    desk.unable(&["apply", "status", "20261120T073000Z-1", "--state", "s"], "no run 20261120T073000Z-1 in s;");
    desk.unable(&["apply", "status"], "neither HOME nor XDG_STATE_HOME is set: name a folder with --state");
    for verb in ["resume", "undo"] {
        let said = desk.run(&["apply", verb, NOBODY, "--state", "s", "--yes"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{verb}");
        assert!(said.out.contains("in database shop"), "{}", said.out);
        desk.unable(&["apply", verb, NOBODY, "--state", "s", "--run", "x"], "no run x in s;");
    }
    let said = desk.command().args(["apply", "status"]).env("HOME", "/home/me").output().expect("run");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "no runs in /home/me/.local/state/pgassay\n");
    desk.write("s/broken.jsonl", "{\"event\": \"ended\"}\n");
    desk.unable(&["apply", "status", "--state", "s"], "s/broken.jsonl: line 1: missing field `at`");
}

#[test]
fn the_folder_of_journals_stands_in_the_config() {
    let desk = Desk::new();
    desk.write("ops/pgassay.yaml", "change: {state: runs}\n");
    let said = desk.run(&["apply", "status", "--config", "ops/pgassay.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (0, "no runs in ops/runs\n"), "{}", said.err);
    assert_eq!(desk.plan(&["-o", "plan.json"]).code, 0);
    let wrong = ["apply", "plan.json", NOBODY, "--yes", "--config", "ops/pgassay.yaml"];
    desk.write("ops/pgassay.yaml", "change: {max_wait: soon}\n");
    desk.unable(&wrong, "ops/pgassay.yaml:1:10: max_wait: ");
    desk.write("ops/pgassay.yaml", "change: {max_wiat: 1s}\n");
    desk.unable(&wrong, "unknown field `max_wiat`");
    desk.write("ops/pgassay.yaml", "change: {parallel_workers: 65}\n");
    desk.unable(&wrong, "ops/pgassay.yaml:1:10: parallel_workers should be between 0 and 64");
}

#[test]
fn a_plan_that_was_never_applied_cannot_be_verified() {
    let desk = Desk::new();
    assert_eq!(desk.plan(&["-o", "plan.json"]).code, 0);
    let told = "this plan was not applied from here: s has no run of it";
    desk.unable(&["verify", "plan.json", NOBODY, "--state", "s"], told);
    desk.unable(&["verify", "plan.json", NOBODY, "--state", "s", "--min-calls", "0"], "0 is not in 1..");
    desk.unable(&["verify", "plan.json", NOBODY, "--from", "x"], "cannot be used with");
    desk.unable(&["verify", "plan.json", NOBODY, "--format", "csv"], "possible values: table, json");
    desk.unable(&["verify"], "<PLAN>");
}
