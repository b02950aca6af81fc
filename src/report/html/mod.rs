//! The report as one page that asks for nothing else: style, script and charts are in it, and its policy forbids the
//! browser every request. Texts of the server are escaped twice: what would move or reorder text here, what HTML
//! reads as markup by the template.

mod card;
mod figures;
mod pools;
mod runway;
mod svg;
mod trends;

use super::escape;
use super::words::{
    comparison, counts, diff, ending, gap, not_run, notes, noun, rule_counts, server as server_words, target, window,
};
use crate::model::finding::Severity;
use crate::model::verdict::{DESELECTED, Outcome, Verdict};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use card::Card;
use figures::Figures;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Write};

const TEMPLATE: &str = include_str!("../../../templates/report.html");
const STYLE: &str = include_str!("../../../templates/report.css");
const SCRIPT: &str = include_str!("../../../templates/report.js");

/// All the page shows.
#[derive(Serialize)]
struct Page {
    policy: String,
    style: &'static str,
    script: &'static str,
    tool: String,
    is_diff: bool,
    target: String,
    server: String,
    window: String,
    ending: String,
    /// passed, failed or incomplete.
    outcome: &'static str,
    counts: String,
    notes: Vec<String>,
    severities: Vec<Count>,
    states: Vec<Count>,
    areas: Vec<String>,
    findings: Vec<Card>,
    figures: Figures,
    gaps: Vec<Gap>,
    not_run: Vec<NotRun>,
    rules: Vec<Rule>,
    rule_counts: String,
}

/// Findings of a severity, or of a state.
#[derive(Serialize)]
struct Count {
    name: &'static str,
    label: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct Gap {
    text: String,
    remedy: String,
}

#[derive(Serialize)]
struct NotRun {
    status: &'static str,
    reason: String,
    rules: Vec<String>,
}

#[derive(Serialize)]
struct Rule {
    id: String,
    title: String,
    area: String,
    status: &'static str,
    findings: usize,
    reason: String,
}

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("prose", |text: &str| Value::from_safe_string(prose(text)));
    let text = environment.render_str(TEMPLATE, Serde(page(verdict))).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

/// A text as markup, in which what stands between backticks is code.
fn prose(text: &str) -> String {
    let text = svg::text(text);
    if text.matches('`').count() % 2 == 1 {
        return text;
    }
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

/// The policy of the page: our style and our script by their hashes, and nothing else.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn page(verdict: &Verdict) -> Page {
    let findings: Vec<Card> = card::cards(verdict);
    let areas: BTreeSet<&str> = verdict.findings.iter().map(|finding| finding.area.as_str()).collect();
    let hidden = verdict.hidden.len();
    let hidden = (hidden > 0).then(|| {
        format!("{hidden} {} below {} not shown (--min-severity)", noun(hidden, "finding"), verdict.min_severity.name())
    });
    let notes = comparison(verdict).into_iter().chain(diff(verdict)).chain(notes(verdict)).chain(judged(verdict));
    Page {
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        tool: escape(&format!("{} {}", verdict.tool.name, verdict.tool.version)),
        is_diff: verdict.diff.is_some(),
        target: escape(&target(verdict)),
        server: escape(&server_words(verdict)),
        window: window(verdict),
        ending: ending(verdict),
        outcome: match verdict.outcome() {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Incomplete => "incomplete",
        },
        counts: counts(verdict),
        notes: notes.chain(hidden).map(|note| escape(&note)).collect(),
        severities: severities(verdict),
        states: states(&findings),
        areas: areas.into_iter().map(escape).collect(),
        findings,
        figures: figures::figures(verdict),
        gaps: verdict
            .gaps
            .iter()
            .map(|one| Gap { text: escape(&gap(verdict, one)), remedy: escape(&one.remedy) })
            .collect(),
        not_run: not_run(verdict)
            .into_iter()
            .map(|(status, reason, rules)| NotRun {
                status,
                reason: escape(reason),
                rules: rules.into_iter().map(escape).collect(),
            })
            .collect(),
        rules: rules(verdict),
        rule_counts: rule_counts(verdict),
    }
}

/// How much of the workload was judged.
fn judged(verdict: &Verdict) -> Option<String> {
    let counts = verdict.statements;
    (counts.seen > 0)
        .then(|| format!("{} statements judged, of {} entries of pg_stat_statements", counts.judged, counts.seen))
}

fn severities(verdict: &Verdict) -> Vec<Count> {
    let of = |severity: Severity, label| Count { name: severity.name(), label, count: verdict.count(severity) };
    vec![of(Severity::Critical, "Critical"), of(Severity::Warning, "Warning"), of(Severity::Info, "Info")]
}

/// The states that some finding is in, besides all of them.
fn states(findings: &[Card]) -> Vec<Count> {
    let of = |card: &Card, name: &str| if card.state == name { card.findings.len() } else { 0 };
    let count = |name: &str| findings.iter().map(|card| of(card, name)).sum();
    let known = [("open", "Open"), ("new", "New"), ("known", "In the baseline"), ("waived", "Waived")];
    known
        .map(|(name, label)| Count { name, label, count: count(name) })
        .into_iter()
        .filter(|state| state.count > 0)
        .collect()
}

/// How each rule ended, those that say most first.
fn rules(verdict: &Verdict) -> Vec<Rule> {
    let shown = verdict.rules.iter().filter(|rule| rule.status.reason() != Some(DESELECTED));
    let mut rules: Vec<Rule> = shown
        .map(|rule| Rule {
            id: escape(&rule.id),
            title: escape(&rule.text.title),
            area: escape(&rule.text.area),
            status: rule.status.name(),
            findings: rule.findings,
            reason: rule.status.reason().map(escape).unwrap_or_default(),
        })
        .collect();
    let rank =
        |rule: &Rule| ["failed", "found", "waived", "skipped", "passed"].iter().position(|one| *one == rule.status);
    rules.sort_by_key(rank);
    rules
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn code_in_prose_is_marked_and_nothing_else() {
        for (text, expected) in [
            ("run `a b`, then `c`", "run <code>a b</code>, then <code>c</code>"),
            ("one ` alone", "one ` alone"),
            ("`<b>` & \"x\"", "<code>&lt;b&gt;</code> &amp; &quot;x&quot;"),
            ("", ""),
        ] {
            assert_eq!(prose(text), expected);
        }
    }
}
