//! The built-in rules: their own fixtures, every rule on every stored snapshot, and what the loader
//! refuses.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop")]

use chrono::{DateTime, NaiveDate};
use pgassay::audit::{Gate, Settings, field_index, judge, run_fixture};
use pgassay::demo::CONFIG;
use pgassay::facts::with_facts;
use pgassay::model::snapshot::{Relation, Snapshot, Tool};
use pgassay::model::verdict::RuleStatus;
use pgassay::rules::{
    Area, Library, Origin, Overrides, ParamValue, Selection, Source, builtin_sources, evaluate, page, stub,
};
use pgassay::store::{fixtures, read_snapshot};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> Library {
    Library::load(builtin_sources(), &field_index()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn every_fixture_holds() {
    let library = library();
    let files = fixtures(&root().join("fixtures/rules")).expect("fixtures");
    assert!(files.len() >= 2 * library.rules.len(), "{} fixtures", files.len());
    let failures: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let failure = run_fixture(&file.rule, &library, &file.file, &file.text).err()?;
            Some(format!("{}\n  {failure}", file.file))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn large_facets_are_judged_in_the_order_of_their_rows() {
    let [(file, text), _, _] = stub(Area::Table, "large");
    let library = Library::load(vec![Source { file, text, origin: Origin::Pack }], &field_index()).expect("a rule");
    let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
    snapshot.relations = (0..5000)
        .map(|number| Relation { name: format!("t{number}"), bytes: (number % 2) << 24, ..Relation::default() })
        .collect();
    let judged = with_facts(&snapshot, |facts| {
        let (overrides, selection) = (Overrides::default(), Selection::default());
        evaluate(&library.rules, facts, &[], &overrides, &selection, &[], NaiveDate::MIN)
    });
    let found: Vec<String> = judged.findings.into_iter().map(|finding| finding.object.name).collect();
    assert_eq!(found, (0..2500).map(|half| format!("t{}", 2 * half + 1)).collect::<Vec<_>>());
}

/// The shop's own thresholds, so that its faults show.
fn shop_settings() -> Settings {
    #[derive(serde::Deserialize)]
    struct Config {
        rules: Rules,
    }
    #[derive(serde::Deserialize)]
    struct Rules {
        params: BTreeMap<String, ParamValue>,
    }
    let config: Config = serde_yaml::from_str(CONFIG).expect("a config");
    let overrides = Overrides { params: config.rules.params.into_iter().collect(), ..Overrides::default() };
    Settings { overrides, ..Settings::default() }
}

#[test]
fn every_rule_on_every_snapshot_says_what_is_expected() {
    let library = library();
    let settings = shop_settings();
    let mut stories: Vec<PathBuf> = std::fs::read_dir(root().join("fixtures/snapshots"))
        .expect("a folder")
        .map(|entry| entry.unwrap().path())
        .collect();
    stories.sort();
    let verdicts: Vec<_> = stories
        .iter()
        .map(|path| (path, judge(&read_snapshot(path).expect("a snapshot"), &library, &settings, Tool::default())))
        .collect();
    // Of two snapshots nothing is said of one.
    for rule in library.rules.iter().filter(|rule| !Gate::judges(rule)) {
        let mut said = String::new();
        for (path, verdict) in &verdicts {
            let story = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
            let outcome = verdict.rules.iter().find(|outcome| outcome.id == rule.form.id).expect("an outcome");
            assert!(!matches!(outcome.status, RuleStatus::Failed(_)), "{story}: {outcome:?}");
            said.push_str(&format!("{story}: {}\n", outcome.status.name()));
            for finding in verdict.findings.iter().filter(|finding| finding.rule == rule.form.id) {
                said.push_str(&format!(
                    "  {} {} ({})\n    {}\n",
                    finding.severity.name(),
                    finding.object.path(),
                    finding.confidence.name(),
                    finding.message
                ));
            }
        }
        let folder = Path::new("../fixtures/rules").join(&rule.form.id);
        insta::with_settings!({
            snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true,
        }, {
            insta::assert_snapshot!("on_snapshots", said);
        });
    }
}

#[test]
fn pages_say_what_the_rules_say() {
    for rule in &library().rules {
        let path = root().join(format!("docs/rules/{}.md", rule.form.id));
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page(rule), "{} is stale: run `make pages`", path.display());
    }
}

const SOUND: &str = "id: a_rule
title: a title
area: index
severity: warning
kind: runtime
over: indexes
params:
  min_bytes: {default: 1MiB, unit: bytes, why: \"because\"}
when: scans == 0 and bytes >= min_bytes
impact: {value: bytes, unit: bytes}
message: \"{{ name }} {{ bytes|bytes }}\"
evidence: [scans]
why: it costs
fix: {action: drop_index, text: drop it}
quiet_when: never
";

fn problems(text: &str) -> Vec<String> {
    let source = Source { file: "a_rule.yaml".to_owned(), text: text.to_owned(), origin: Origin::Pack };
    match Library::load(vec![source], &field_index()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_sound_rule_loads() {
    assert_eq!(problems(SOUND), Vec::<String>::new());
    let counted = SOUND.replace("impact: {value: bytes, unit: bytes}", "impact: {value: scans, unit: jobs}");
    let declared = counted.replace("  min_bytes:", "  min_jobs: {default: 0, unit: jobs, why: w}\n  min_bytes:");
    assert_eq!(problems(&declared.replace("scans == 0", "scans == min_jobs")), Vec::<String>::new());
}

#[test]
fn mistakes_are_told_with_line_column_and_the_nearest_name() {
    for (right, wrong, told) in [
        (
            "scans == 0 and",
            "scanns == 0 and",
            "a_rule.yaml:9:7: when: facet `indexes` has no field `scanns` — did you mean `scans`?",
        ),
        ("over: indexes", "over: indexs", "a_rule.yaml:6:1: no facet `indexs` — did you mean `indexes`?"),
        ("over: indexes", "over: {query: select 1}", "a_rule.yaml:6:8: over: unknown field `query`, expected `sql`"),
        (
            "over: indexes",
            "over: [indexes]",
            "a_rule.yaml:6:7: over: invalid type: sequence, expected the name of a facet",
        ),
        ("scans == 0 and", "scans == and", "a_rule.yaml:9:1: when: syntax error"),
        (
            "evidence: [scans]",
            "evidence: [scanned]",
            "a_rule.yaml:12:12: evidence: facet `indexes` has no field `scanned`",
        ),
        ("1MiB", "1MegaByte", "a_rule.yaml:8:15: `min_bytes`: \"MegaByte\" is not a unit of size"),
        ("why: it costs", "why: \"\"", "a_rule.yaml:13:1: `why` is empty"),
        ("severity: warning", "severity: bad", "a_rule.yaml:4:"),
        ("kind: runtime", "kind: runtime\nfoo: 1", "a_rule.yaml:6:1: unknown field `foo`"),
        ("scans == 0 and", "last_scan > 0 and", "a_rule.yaml:9:7: when: `last_scan` may be none"),
        (
            "{{ name }}",
            "{{ nmae }}",
            "a_rule.yaml:11:14: message: facet `indexes` has no field `nmae` — did you mean `name`?",
        ),
        (
            "{{ bytes|bytes }}",
            "{{ bytes|byts }}",
            "a_rule.yaml:11:31: message: unknown filter `byts` — did you mean `bytes`?",
        ),
        ("id: a_rule", "id: another", "a_rule.yaml:1:1: id `another` should be the file's stem, `a_rule`"),
        ("bytes >= min_bytes", "bytes >= 0", "a_rule.yaml:8:3: parameter `min_bytes` is never used"),
        (
            "action: drop_index",
            "action: drop_indx",
            "a_rule.yaml:14:15: fix.action: no action `drop_indx` — did you mean `drop_index`?; known: none, alter_sequence,",
        ),
        (
            "value: bytes, unit: bytes",
            "value: bytes, unit: byts",
            "a_rule.yaml:10:30: impact.unit: no unit `byts` — did you mean `bytes`?; known: bytes, ms,",
        ),
        (
            "evidence: [scans]",
            "evidence: [scans]\nwanted_columns: key_colums",
            "a_rule.yaml:13:17: wanted_columns: facet `indexes` has no field `key_colums` — did you mean `key_columns`?",
        ),
        (
            "kind: runtime",
            "kind: runtime\nrequires: {postgres: \"14\"}",
            "a_rule.yaml:6:12: `14` should be a least major",
        ),
    ] {
        assert!(SOUND.contains(right), "{right}");
        let problems = problems(&SOUND.replacen(right, wrong, 1));
        assert!(problems.iter().any(|problem| problem.starts_with(told)), "{told}\n{problems:#?}");
    }
}

#[test]
fn a_pack_replaces_a_rule_but_not_twice() {
    let source =
        |file: &str| Source { file: format!("{file}/a_rule.yaml"), text: SOUND.to_owned(), origin: Origin::Pack };
    assert!(Library::load(vec![source("a")], &field_index()).is_ok());
    let twice = Library::load(vec![source("a"), source("b")], &field_index()).expect_err("refused");
    assert!(twice[0].to_string().contains("id `a_rule` is taken by a/a_rule.yaml"), "{twice:?}");
}

#[test]
fn the_stub_of_a_new_rule_loads_and_its_fixtures_hold() {
    let [rule, fires, quiet] = stub(Area::Index, "my_rule");
    let source = Source { file: rule.0, text: rule.1, origin: Origin::Pack };
    let library = Library::load(vec![source], &field_index()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    for (file, text) in [fires, quiet] {
        run_fixture("my_rule", &library, &file, &text).unwrap_or_else(|failure| panic!("{file}: {failure}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_rule_file_makes_the_loader_panic(at in 0..SOUND.len(), cut in 0..40_usize, put in ".{0,12}") {
        let end = (at + cut).min(SOUND.len());
        let text = format!("{}{put}{}", &SOUND[..at], &SOUND[end..]);
        let _ = problems(&text);
    }

    #[test]
    fn no_fixture_makes_the_runner_panic(text in "(snapshot|expect|params|indexes|relations|[:\\-{}\\[\\] \n0-9a-z]){0,60}") {
        let library = Library::load(vec![Source { file: "a_rule.yaml".to_owned(), text: SOUND.to_owned(), origin: Origin::Pack }], &field_index()).unwrap();
        let _ = run_fixture("a_rule", &library, "f.yaml", &text);
    }
}
