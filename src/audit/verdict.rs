//! From a snapshot to a verdict.

use crate::facts::{WaiverUse, facts, waivers};
use crate::model::finding::{Finding, Severity};
use crate::model::snapshot::{Snapshot, Tool};
use crate::model::table::Facts;
use crate::model::verdict::{FailOn, RuleOutcome, RuleStatus, StatementCounts, Verdict, Window};
use crate::rules::{FieldIndex, Judged, Library, Overrides, Selection, Waiver, evaluate};
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
    FieldIndex::of(&facts(&Snapshot::empty(Tool::default(), DateTime::<Utc>::UNIX_EPOCH)))
}

/// Judges a snapshot. Waivers hold by the snapshot's own date, so that a replay gives the same verdict.
#[must_use]
pub fn judge(snapshot: &Snapshot, library: &Library, settings: &Settings, tool: Tool) -> Verdict {
    let all = facts(snapshot);
    let today = snapshot.captured_at.date_naive();
    let run = |facts: &Facts, waivers: &[Waiver]| {
        evaluate(&library.rules, facts, &snapshot.gaps, &settings.overrides, &settings.selection, waivers, today)
    };
    let (on_waivers, rest): (Vec<_>, Vec<_>) = all.tables.into_iter().partition(|table| table.name == "waivers");
    drop(on_waivers);
    let mut judged = run(&Facts { common: all.common.clone(), tables: rest }, &settings.waivers);
    let uses = waiver_uses(&settings.waivers, &judged, snapshot);
    let second =
        run(&Facts { common: all.common, tables: vec![waivers(&snapshot.target.database, &uses)] }, &settings.waivers);
    judged.findings.extend(second.findings);
    judged.rules.extend(second.rules);
    judged.rules.sort_by(|a, b| a.id.cmp(&b.id));
    judged.findings.sort_by(order);
    let hidden = judged.findings.iter().filter(|finding| finding.severity < settings.min_severity).count();
    judged.findings.retain(|finding| finding.severity >= settings.min_severity);
    Verdict {
        tool,
        captured_at: snapshot.captured_at,
        target: snapshot.target.clone(),
        server: snapshot.server.clone(),
        window: window(snapshot),
        statements: statement_counts(snapshot),
        findings: judged.findings,
        hidden,
        rules: judged.rules,
        gaps: snapshot.gaps.clone(),
        fail_on: settings.fail_on,
    }
}

fn waiver_uses(waivers: &[Waiver], judged: &Judged, snapshot: &Snapshot) -> Vec<WaiverUse> {
    let ran = |rule: &RuleOutcome| !matches!(rule.status, RuleStatus::Skipped(_) | RuleStatus::Failed(_));
    waivers
        .iter()
        .map(|waiver| WaiverUse {
            waived_rule: waiver.rule.clone(),
            waived_object: waiver.object.clone(),
            reason: waiver.reason.clone(),
            until: waiver.until,
            owner: waiver.owner.clone(),
            is_expired: waiver.is_expired(snapshot.captured_at.date_naive()),
            rule_ran: judged.rules.iter().any(|rule| rule.id == waiver.rule && ran(rule)),
            matches: judged.findings.iter().filter(|finding| waiver.covers(finding)).count(),
        })
        .collect()
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
    let recorded = match &snapshot.statements_info {
        Some(info) => info.stats_reset,
        None => snapshot.current_database().and_then(|database| database.stats_reset),
    };
    let statements = snapshot.statements_info.as_ref().and_then(|info| info.stats_reset);
    let databases =
        snapshot.databases.iter().filter_map(|row| Some((format!("database {}", row.name), row.stats_reset?)));
    Window {
        resets: statements.map(|at| ("pg_stat_statements".to_owned(), at)).into_iter().chain(databases).collect(),
        from: recorded.unwrap_or(snapshot.server.started_at),
        to: snapshot.captured_at,
        from_is_reset: recorded.is_some(),
    }
}

fn statement_counts(snapshot: &Snapshot) -> StatementCounts {
    let Some(info) = &snapshot.statements_info else { return StatementCounts::default() };
    StatementCounts {
        seen: info.seen,
        judged: i64::try_from(snapshot.statements.len()).unwrap_or(i64::MAX),
        unparsed: info.unparsed,
    }
}
