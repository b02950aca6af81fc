//! The script of the CI job that `init ci` prints, run as a runner would: green for the same version twice, red for
//! each planted regression.

use crate::support::app::{DATA, Dice, Fault, visit};
use crate::support::{Outcome, Report, Yard, newest, with_statements};
use pgassay::demo::{Cluster, SUPERUSER};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Visits of a run of the workload.
const VISITS: u64 = 60;

/// What the project brings along: its commands are files of it, so that each version has its own.
const SETUP: &str = "sh bin/setup";
const WORKLOAD: &str = "psql -qX -v ON_ERROR_STOP=1 -f workload.sql > answers";
const SETUP_FILE: &str = "set -e
psql -qX -v ON_ERROR_STOP=1 -f schema.sql
sed \"s/{}/$PGDATABASE/\" migration.sql | psql -qX -v ON_ERROR_STOP=1
";

/// A project under version control, with its job.
struct Project {
    folder: PathBuf,
    home: PathBuf,
    programs: PathBuf,
    script: String,
    environment: Vec<(String, String)>,
}

impl Project {
    fn started(yard: &Yard) -> Self {
        let args = ["init", "ci", "--github", "--setup", SETUP, "--workload", WORKLOAD];
        let job: Value = serde_yaml::from_str(&yard.pgassay(&args).run().expect(0).stdout).expect("YAML");
        let job = &job["jobs"]["workload"];
        let environment = job["env"].as_object().expect("variables").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let programs = yard.path().join("bin");
        std::fs::create_dir(&programs).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pgassay"), programs.join("pgassay")).expect("a link");
        let project = Self {
            folder: yard.path().join("project"),
            home: yard.home(),
            programs,
            script: text(&job["steps"][3]["run"]),
            environment: environment.map(|(name, value)| (name.clone(), text(value))).collect(),
        };
        std::fs::create_dir_all(project.folder.join("bin")).expect("a folder");
        project.git(&["init", "-q", "."]);
        std::fs::write(project.folder.join("bin/setup"), SETUP_FILE).expect("written");
        let data: Vec<&str> = DATA.iter().copied().filter(|sql| !sql.starts_with("create extension")).collect();
        std::fs::write(project.folder.join("schema.sql"), data.join(";\n")).expect("written");
        project.write(None, 1);
        project.commit("base");
        project
    }

    /// The version with this fault.
    fn write(&self, fault: Option<Fault>, dice: u64) {
        let mut dice = Dice::new(dice);
        let asked: Vec<String> = (1..=VISITS).flat_map(|number| visit(fault, &mut dice, number)).collect();
        std::fs::write(self.folder.join("workload.sql"), asked.join(";\n")).expect("written");
        let migration = fault.and_then(Fault::migration).unwrap_or_default();
        std::fs::write(self.folder.join("migration.sql"), migration).expect("written");
    }

    fn commit(&self, what: &str) {
        self.git(&["add", "-A"]);
        self.git(&["-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-qm", what]);
    }

    fn git(&self, args: &[&str]) {
        let output = self.command("git", &self.folder).args(args).output().expect("git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.programs.display());
        command.env_clear().env("PATH", path).env("HOME", &self.home).env("USER", "runner").current_dir(folder);
        command
    }

    /// A fresh checkout of the head, and the job in it.
    fn run(&self, cluster: &Cluster, name: &str) -> (Outcome, PathBuf) {
        let checkout = self.folder.with_file_name(name);
        self.git(&["clone", "-q", ".", checkout.to_str().expect("UTF-8")]);
        let mut shell = self.command("/bin/sh", &checkout);
        shell.args(["-c", &self.script]).envs(self.environment.iter().cloned());
        // What the runner would know: the commit that the change is based on, the server, where summaries go.
        shell.env("BASE", "HEAD~").env("PGPORT", cluster.port().to_string()).env("PGUSER", SUPERUSER);
        shell.env("GITHUB_STEP_SUMMARY", checkout.join("summary"));
        (Outcome::of(&shell.output().expect("sh")), checkout)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_is_green_for_the_same_version_and_red_for_each_regression() {
    let yard = Yard::open();
    let cluster = yard.listening(&newest(), &with_statements());
    let project = Project::started(&yard);
    let mut wrong = Vec::new();
    for fault in std::iter::once(None).chain(Fault::ALL.map(Some)) {
        let name = fault.map_or("same".to_owned(), |fault| format!("{fault:?}").to_lowercase());
        project.write(fault, 2);
        project.commit(&name);
        let (outcome, checkout) = project.run(&cluster, &name);
        let summary = std::fs::read_to_string(checkout.join("summary")).unwrap_or_default();
        let is_right = match fault {
            None => outcome.code == Some(0),
            Some(fault) => outcome.code == Some(1) && finds(&checkout, fault),
        };
        if !is_right || !summary.contains("pgassay") {
            wrong.push(format!("{name}: {:?}\n{}\n{}\n{summary}", outcome.code, outcome.stdout, outcome.stderr));
        }
        let drop = "drop database pgassay_base; drop database pgassay_head";
        let admin = cluster.session("postgres", SUPERUSER, "runner").await.expect("a session");
        for statement in drop.split(';') {
            admin.execute(statement).await.expect("dropped");
        }
        project.git(&["reset", "-q", "--hard", "HEAD~"]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The artifact names the rule that is for this fault.
fn finds(checkout: &Path, fault: Fault) -> bool {
    let sarif = std::fs::read_to_string(checkout.join("pgassay.sarif")).expect("an artifact");
    let report = Report(serde_json::from_str(&sarif).expect("JSON"));
    let results = report.0["runs"][0]["results"].as_array().cloned().unwrap_or_default();
    results.iter().any(|result| result["ruleId"] == fault.finding().0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workload_that_fails_fails_the_job() {
    let yard = Yard::open();
    let cluster = yard.listening(&newest(), &with_statements());
    let project = Project::started(&yard);
    std::fs::write(project.folder.join("workload.sql"), "select nonsense").expect("written");
    project.commit("broken");
    let (outcome, checkout) = project.run(&cluster, "broken");
    assert_ne!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("column \"nonsense\" does not exist"), "{}", outcome.stderr);
    assert!(!checkout.join("pgassay.md").exists(), "nothing was compared");
}
