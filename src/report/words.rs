//! What several formats say in the same words.

use crate::model::finding::{Finding, Severity, Waived};
use crate::model::snapshot::Gap;
use crate::model::units;
use crate::model::verdict::{DESELECTED, FailOn, RuleStatus, Verdict};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// The file of a rule, for formats that want a place in a repository. The same wherever the rule was
/// read from, because what is recognised in the next run must not move.
pub(super) fn rule_file(area: &str, rule: &str) -> String {
    format!("rules/{area}/{rule}.yaml")
}

/// `2 critical, 17 warning, 3 info`, and with a baseline `, 1 of them new`.
pub(super) fn counts(verdict: &Verdict) -> String {
    let of = |severity: Severity| verdict.count(severity);
    let (critical, warning, info) = (of(Severity::Critical), of(Severity::Warning), of(Severity::Info));
    let new = verdict.new_count().map(|count| format!(", {count} of them new")).unwrap_or_default();
    format!("{critical} critical, {warning} warning, {info} info{new}")
}

/// How the run ended, and why.
pub(super) fn ending(verdict: &Verdict) -> String {
    let gated = verdict.findings.iter().filter(|finding| verdict.gates(finding)).count();
    let new = if verdict.baseline.is_some_and(|baseline| baseline.gates_new_only) { "new " } else { "" };
    let incomplete = if verdict.is_incomplete() { "; a rule or a facet failed" } else { "" };
    match (gated, verdict.fail_on) {
        (0, _) if verdict.is_incomplete() => "incomplete: a rule or a facet failed".to_owned(),
        (0, FailOn::Severity(least)) => format!("passed: no {new}finding at or above {}", least.name()),
        (_, FailOn::Severity(least)) => {
            format!("failed: {gated} {new}{} at or above {}{incomplete}", noun(gated, "finding"), least.name())
        }
        (_, FailOn::Never) => "passed: nothing fails this run".to_owned(),
    }
}

/// One of it, or several.
pub(super) fn noun(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// Since when the findings are compared, and what came of it.
pub(super) fn comparison(verdict: &Verdict) -> Option<String> {
    let baseline = verdict.baseline?;
    let since = baseline.captured_at.format("%Y-%m-%d %H:%M UTC");
    let (new, gone) = (verdict.new_count().unwrap_or(0), baseline.gone);
    let gate = if baseline.gates_new_only { "; only new ones can fail the run" } else { "" };
    let whose = if baseline.is_of_other_cluster { ", of another cluster" } else { "" };
    Some(format!("compared with the baseline of {since}{whose}: {new} new, {gone} gone{gate}"))
}

/// What HEAD was compared with, and how much of it; nothing for an audit.
pub(super) fn diff(verdict: &Verdict) -> Vec<String> {
    let Some(diff) = &verdict.diff else { return Vec::new() };
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let length = units::millis(diff.base_window.seconds() as f64 * 1000.0);
    let taken = diff.base_window.to.format("%Y-%m-%d %H:%M UTC");
    let base = format!(
        "compared with {} at {}:{}, PostgreSQL {}: {length} up to {taken}; gate: {}",
        diff.base.name, diff.base.host, diff.base.port, diff.base_version, diff.gate
    );
    let rewritten = if diff.rewritten > 0 { format!(", {} of them rewritten", diff.rewritten) } else { String::new() };
    let statements = format!(
        "{} {} in both{rewritten}, {} new, {} gone; plans of {} compared",
        diff.matched,
        noun(diff.matched, "statement"),
        diff.new,
        diff.gone,
        diff.planned
    );
    vec![base, statements]
}

/// What happened in the window that a reader should know.
pub(super) fn notes(verdict: &Verdict) -> impl Iterator<Item = String> {
    verdict.window.notes.iter().map(|note| format!("note: {note}"))
}

/// Which server.
pub(super) fn target(verdict: &Verdict) -> String {
    format!("{} at {}:{}", verdict.target.name, verdict.target.host, verdict.target.port)
}

/// Which version, in which role, when.
pub(super) fn server(verdict: &Verdict) -> String {
    let server = &verdict.server;
    let role = if server.is_standby { "standby" } else { "primary" };
    let read_at = verdict.captured_at.format("%Y-%m-%d %H:%M:%S UTC");
    format!("PostgreSQL {} {role}, read {read_at}", server.version)
}

/// The time the counters cover, and since when.
pub(super) fn window(verdict: &Verdict) -> String {
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let length = units::millis(verdict.window.seconds() as f64 * 1000.0);
    let since = verdict.window.from.format("%Y-%m-%d %H:%M UTC");
    if verdict.window.is_delta {
        format!("counters cover {length}, since the snapshot of {since}")
    } else if verdict.window.from_is_reset {
        format!("statement counters cover {length}, since their reset at {since}")
    } else {
        format!("statement counters cover at least {length}, since the server's start at {since}")
    }
}

/// Reason, owner and last day of a waiver.
pub(super) fn waiver(waived: &Waived) -> String {
    let until = waived.until.map(|day| format!(", until {day}")).unwrap_or_default();
    let owner = waived.owner.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
    format!("{}{owner}{until}", waived.reason)
}

/// Rules that did not run, by how (`failed`, then `skipped`) and why. What the user left out needs no
/// telling one by one.
pub(super) fn not_run(verdict: &Verdict) -> Vec<(&'static str, &str, Vec<&str>)> {
    let mut by_reason: BTreeMap<(&'static str, &str), Vec<&str>> = BTreeMap::new();
    for rule in &verdict.rules {
        if let RuleStatus::Skipped(reason) | RuleStatus::Failed(reason) = &rule.status
            && reason != DESELECTED
        {
            by_reason.entry((rule.status.name(), reason)).or_default().push(&rule.id);
        }
    }
    by_reason.into_iter().map(|((status, reason), rules)| (status, reason, rules)).collect()
}

/// `111 rules: 80 passed, 20 found, 11 skipped`
pub(super) fn rule_counts(verdict: &Verdict) -> String {
    let count = |status| verdict.rules_that(status);
    let mut line = format!("{} rules: {} passed, {} found", verdict.rules.len(), count("passed"), count("found"));
    for status in ["waived", "skipped", "failed"].into_iter().filter(|status| count(status) > 0) {
        line.push_str(&format!(", {} {status}", count(status)));
    }
    line
}

/// What a gap says: the facet, how much of it is missing, and why.
pub(super) fn gap(verdict: &Verdict, gap: &Gap) -> String {
    let part = if gap.partial { "part of " } else { "" };
    format!("{part}{} not read: {}", facet(verdict, gap), gap.reason)
}

/// The facet that was not read, and where that says more, in which database.
pub(super) fn facet(verdict: &Verdict, gap: &Gap) -> String {
    format!("{}{}", gap.facet.name(), place(verdict, gap.database.as_deref()))
}

/// What a finding is about, and where that says more, in which database.
pub(super) fn object(verdict: &Verdict, finding: &Finding) -> String {
    let path = finding.object.path();
    // A database is its own place.
    let database = finding.object.database.as_deref().filter(|database| *database != path);
    format!("{path}{}", place(verdict, database))
}

/// Databases are named when several were read: the same names may be in each.
fn place(verdict: &Verdict, database: Option<&str>) -> String {
    let database = database.filter(|_| verdict.is_of_several_databases());
    database.map(|database| format!(" in {database}")).unwrap_or_default()
}

/// What is alike brought together, each group at the place of its first.
pub(super) fn alike<T, K: Eq + Hash>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut places: HashMap<K, usize> = HashMap::new();
    for item in items {
        let place = *places.entry(key(&item)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// Findings that are told with one fix: of one rule, as bad, and with the same to do.
pub(super) fn by_fix<'a>(found: impl Iterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    alike(found, |finding| (finding.severity, &finding.rule, &finding.fix.text))
}

/// What to do about so many: thirty tables to do the same with are told it once.
pub(super) fn for_each(of: usize, text: &str) -> String {
    if of == 1 { text.to_owned() } else { format!("for each of these {of}: {text}") }
}

/// What other rules say of the same need.
pub(super) fn also<'a>(verdict: &'a Verdict, finding: &Finding) -> impl Iterator<Item = String> + use<'a> {
    // What wants no index tells of none, and needs no search through all findings.
    let told = (!finding.wanted_columns.is_empty()).then(|| verdict.told_elsewhere());
    let own = finding.fingerprint();
    let is_told_here = move |other: &&Finding| other.told_by.as_ref().is_some_and(|teller| teller.fingerprint == own);
    told.into_iter().flatten().filter(is_told_here).map(|other| format!("{}, too: {}", other.rule, other.message))
}

/// Message, what other rules say of it, statement and fix, each on a line of its own.
pub(super) fn lines(verdict: &Verdict, finding: &Finding) -> Vec<String> {
    let statement = finding.object.statement.as_deref().map(flat);
    let message = std::iter::once(finding.message.clone()).chain(also(verdict, finding));
    message.chain(statement).chain([format!("→ {}", finding.fix.text)]).collect()
}

/// A statement on one line of so many characters at most, and whether its end is left out.
pub(super) fn cut_flat(text: &str, most: usize) -> (String, bool) {
    let text = flat(text);
    match text.char_indices().nth(most) {
        Some((at, _)) => (format!("{}…", text[..at].trim_end()), true),
        None => (text, false),
    }
}

/// A statement on one line.
pub(super) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
