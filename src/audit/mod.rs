//! The audit itself: facts of a snapshot, judged by rules, become a verdict. A pure function of
//! snapshot, rules and settings; the clock is the snapshot's own.

mod fixture;
mod needs;
mod passes;
mod story;
mod verdict;

pub use fixture::{Fixture, FixtureFailure, run_fixture};
pub use verdict::{Gate, Settings, field_index, judge, judge_changes};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Comparison, Side};
    use crate::model::snapshot::{Snapshot, Tool};
    use crate::mutants::{bent, mutants};
    use crate::report::{Format, Style, render};
    use crate::rules::{FieldIndex, Library, Origin, Source, builtin_sources};
    use crate::store::fixtures;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::path::Path;
    use std::sync::LazyLock;

    /// Rule, text of a fixture.
    static STORIES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules");
        fixtures(&folder).expect("fixtures").into_iter().map(|file| (file.rule, file.text)).collect()
    });

    static FIELDS: LazyLock<FieldIndex> = LazyLock::new(field_index);

    static BUILT_IN: LazyLock<Library> = LazyLock::new(|| Library::load(builtin_sources(), &FIELDS).expect("rules"));

    fn read(value: &serde_json::Value) -> serde_json::Result<Snapshot> {
        Snapshot::deserialize(value)
    }

    fn told_as_json() -> Vec<serde_json::Value> {
        let snapshot = |text: &String| {
            let fixture: Fixture = serde_yaml::from_str(text).expect("a fixture");
            serde_json::to_value(story::snapshot(&fixture.snapshot).expect("a snapshot")).expect("JSON")
        };
        STORIES.iter().map(|(_, text)| snapshot(text)).collect()
    }

    /// BASE and HEAD of the stories about changes.
    fn told_as_pairs() -> Vec<serde_json::Value> {
        let of_changes = STORIES.iter().filter(|(_, text)| text.lines().any(|line| line == "base:"));
        let pair = |(_, text): &(String, String)| {
            let fixture: Fixture = serde_yaml::from_str(text).expect("a fixture");
            let sides = [&fixture.base, &fixture.snapshot].map(|pieces| story::snapshot(pieces).expect("a snapshot"));
            serde_json::to_value(sides).expect("JSON")
        };
        of_changes.map(pair).collect()
    }

    fn pair(value: &serde_json::Value) -> serde_json::Result<[Snapshot; 2]> {
        serde::Deserialize::deserialize(value)
    }

    /// Rule files, and fixtures of the same rules beside them.
    fn rules_and_stories() -> Vec<(String, String)> {
        let file = |rule: &str| BUILT_IN.find(rule).expect("a rule").1.text.clone();
        STORIES.iter().map(|(rule, text)| (file(rule), text.clone())).collect()
    }

    fn run(rule: String, story: &str) {
        let source = Source { file: "r.yaml".to_owned(), text: rule, origin: Origin::Pack };
        if let Ok(library) = Library::load(vec![source], &FIELDS) {
            let id = library.rules[0].form.id.clone();
            let _ = run_fixture(&id, &library, "f.yaml", story);
        }
    }

    proptest! {
        #[test]
        fn no_snapshot_makes_the_judge_panic(value in bent(told_as_json(), |value| read(value).is_ok())) {
            let snapshot = read(&value).expect("a snapshot");
            let verdict = judge(&snapshot, &BUILT_IN, &Settings::default(), Tool::default());
            for format in [Format::Table, Format::Json, Format::Markdown, Format::Sarif, Format::Junit, Format::Csv, Format::Html] {
                render(&verdict, format, Style { width: 80, color: false }, &mut Vec::new()).expect("rendered");
            }
        }

        #[test]
        fn no_two_snapshots_make_the_comparison_panic(value in bent(told_as_pairs(), |value| pair(value).is_ok()), is_of_one_server in any::<bool>()) {
            let [mut base, head] = pair(&value).expect("two snapshots");
            base.captured_at -= chrono::TimeDelta::hours(1);
            base.server.system_identifier = (!is_of_one_server).then(|| "another".to_owned());
            let (one, other) = (Side { snapshot: &base, since: None }, Side { snapshot: &head, since: None });
            if let Ok(comparison) = Comparison::of(one, other) {
                for gate in Gate::ALL {
                    let verdict = judge_changes(&comparison, &BUILT_IN, &Settings::default(), gate, Tool::default());
                    render(&verdict, Format::Table, Style { width: 80, color: false }, &mut Vec::new()).expect("rendered");
                }
            }
        }

        #[test]
        fn no_rule_file_makes_the_loader_or_the_judge_panic(
            (rule, story) in proptest::sample::select(rules_and_stories()).prop_flat_map(|(rule, story)| (mutants(vec![rule]), Just(story)))
        ) {
            run(rule, &story);
        }

        #[test]
        fn no_fixture_makes_the_runner_panic(
            (rule, story) in proptest::sample::select(rules_and_stories()).prop_flat_map(|(rule, story)| (Just(rule), mutants(vec![story])))
        ) {
            run(rule, &story);
        }
    }
}
