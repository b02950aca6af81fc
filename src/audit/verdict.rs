//! From a snapshot to a verdict.

use super::{needs, passes};
use crate::compare::{Comparison, Meeting};
use crate::facts::{CHANGES, counters_since, fields, grown, planned, vitals};
use crate::model::finding::{Finding, Severity};
use crate::model::snapshot::{Snapshot, Tool};
use crate::model::verdict::{Diff, FailOn, StatementCounts, Verdict, Window};
use crate::rules::{FieldIndex, Judged, Library, Overrides, Rule, Selection, Waiver};
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
    FieldIndex::of(&fields())
}

/// Which changes are judged: a rule over changes names its gates as tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// What does not depend on the machine: blocks, rows, temporary files, WAL, calls, plans.
    Work,
    /// That, and milliseconds.
    Time,
    /// Whether an index can serve, which holds on little data too.
    Plan,
}

impl Gate {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Work, Self::Time, Self::Plan];

    /// The name in flags and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Time => "time",
            Self::Plan => "plan",
        }
    }

    /// The rule judges changes between two snapshots.
    #[must_use]
    pub fn judges(rule: &Rule) -> bool {
        CHANGES.contains(&rule.form.over.name())
    }

    /// The rule is part of the run: it judges changes and has the gate's tag, or it judges waivers.
    #[must_use]
    pub fn takes(self, rule: &Rule) -> bool {
        let tags: &[&str] = match self {
            Self::Work => &["work"],
            Self::Time => &["work", "time"],
            Self::Plan => &["plan"],
        };
        let has_tag = rule.form.tags.iter().any(|tag| tags.contains(&tag.as_str()));
        rule.form.over.name() == "waivers" || (Self::judges(rule) && has_tag)
    }
}

/// Judges what changed between BASE and HEAD. The verdict is of HEAD.
#[must_use]
pub fn judge_changes(
    comparison: &Comparison,
    library: &Library,
    settings: &Settings,
    gate: Gate,
    tool: Tool,
) -> Verdict {
    let rules: Vec<Rule> = library.rules.iter().filter(|rule| gate.takes(rule)).cloned().collect();
    let meeting = comparison.meeting();
    let judged = passes::over_changes(comparison, &meeting, &rules, settings);
    let diff = Diff {
        base: comparison.base.target.clone(),
        base_version: comparison.base.server.version.clone(),
        base_window: comparison.base_window.clone(),
        gate: gate.name(),
        matched: meeting.pairs.len(),
        rewritten: meeting.pairs.iter().filter(|pair| pair.is_rewritten()).count(),
        new: meeting.new.len(),
        gone: meeting.gone.len(),
        planned: planned(comparison, &meeting),
    };
    let window = Window { notes: notes(comparison, &meeting), ..comparison.head_window.clone() };
    let of_head = verdict(&comparison.head, judged, settings, tool);
    let vitals = grown(of_head.vitals.clone(), &comparison.base);
    Verdict { window, diff: Some(diff), vitals, ..of_head }
}

fn notes(comparison: &Comparison, meeting: &Meeting<'_>) -> Vec<String> {
    let untold =
        "calls were not compared: BASE and HEAD have neither 30 transactions committed each nor 3 statements in common";
    let paceless = meeting.pace.is_none().then(|| untold.to_owned());
    comparison.notes.iter().cloned().chain(paceless).collect()
}

/// Judges a snapshot. Waivers hold by the snapshot's own date, so that a replay gives the same verdict.
#[must_use]
pub fn judge(snapshot: &Snapshot, library: &Library, settings: &Settings, tool: Tool) -> Verdict {
    let mut judged = passes::run(snapshot, library, settings);
    needs::tell_once(&mut judged.findings, library);
    verdict(snapshot, judged, settings, tool)
}

/// Puts what was judged in order.
fn verdict(snapshot: &Snapshot, mut judged: Judged, settings: &Settings, tool: Tool) -> Verdict {
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
        vitals: vitals(snapshot),
        fail_on: settings.fail_on,
        baseline: None,
        diff: None,
        changes: Vec::new(),
        trends: None,
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
        is_delta: false,
        notes: Vec::new(),
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
