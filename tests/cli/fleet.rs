//! `audit --targets` without a server: what is chosen, sharded and refused, and how a run ends in which nobody answers.

use super::{Desk, Said};
use serde_json::Value;

const NAMES: [&str; 7] = ["a", "b", "prod-1", "prod-2", "prod-3", "prod/4", "test"];

/// A desk with targets that are not there.
fn desk() -> Desk {
    let desk = Desk::new();
    let targets: Vec<String> = NAMES.iter().map(|name| format!("  {name}: {{url: host=/nowhere}}\n")).collect();
    desk.write("pgassay.yaml", &format!("targets:\n{}", targets.concat()));
    desk
}

fn overview(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {} {}", said.out, said.err))
}

fn names(said: &Said) -> Vec<String> {
    let overview = overview(said);
    let targets = overview["targets"].as_array().expect("targets").iter();
    targets.map(|target| target["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn globs_choose_targets_and_none_that_answers_is_an_error() {
    let desk = desk();
    for (globs, chosen) in [
        (vec!["--targets", "*"], &NAMES[..]),
        (vec!["--targets", "prod*"], &NAMES[2..6]),
        (vec!["--targets", "prod-?,test", "--targets", "a"], &["a", "prod-1", "prod-2", "prod-3", "test"]),
    ] {
        let said = desk.run(&[&["audit", "--format", "json"], &globs[..]].concat());
        assert_eq!((said.code, names(&said)), (2, chosen.iter().map(|name| (*name).to_owned()).collect()));
        let overview = overview(&said);
        assert_eq!(
            (&overview["summary"]["failed"], &overview["summary"]["audited"]),
            (&chosen.len().into(), &0.into())
        );
        let error = overview["targets"][0]["error"].as_str().expect("an error");
        assert!(error.starts_with("cannot connect to /nowhere:5432/"), "{error}");
        assert!(said.err.starts_with(&format!("pgassay: {0} of {0} targets failed: {1}, ", chosen.len(), chosen[0])));
    }
}

#[test]
fn shards_are_all_targets_and_an_empty_one_is_no_failure() {
    let desk = desk();
    let mut seen = Vec::new();
    for shard in 1..=40 {
        let shard = format!("{shard}/40");
        let said = desk.run(&["audit", "--format", "json", "--targets", "*", "--shard", &shard]);
        let (taken, overview) = (names(&said), overview(&said));
        assert_eq!(said.code, if taken.is_empty() { 0 } else { 2 }, "{}", said.err);
        assert_eq!((&overview["shard"], &overview["named"]), (&shard.into(), &7.into()));
        seen.extend(taken);
    }
    seen.sort();
    assert_eq!(seen, NAMES);
}

#[test]
fn what_makes_no_sense_for_many_is_refused_before_a_server_is_asked() {
    let desk = desk();
    desk.write("baseline.json", "{}");
    for (args, told) in [
        (vec!["--targets", "*", "a"], "cannot be used with"),
        (vec!["--targets", "*", "--from", "x"], "cannot be used with"),
        (vec!["--targets", "*", "--since", "x"], "cannot be used with"),
        (vec!["--targets", "*", "--replica", "x"], "cannot be used with"),
        (vec!["--shard", "1/2"], "--targets <GLOB>"),
        (vec!["--targets", "*", "--shard", "3/2"], "there is no shard 3 of 2: they count from 1 to 2"),
        (vec!["--targets", "*", "--servers-at-once", "0"], "0 is not in 1..=64"),
        (vec!["--targets", "*", "--target-timeout", "soon"], "target-timeout: "),
        (
            vec!["--targets", "prod*,stag*"],
            "--targets stag*: the config has no target of that name; there are: a, b, prod-1, ",
        ),
        (
            vec!["--targets", "*", "--save", "all.zst"],
            "--save all.zst: with --targets it is a file for each: write {target} in it",
        ),
        (
            vec!["--targets", "*", "--baseline", "baseline.json"],
            "--baseline baseline.json: with --targets it is a file for each",
        ),
        (
            vec!["--targets", "*", "--format", "sarif"],
            "write --output sarif={target}.sarif for a report of each target",
        ),
        (vec!["--targets", "*", "--output", "junit=all.xml"], "junit is no format of the overview"),
    ] {
        let said = desk.run(&[&["audit"], &args[..]].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}: {}", said.err);
    }
    desk.write("pgassay.yaml", "targets: {'': {url: host=/nowhere}}\n");
    assert!(desk.run(&["audit", "--targets", "*"]).err.contains("a target has no name"));
    desk.write("pgassay.yaml", "fleet: {servers_at_once: 65}\n");
    let said = desk.run(&["audit", "--targets", "*"]);
    assert!(said.err.contains("servers_at_once should be between 1 and 64"), "{}", said.err);
}
