//! A rule's own tests: a piece of a snapshot, and what the rule must say of it.

use crate::audit::story::snapshot;
use crate::audit::verdict::{Gate, Settings, judge, judge_changes};
use crate::compare::{Comparison, Side};
use crate::model::finding::{Confidence, Finding, Severity};
use crate::model::snapshot::{Snapshot, Tool};
use crate::model::verdict::RuleStatus;
use crate::rules::{Library, Overrides, Problem, Waiver};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// `fires_*.yaml` or `quiet_*.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// Rows to lay over an ordinary server, facet by facet; a row names only what matters.
    #[serde(default)]
    pub snapshot: BTreeMap<String, Value>,
    /// The same of BASE, for rules over changes: `snapshot` is HEAD then.
    #[serde(default)]
    pub base: BTreeMap<String, Value>,
    /// Parameters, as on the command line.
    #[serde(default)]
    pub params: BTreeMap<String, crate::rules::ParamValue>,
    /// Accepted findings, as in the config.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    /// What the rule must find, no more and no less; empty for quiet.
    pub expect: Vec<Expected>,
    /// The rule must not run at all, for a reason that holds this text.
    #[serde(default)]
    pub skipped: Option<String>,
}

/// One finding that must be there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The object's path.
    pub object: String,
    /// Its severity.
    pub severity: Severity,
    /// Its confidence, where the story is about it.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// A part of its message, where the story is about it.
    #[serde(default)]
    pub message: Option<String>,
    /// A part of what it says to do, where the story is about that.
    #[serde(default)]
    pub fix: Option<String>,
}

impl Expected {
    fn told(&self) -> String {
        let confidence = self.confidence.map(|confidence| format!(" ({})", confidence.name())).unwrap_or_default();
        let message = self.message.as_ref().map(|part| format!(" … {part} …")).unwrap_or_default();
        let fix = self.fix.as_ref().map(|part| format!(" → … {part} …")).unwrap_or_default();
        format!("{} {}{confidence}{message}{fix}", self.severity.name(), self.object)
    }
}

/// Why a fixture does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixtureFailure {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(Problem),
    /// The rule said something else.
    #[error("{0}")]
    Differs(String),
}

/// Runs one rule on one fixture.
pub fn run_fixture(rule: &str, library: &Library, file: &str, text: &str) -> Result<(), FixtureFailure> {
    let unreadable =
        |message: String| FixtureFailure::Unreadable(Problem::at(file, text, &["snapshot"], None, message));
    let fixture: Fixture =
        serde_yaml::from_str(text).map_err(|error| FixtureFailure::Unreadable(Problem::of_yaml(file, &error)))?;
    let snapshot = snapshot(&fixture.snapshot).map_err(unreadable)?;
    let settings = Settings {
        overrides: Overrides {
            params: fixture.params.iter().map(|(name, value)| (format!("{rule}.{name}"), value.clone())).collect(),
            ..Overrides::default()
        },
        waivers: fixture.waivers.clone(),
        ..Settings::default()
    };
    settings.overrides.verify(&library.rules).map_err(|(_, message)| unreadable(message))?;
    let own = library.find(rule).map(|(rule, _)| rule).filter(|rule| Gate::judges(rule));
    let verdict = match own.and_then(|rule| Gate::ALL.into_iter().find(|gate| gate.takes(rule))) {
        None => judge(&snapshot, library, &settings, Tool::default()),
        Some(gate) => {
            let comparison = before(&fixture.base, &snapshot).map_err(unreadable)?;
            judge_changes(&comparison, library, &settings, gate, Tool::default())
        }
    };
    let status = verdict.rules.iter().find(|outcome| outcome.id == rule).map(|outcome| &outcome.status);
    match (status, &fixture.skipped) {
        (None, _) => return Err(FixtureFailure::Differs(format!("there is no rule `{rule}`"))),
        (Some(RuleStatus::Failed(reason)), _) => {
            return Err(FixtureFailure::Differs(format!("the rule failed: {reason}")));
        }
        (Some(RuleStatus::Skipped(reason)), Some(part)) if reason.contains(part) => {}
        (Some(RuleStatus::Skipped(reason)), _) => {
            return Err(FixtureFailure::Differs(format!("the rule was skipped: {reason}")));
        }
        (Some(_), Some(part)) => {
            return Err(FixtureFailure::Differs(format!("the rule ran, expected skipped: {part}")));
        }
        (Some(_), None) => {}
    }
    let found: Vec<&Finding> = verdict.unwaived().filter(|finding| finding.rule == rule).collect();
    compare(&fixture.expect, &found).map_err(FixtureFailure::Differs)
}

/// The story's HEAD beside its BASE, which another server counted an hour earlier.
fn before(pieces: &BTreeMap<String, Value>, head: &Snapshot) -> Result<Comparison, String> {
    let mut base = snapshot(pieces)?;
    base.captured_at = head.captured_at - chrono::TimeDelta::hours(1);
    base.server.started_at = base.captured_at - chrono::TimeDelta::days(1);
    base.target.host = "another".to_owned();
    let alone = |snapshot| Side { snapshot, since: None };
    Comparison::of(alone(&base), alone(head))
}

fn compare(expected: &[Expected], found: &[&Finding]) -> Result<(), String> {
    let fits = |wanted: &Expected, finding: &Finding| {
        wanted.object == finding.object.path()
            && wanted.severity == finding.severity
            && wanted.confidence.is_none_or(|confidence| confidence == finding.confidence)
            && wanted.message.as_ref().is_none_or(|part| finding.message.contains(part))
            && wanted.fix.as_ref().is_none_or(|part| finding.fix.text.contains(part))
    };
    let told = |finding: &&Finding| {
        format!(
            "{} {} ({}) {} → {}",
            finding.severity.name(),
            finding.object.path(),
            finding.confidence.name(),
            finding.message,
            finding.fix.text
        )
    };
    let missing: Vec<String> = expected
        .iter()
        .filter(|wanted| !found.iter().any(|finding| fits(wanted, finding)))
        .map(|wanted| format!("not found: {}", wanted.told()))
        .collect();
    let extra: Vec<String> = found
        .iter()
        .filter(|finding| !expected.iter().any(|wanted| fits(wanted, finding)))
        .map(|finding| format!("found besides: {}", told(finding)))
        .collect();
    let differences: Vec<String> = missing.into_iter().chain(extra).collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}
