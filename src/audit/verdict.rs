//! From a snapshot to a verdict.

use super::passes;
use crate::facts::{counters_since, with_facts};
use crate::model::finding::{Finding, Severity};
use crate::model::snapshot::{Snapshot, Tool};
use crate::model::verdict::{FailOn, StatementCounts, Verdict, Window};
use crate::rules::{FieldIndex, Library, Overrides, Selection, Waiver};
use chrono::{DateTime, Utc};
use std::cmp::Ordering;

/// What the user asked for, beside the rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Changed parameters and severities.
    pub overrides: Overrides,
    /// Which rules run.
    pub selection: Selection,
    /// Accepted findings.
    pub waivers: Vec<Waiver>,
    /// Findings below are counted and not shown.
    pub min_severity: Severity,
    /// When the run fails.
    pub fail_on: FailOn,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            overrides: Overrides::default(),
            selection: Selection::default(),
            waivers: Vec::new(),
            min_severity: Severity::Info,
            fail_on: FailOn::Severity(Severity::Critical),
        }
    }
}

/// The fields rules may name; the same for every snapshot.
#[must_use]
pub fn field_index() -> FieldIndex {
    let empty = Snapshot::empty(Tool::default(), DateTime::<Utc>::UNIX_EPOCH);
    with_facts(&empty, |facts| FieldIndex::of(&facts))
}

/// Judges a snapshot. Waivers hold by the snapshot's own date, so that a replay gives the same verdict.
#[must_use]
pub fn judge(snapshot: &Snapshot, library: &Library, settings: &Settings, tool: Tool) -> Verdict {
    let mut judged = passes::run(snapshot, library, settings);
    judged.rules.sort_by(|a, b| a.id.cmp(&b.id));
    judged.findings.sort_by(order);
    let (findings, hidden) = judged.findings.into_iter().partition(|finding| finding.severity >= settings.min_severity);
    Verdict {
        tool,
        captured_at: snapshot.captured_at,
        target: snapshot.target.clone(),
        databases: snapshot.audited.clone(),
        server: snapshot.server.clone(),
        window: window(snapshot),
        statements: statement_counts(snapshot),
        findings,
        min_severity: settings.min_severity,
        hidden,
        rules: judged.rules,
        gaps: snapshot.gaps.clone(),
        fail_on: settings.fail_on,
        baseline: None,
    }
}

/// Severity first; then time before everything else before bytes, because a millisecond and a byte
/// cannot be compared; then size; then name.
fn order(a: &Finding, b: &Finding) -> Ordering {
    let unit = |finding: &Finding| match finding.impact.unit.as_str() {
        "ms" | "seconds" => 0,
        "bytes" => 2,
        _ => 1,
    };
    b.severity
        .cmp(&a.severity)
        .then_with(|| unit(a).cmp(&unit(b)))
        .then_with(|| if a.impact.unit == b.impact.unit { Ordering::Equal } else { a.impact.unit.cmp(&b.impact.unit) })
        .then_with(|| b.impact.value.total_cmp(&a.impact.value))
        .then_with(|| a.rule.cmp(&b.rule))
        .then_with(|| a.object.cmp(&b.object))
}

/// The statements' own window where they were read, else the tables'.
fn window(snapshot: &Snapshot) -> Window {
    let since = counters_since(snapshot);
    let statements = snapshot.statements_info.iter().find_map(|info| info.stats_reset);
    let databases =
        snapshot.databases.iter().filter_map(|row| Some((format!("database {}", row.name), row.stats_reset?)));
    Window {
        resets: statements.map(|at| ("pg_stat_statements".to_owned(), at)).into_iter().chain(databases).collect(),
        from: since.from,
        to: snapshot.captured_at,
        from_is_reset: since.is_reset,
    }
}

fn statement_counts(snapshot: &Snapshot) -> StatementCounts {
    let infos = &snapshot.statements_info;
    StatementCounts {
        seen: infos.iter().map(|info| info.seen).sum(),
        judged: i64::try_from(snapshot.statements.len()).unwrap_or(i64::MAX),
        below_top: infos.iter().map(|info| info.below_top).sum(),
        unparsed: infos.iter().map(|info| info.unparsed).sum(),
    }
}
