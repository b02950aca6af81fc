//! Findings as cards: what was found, what to do with its SQL, and what it rests on. One to do the same about with
//! another shares its card.

use crate::model::finding::{Confidence, Evidence, Finding};
use crate::model::plan::{FindingRef, Statement, Step};
use crate::model::units;
use crate::model::verdict::Verdict;
use crate::report::escape;
use crate::report::plan::price;
use crate::report::words::{alike, also, by_fix, for_each, object, waiver};
use serde::Serialize;
use serde_json::Value;

/// Longest statement shown, in characters; JSON has all of it.
const STATEMENT: usize = 20_000;

/// Longest value that stands beside another, in characters.
const LINE: usize = 40;

/// Findings of one rule in one state, with one fix.
#[derive(Serialize)]
pub(super) struct Card {
    severity: &'static str,
    rule: String,
    pub(super) area: String,
    title: String,
    is_doubtful: bool,
    /// open, new, known or waived.
    pub(super) state: &'static str,
    fix: String,
    why: String,
    caveats: Vec<String>,
    references: Vec<Reference>,
    pub(super) findings: Vec<Place>,
}

/// One object of them.
#[derive(Serialize)]
pub(super) struct Place {
    fingerprint: String,
    object: String,
    message: String,
    /// What other rules say of the same need.
    also: Vec<String>,
    impact: String,
    confidence: &'static str,
    waiver: String,
    statement: String,
    changes: Vec<ChangeText>,
    /// Why no change is proposed; empty where one is, or none was asked for.
    left: String,
    evidence: Vec<Fact>,
}

/// A step of a plan.
#[derive(Serialize)]
struct ChangeText {
    kind: &'static str,
    sql: String,
    price: String,
    undo: String,
    caveats: Vec<String>,
}

#[derive(Serialize)]
struct Fact {
    name: String,
    value: String,
    unit: String,
    /// It takes a line of its own.
    is_long: bool,
}

#[derive(Serialize)]
struct Reference {
    text: String,
    /// It may be followed.
    is_link: bool,
}

/// The cards of all findings that are told.
pub(super) fn cards(verdict: &Verdict) -> Vec<Card> {
    let by_fix = by_fix(verdict.told()).into_iter();
    let groups = by_fix.flat_map(|group| alike(group.into_iter(), |finding| (state(finding), is_doubtful(finding))));
    groups.filter_map(|group| card(verdict, &group)).collect()
}

fn card(verdict: &Verdict, group: &[&Finding]) -> Option<Card> {
    let finding = group.first()?;
    Some(Card {
        severity: finding.severity.name(),
        rule: escape(&finding.rule),
        area: escape(&finding.area),
        title: escape(&finding.title),
        is_doubtful: is_doubtful(finding),
        state: state(finding),
        fix: escape(&for_each(group.len(), &finding.fix.text)),
        why: escape(&finding.why),
        caveats: finding.caveats.iter().map(|text| escape(text)).collect(),
        references: finding.references.iter().map(|text| reference(text)).collect(),
        findings: group.iter().map(|finding| place(verdict, finding)).collect(),
    })
}

fn is_doubtful(finding: &Finding) -> bool {
    finding.confidence == Confidence::Low
}

fn state(finding: &Finding) -> &'static str {
    match (&finding.waived, finding.new) {
        (Some(_), _) => "waived",
        (None, Some(true)) => "new",
        (None, Some(false)) => "known",
        (None, None) => "open",
    }
}

fn place(verdict: &Verdict, finding: &Finding) -> Place {
    let fingerprint = finding.fingerprint();
    let is_own = |own: &FindingRef| own.fingerprint == fingerprint;
    let steps = verdict.changes.iter().flat_map(|plan| &plan.steps);
    let left = verdict.changes.iter().flat_map(|plan| &plan.left).find(|left| is_own(&left.finding));
    Place {
        object: escape(&object(verdict, finding)),
        message: escape(&finding.message),
        also: also(verdict, finding).map(|text| escape(&text)).collect(),
        impact: escape(&finding.impact.text),
        confidence: finding.confidence.name(),
        waiver: finding.waived.as_ref().map(|own| escape(&waiver(own))).unwrap_or_default(),
        statement: finding.object.statement.as_deref().map(statement_block).unwrap_or_default(),
        changes: steps.filter(|step| step.findings.iter().any(is_own)).map(|step| change(step, finding)).collect(),
        left: left.map(|left| escape(&left.reason)).unwrap_or_default(),
        evidence: finding.evidence.iter().map(fact).collect(),
        fingerprint,
    }
}

fn change(step: &Step, finding: &Finding) -> ChangeText {
    // What the finding says of itself needs no saying twice.
    let own = step.caveats.iter().filter(|text| !finding.caveats.contains(text));
    ChangeText {
        kind: step.change.kind(),
        sql: sql(&step.statements),
        price: escape(&price(step)),
        undo: sql(&step.undo),
        caveats: own.map(|text| escape(text)).collect(),
    }
}

/// Statements as they are run, whole.
fn sql(statements: &[Statement]) -> String {
    let commands: Vec<String> = statements.iter().flat_map(Statement::commands).map(|sql| format!("{sql};")).collect();
    block(&commands.join("\n"))
}

/// Lines that stay lines.
pub(super) fn block(text: &str) -> String {
    text.trim().lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// A statement of the workload.
pub(super) fn statement_block(text: &str) -> String {
    match text.char_indices().nth(STATEMENT) {
        Some((at, _)) => format!("{} … (the JSON report has all of it)", block(&text[..at])),
        None => block(text),
    }
}

fn reference(text: &str) -> Reference {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    Reference { text: escape(text), is_link: is_web && !text.contains(char::is_whitespace) }
}

fn fact(fact: &Evidence) -> Fact {
    let (value, unit) = told(&fact.value, &fact.unit);
    let is_long = value.chars().count() > LINE;
    Fact { name: escape(&fact.name), value: escape(&value), unit: escape(unit), is_long }
}

/// The value for people, and the unit where the value does not say it.
fn told<'a>(value: &Value, unit: &'a str) -> (String, &'a str) {
    match (value, value.as_f64(), unit) {
        (Value::Null, _, _) => ("unknown".to_owned(), ""),
        (Value::Bool(is_so), _, _) => (if *is_so { "yes" } else { "no" }.to_owned(), ""),
        (Value::String(text), _, _) => (text.clone(), ""),
        (Value::Array(items), _, _) => (items.iter().map(|item| told(item, "").0).collect::<Vec<_>>().join(", "), ""),
        (_, Some(number), "bytes") => (units::bytes(number), ""),
        (_, Some(number), "ms") => (units::millis(number), ""),
        (_, Some(number), "seconds") => (units::millis(number * 1000.0), ""),
        (_, Some(number), "days") => (units::millis(number * 86_400_000.0), ""),
        (_, Some(number), "pct") => (format!("{} %", units::short(number)), ""),
        (_, Some(number), "number") if number.fract() == 0.0 => (units::count(number), ""),
        (_, Some(number), _) if number.fract() == 0.0 => (units::count(number), unit),
        (_, Some(number), _) => (units::short(number), unit),
        (other, None, _) => (other.to_string(), unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_told_with_their_units() {
        for (value, unit, expected) in [
            (json!(null), "bytes", ("unknown", "")),
            (json!(true), "bool", ("yes", "")),
            (json!(1_048_576), "bytes", ("1 MiB", "")),
            (json!(3100.0), "ms", ("3.1 s", "")),
            (json!(12.34), "pct", ("12.3 %", "")),
            (json!(12345), "calls", ("12,345", "calls")),
            (json!(["a", "b"]), "objects", ("a, b", "")),
            (json!({"a": 1}), "text", ("{\"a\":1}", "text")),
        ] {
            let (text, unit) = told(&value, unit);
            assert_eq!((text.as_str(), unit), expected, "{value}");
        }
    }

    #[test]
    fn only_web_addresses_are_links() {
        for (text, is_link) in [
            ("https://www.postgresql.org/docs/current/ddl-partitioning.html", true),
            ("http://example.org/", true),
            ("javascript:alert(1)", false),
            ("JaVaScRiPt:alert(1)", false),
            ("data:text/html,<script>alert(1)</script>", false),
            ("https://a b", false),
            (" https://a", false),
            ("the manual, chapter 5", false),
        ] {
            assert_eq!(reference(text).is_link, is_link, "{text}");
        }
    }
}
