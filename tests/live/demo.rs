//! `pgassay demo` from outside: it shows the faults, and whatever happens leaves no process and no
//! folder behind, unless told to keep them.

use crate::support::{Outcome, Yard, newest, signal, signal_group, until_so};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The demo's command, with this yard as the folder for temporary files.
fn demo(yard: &Yard, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgassay"));
    command.arg("demo").args(args).env_clear().env("TMPDIR", yard.path()).env("HOME", yard.home());
    command.env("PGASSAY_PG_BIN", newest().folder).current_dir(yard.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Folders that the demo makes here.
fn folders(yard: &Yard) -> Vec<PathBuf> {
    let entries = yard.path().read_dir().expect("the yard").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.to_string_lossy().contains("/pgassay-")).collect()
}

/// Processes at work in a folder, also when it is deleted already.
fn processes(folder: &Path) -> Vec<u32> {
    let processes = Path::new("/proc").read_dir().expect("/proc").filter_map(|entry| Some(entry.ok()?.path()));
    let works_there = |path: &PathBuf| std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    let id = |path: PathBuf| path.file_name()?.to_str()?.parse().ok();
    processes.filter(works_there).filter_map(id).collect()
}

fn assert_nothing_left(yard: &Yard) {
    let left = (folders(yard), processes(yard.path()));
    assert_eq!(left, (vec![], vec![]), "folders and processes");
}

#[test]
fn it_shows_the_faults_and_leaves_nothing() {
    let yard = Yard::open();
    let since = Instant::now();
    let output = demo(&yard, &["--format", "json"]).output().expect("the demo");
    assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!(report["target"]["database"], "shop");
    assert!(report["findings"].as_array().is_some_and(|findings| findings.len() >= 19), "{}", report["findings"]);
    assert_nothing_left(&yard);
}

#[test]
fn interrupted_anywhere_it_leaves_nothing() {
    // Empty: while initdb runs. Else: once this step has ended, in the middle of the next. Ctrl-C goes to
    // the whole group, what the demo has started included; TERM to the demo alone.
    for (after, how) in
        [("", Signal::INT), ("server: ", Signal::TERM), ("tables: ", Signal::INT), ("faults: ", Signal::INT)]
    {
        let yard = Yard::open();
        let _ended = Ended(&yard);
        let mut demo = demo(&yard, &["--verbose"]).process_group(0).spawn().expect("the demo starts");
        let mut stderr = BufReader::new(demo.stderr.take().expect("a pipe"));
        until_so("the folder is made", || !folders(&yard).is_empty());
        let mut line = String::new();
        while !after.is_empty() && !line.starts_with(after) {
            line.clear();
            assert!(stderr.read_line(&mut line).expect("text") > 0, "it ended before `{after}`");
        }
        match how {
            Signal::INT => signal_group(demo.id(), how),
            _ => signal(demo.id(), how),
        }
        let since = Instant::now();
        let mut said = String::new();
        stderr.read_to_string(&mut said).expect("text");
        let output = demo.wait_with_output().expect("it ends");
        assert!(since.elapsed() < Duration::from_secs(10), "after `{after}`: {:?}", since.elapsed());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "after `{after}`: {said}");
        assert!(said.contains("interrupted") || said.contains("terminated"), "after `{after}`: {said}");
        assert_nothing_left(&yard);
    }
}

#[test]
fn kept_it_can_be_mended_audited_and_stopped() {
    let yard = Yard::open();
    let _ended = Ended(&yard);
    let output = demo(&yard, &["--keep"]).output().expect("the demo");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));

    typed(&yard, &printed(&report, "pgassay plan ")).expect(0);
    let applied = typed(&yard, &format!("{} --yes", printed(&report, "pgassay apply "))).expect(0);
    assert!(applied.stdout.contains("create_index  shop.orders_address_id_idx  done"), "{}", applied.stdout);
    let mend = format!("{} -c 'drop index concurrently shop.users_email_lower_key'", printed(&report, "psql "));
    assert_eq!(typed(&yard, &mend).code, Some(0), "{mend}");
    let again = format!("{} --format json", printed(&report, "pgassay audit "));
    let report_again = typed(&yard, &again).expect(1).report();
    assert_eq!(report_again.status("invalid_index"), "passed", "it was mended");
    assert_eq!(report_again.status("redundant_index"), "passed", "the plan dropped it");
    assert_eq!(report_again.status("sequence_exhaustion"), "found", "what a plan leaves to people");

    typed(&yard, &printed(&report, "kill ")).expect(0);
    until_so("the server has stopped", || processes(yard.path()).is_empty());
    assert_nothing_left(&yard);
}

/// The command that the report prints to be typed: to the end of its line.
fn printed(report: &str, command: &str) -> String {
    let steps = report.rsplit_once("Try next:").map_or("", |(_, steps)| steps);
    let found = steps.lines().find_map(|line| line.find(command).map(|at| line[at..].trim().to_owned()));
    found.unwrap_or_else(|| panic!("no `{command}` in {steps}"))
}

/// What comes of a typed command.
fn typed(yard: &Yard, command: &str) -> Outcome {
    let programs = Path::new(env!("CARGO_BIN_EXE_pgassay")).parent().expect("a folder");
    let path = format!("{}:/usr/bin:/bin:{}", programs.display(), newest().folder.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env_clear().env("PATH", path).env("HOME", yard.home()).current_dir(yard.path());
    Outcome::of(&shell.output().expect("sh"))
}

/// Ends what still works in the yard, so that no server outlives a test that failed.
struct Ended<'a>(&'a Yard);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        processes(self.0.path()).into_iter().for_each(|id| signal(id, Signal::KILL));
    }
}
