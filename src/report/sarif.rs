//! SARIF 2.1.0 (OASIS), for code scanning. GitHub refuses a whole file if one result has no physical
//! location, so each points at its rule's file, and names the database object as logical location.
//! What is waived or in the baseline stays, marked: alerts that come and go are closed and reopened.

use super::escape;
use super::words::{gap, lines, rule_file, waiver};
use crate::model::finding::{Finding, Severity};
use crate::model::verdict::{DESELECTED, RuleOutcome, RuleStatus, Verdict};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The schema's own address, as GitHub's validator expects it.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// SARIF 2.1.0 §3.13.
#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

/// §3.14
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    automation_details: Automation,
    invocations: [Invocation; 1],
    results: Vec<Found<'a>>,
    column_kind: &'static str,
}

/// Tells runs on several databases apart (§3.17); GitHub calls it category.
#[derive(Serialize)]
struct Automation {
    id: String,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

/// §3.19
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'a str,
    version: &'a str,
    information_uri: &'static str,
    rules: Vec<Rule<'a>>,
}

/// §3.49
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: &'a str,
    short_description: Text,
    full_description: Text,
    help: Help,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
    default_configuration: Configuration,
    properties: Value,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

/// §3.20
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
    end_time_utc: String,
    tool_execution_notifications: Vec<Notification>,
}

/// §3.58
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    level: &'static str,
    message: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    associated_rule: Option<Value>,
}

/// §3.27
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    rule_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Text,
    locations: [Value; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
    suppressions: Vec<Suppression>,
    properties: Value,
}

/// §3.35
#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let index: BTreeMap<&str, usize> =
        verdict.rules.iter().enumerate().map(|(at, rule)| (rule.id.as_str(), at)).collect();
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: &verdict.tool.name,
                    version: &verdict.tool.version,
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules: verdict.rules.iter().map(rule).collect(),
                },
            },
            automation_details: Automation { id: format!("pgassay/{}/", escape(&verdict.target.database)) },
            invocations: [invocation(verdict)],
            results: verdict.told().map(|finding| found(verdict, finding, &index)).collect(),
            column_kind: "unicodeCodePoints",
        }],
    };
    serde_json::to_writer_pretty(&mut *out, &log).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// Plain text as SARIF reads it: `[text](place)` would be a link (§3.11.6).
fn text(plain: &str) -> Text {
    Text { text: plain.replace("](", "] (") }
}

fn rule(outcome: &RuleOutcome) -> Rule<'_> {
    let own = &outcome.text;
    let links: Vec<String> = own.references.iter().map(|link| format!("- {link}")).collect();
    let links = if links.is_empty() { String::new() } else { format!("\n\nRead on:\n\n{}", links.join("\n")) };
    let page = format!("{}/blob/HEAD/docs/rules/{}.md", env!("CARGO_PKG_REPOSITORY"), outcome.id);
    let tags: Vec<&str> = std::iter::once(own.area.as_str()).chain(own.tags.iter().map(String::as_str)).collect();
    let problem = match own.severity {
        Severity::Critical => "error",
        Severity::Warning => "warning",
        Severity::Info => "recommendation",
    };
    Rule {
        id: &outcome.id,
        short_description: text(&own.title),
        full_description: text(&own.why),
        help: Help {
            text: text(&format!("{}\n\nWhen to ignore it: {}{links}", own.why, own.quiet_when)).text,
            markdown: format!("{}\n\n**When to ignore it:** {}{links}", own.why, own.quiet_when),
        },
        help_uri: if own.is_built_in { Some(page) } else { own.references.first().cloned() },
        default_configuration: Configuration { level: level(own.severity) },
        properties: json!({"tags": tags, "problem.severity": problem}),
    }
}

fn invocation(verdict: &Verdict) -> Invocation {
    let rules = verdict.rules.iter().filter_map(|rule| {
        let (level, verb, reason) = match &rule.status {
            RuleStatus::Failed(reason) => ("error", "failed", reason),
            RuleStatus::Skipped(reason) if reason != DESELECTED => ("note", "skipped", reason),
            RuleStatus::Skipped(_) | RuleStatus::Passed | RuleStatus::Found | RuleStatus::Waived => return None,
        };
        let message = text(&escape(&format!("{} {verb}: {reason}", rule.id)));
        Some(Notification { level, message, associated_rule: Some(json!({"id": rule.id})) })
    });
    let gaps = verdict.gaps.iter().map(|missed| Notification {
        level: if missed.is_failure { "error" } else { "note" },
        message: text(&escape(&format!("{} → {}", gap(verdict, missed), missed.remedy))),
        associated_rule: None,
    });
    Invocation {
        execution_successful: !verdict.is_incomplete(),
        exit_code: verdict.exit_code(),
        end_time_utc: verdict.captured_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        tool_execution_notifications: gaps.chain(rules).collect(),
    }
}

fn found<'a>(verdict: &Verdict, finding: &'a Finding, index: &BTreeMap<&str, usize>) -> Found<'a> {
    let own = finding.fingerprint();
    let words: Vec<String> = lines(verdict, finding).iter().map(|line| escape(line)).collect();
    let accepted = finding.waived.iter().map(|waived| Suppression {
        kind: "external",
        status: "accepted",
        justification: escape(&waiver(waived)),
    });
    Found {
        rule_id: &finding.rule,
        rule_index: index.get(finding.rule.as_str()).copied(),
        level: level(finding.severity),
        message: text(&words.join("\n\n")),
        locations: [location(finding)],
        // GitHub goes by the second; of a file it cannot see it would take all results on a line for one.
        partial_fingerprints: [("pgassay/v1", own.clone()), ("primaryLocationLineHash", format!("{own}:1"))].into(),
        baseline_state: finding.new.map(|new| if new { "new" } else { "unchanged" }),
        suppressions: accepted.collect(),
        properties: json!({
            "severity": finding.severity,
            "confidence": finding.confidence,
            "impact": {"value": finding.impact.value, "unit": finding.impact.unit, "text": finding.impact.text},
        }),
    }
}

fn location(finding: &Finding) -> Value {
    let object = &finding.object;
    let path = escape(&object.path());
    let full = object.database.as_ref().map_or_else(|| path.clone(), |database| format!("{}/{path}", escape(database)));
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": rule_file(&finding.area, &finding.rule), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [{
            "name": escape(&object.name),
            "fullyQualifiedName": full,
            "kind": object.kind.name(),
        }],
    })
}
