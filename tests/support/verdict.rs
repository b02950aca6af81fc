//! An audit through the library: collect, then judge.

use super::yard::THROWAWAY;
use pgassay::audit::{Settings, field_index, judge};
use pgassay::collect::{Access, Scope, collect};
use pgassay::demo::CONFIG;
use pgassay::model::snapshot::{Snapshot, Tool};
use pgassay::model::verdict::Verdict;
use pgassay::postgres::{Limits, Surroundings, Target};
use pgassay::progress::Silent;
use pgassay::rules::{Library, Overrides, Selection, builtin_sources};
use serde_json::Value;

/// What was read and what came of it.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) snapshot: Snapshot,
    pub(crate) verdict: Verdict,
}

/// The demo's thresholds, scaled down to the shop.
pub(crate) fn shop_settings() -> Settings {
    let config: Value = serde_yaml::from_str(CONFIG).expect("the demo's config");
    let params = config["rules"]["params"].as_object().expect("params");
    let params = params
        .iter()
        .map(|(path, value)| (path.clone(), serde_json::from_value(value.clone()).expect("a quantity")))
        .collect();
    let skip = THROWAWAY.iter().map(|rule| (*rule).to_owned()).collect();
    Settings {
        overrides: Overrides { params, ..Overrides::default() },
        selection: Selection { skip, ..Selection::default() },
        ..Settings::default()
    }
}

/// Audits a server with the built-in rules.
pub(crate) async fn audit(dsn: &str, settings: &Settings) -> Audit {
    let target = Target::resolve(dsn, &Surroundings::default()).expect("a target");
    let access = Access { target: &target, name: "test", limits: Limits::default(), run: "test" };
    let tool = Tool { name: "pgassay".to_owned(), version: "test".to_owned() };
    let snapshot = collect(access, &Scope::default(), tool.clone(), &Silent).await.expect("a snapshot");
    let library = Library::load(builtin_sources(), &field_index()).expect("the built-in rules");
    settings.overrides.verify(&library.rules).expect("the settings name rules and their parameters");
    let verdict = judge(&snapshot, &library, settings, tool);
    Audit { snapshot, verdict }
}

impl Audit {
    /// `rule object` of every finding of an area; a statement goes by the first of `names` whose
    /// text is part of its own.
    pub(crate) fn found(&self, area: &str, names: &[(&str, &str)]) -> Vec<String> {
        let of_area = self.verdict.findings.iter().filter(|finding| finding.area == area);
        let mut found: Vec<String> =
            of_area.map(|finding| format!("{} {}", finding.rule, self.name(&finding.object, names))).collect();
        found.sort();
        found
    }

    fn name(&self, object: &pgassay::model::object::Object, names: &[(&str, &str)]) -> String {
        let statement = self.snapshot.statements.iter().find(|statement| statement.fingerprint == object.name);
        let Some(statement) = statement else { return object.path() };
        let known = names.iter().find(|(_, part)| statement.text.contains(part));
        known.map_or_else(|| statement.text.clone(), |(name, _)| (*name).to_owned())
    }
}
