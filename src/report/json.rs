//! The report for programs, version 1. Its structs are its own: what is inside may change, what is
//! published may not.

use crate::model::finding::{Confidence, Finding, Severity, Teller, Waived};
use crate::model::object::Object;
use crate::model::snapshot::{Facet, TargetInfo, Tool};
use crate::model::verdict::{self, REPORT_VERSION, StatementCounts, Verdict};
use crate::model::vitals::Vitals;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The report.
#[derive(Serialize, JsonSchema)]
struct Report<'a> {
    /// Version of this form: 1.
    schema_version: u32,
    /// The program that judged.
    tool: &'a Tool,
    /// When the server was read, by its clock.
    captured_at: DateTime<Utc>,
    target: Target<'a>,
    window: Window<'a>,
    /// What HEAD, which all else is about, was compared with; absent for an audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<DiffV1<'a>>,
    summary: Summary,
    /// By severity, then impact, then object.
    findings: Vec<FindingV1<'a>>,
    /// Every rule, by id.
    rules: Vec<RuleV1<'a>>,
    /// What was not read.
    gaps: Vec<GapV1<'a>>,
    /// Figures of the server beside what was found.
    vitals: &'a Vitals,
}

/// Where the facts come from.
#[derive(Serialize, JsonSchema)]
struct Target<'a> {
    name: &'a str,
    host: &'a str,
    port: u16,
    database: &'a str,
    /// All that were audited.
    databases: &'a [String],
    server_version: &'a str,
    is_standby: bool,
    /// As text: it does not fit a double.
    system_identifier: Option<&'a str>,
}

/// The time the counters cover.
#[derive(Serialize, JsonSchema)]
struct Window<'a> {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    seconds: i64,
    /// `lifetime`: since the counters were last reset; `delta`: since an earlier snapshot.
    source: &'a str,
    /// `from` is a recorded reset; else it is the server's start, and the window is at least as long.
    from_is_reset: bool,
    resets: Vec<Reset<'a>>,
    /// What happened in it that a reader should know: restarts, evictions, other servers; absent where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'a [String]>,
}

/// BASE, and how much of it is in HEAD.
#[derive(Serialize, JsonSchema)]
struct DiffV1<'a> {
    /// work, time or plan
    gate: &'a str,
    base: &'a TargetInfo,
    base_version: &'a str,
    base_window: Window<'a>,
    /// Statements in both.
    matched: usize,
    /// Of those, statements that took over from another text.
    rewritten: usize,
    /// Statements in HEAD alone.
    new: usize,
    /// Statements in BASE alone.
    gone: usize,
    /// Statements in both whose plans were compared.
    planned: usize,
}

#[derive(Serialize, JsonSchema)]
struct Reset<'a> {
    what: &'a str,
    at: DateTime<Utc>,
}

/// Counts.
#[derive(Serialize, JsonSchema)]
struct Summary {
    critical: usize,
    warning: usize,
    info: usize,
    waived: usize,
    /// Findings that want what another one wants, which tells it: they count here alone.
    told_elsewhere: usize,
    /// Below --min-severity.
    hidden: usize,
    /// That severity.
    min_severity: Severity,
    /// Open findings that are not in the baseline; null without one.
    new: Option<usize>,
    /// Findings of the baseline that are not there any more; null without one.
    gone: Option<usize>,
    /// The baseline is of a server with another system identifier, as one made anew for each run of CI; null without one.
    other_cluster: Option<bool>,
    rules: RuleCounts,
    /// Entries of pg_stat_statements.
    statements: Statements,
    exit_code: u8,
}

#[derive(Serialize, JsonSchema)]
struct RuleCounts {
    passed: usize,
    found: usize,
    waived: usize,
    skipped: usize,
    failed: usize,
}

#[derive(Serialize, JsonSchema)]
struct Statements {
    seen: i64,
    judged: i64,
    /// Not read, because none of their totals is among the largest (--top).
    below_top: i64,
    unparsed: i64,
}

/// One object, one rule.
#[derive(Serialize, JsonSchema)]
struct FindingV1<'a> {
    rule: &'a str,
    area: &'a str,
    title: &'a str,
    severity: Severity,
    confidence: Confidence,
    object: ObjectV1<'a>,
    message: &'a str,
    /// Facts by field name.
    evidence: BTreeMap<&'a str, Fact<'a>>,
    why: &'a str,
    fix: FixV1<'a>,
    caveats: &'a [String],
    references: &'a [String],
    impact: ImpactV1<'a>,
    /// Stable across runs, machines and server majors.
    fingerprint: String,
    waived: Option<&'a Waived>,
    /// The finding that wants the same and tells it in the other formats; absent where this one is told by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    told_by: Option<&'a Teller>,
    /// Not in the baseline, or less there; null without one.
    new: Option<bool>,
}

/// A fact with its unit.
#[derive(Serialize, JsonSchema)]
struct Fact<'a> {
    value: &'a Value,
    unit: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct ObjectV1<'a> {
    kind: &'a str,
    database: Option<&'a str>,
    schema: Option<&'a str>,
    name: &'a str,
    /// The name that waivers use.
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queryid: Option<&'a str>,
    /// Literals replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct FixV1<'a> {
    action: &'a str,
    text: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct ImpactV1<'a> {
    value: f64,
    unit: &'a str,
    text: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct RuleV1<'a> {
    id: &'a str,
    /// passed, found, waived, skipped or failed
    status: &'a str,
    findings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct GapV1<'a> {
    facet: Facet,
    /// The database it is about; absent: the whole instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'a str>,
    /// Only a part of the facet is missing.
    partial: bool,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'a str>,
    remedy: &'a str,
}

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &report(verdict)).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// JSON Schema of the report.
#[must_use]
pub fn report_schema() -> Value {
    schemars::schema_for!(Report<'_>).as_value().clone()
}

fn report(verdict: &Verdict) -> Report<'_> {
    let server = &verdict.server;
    Report {
        schema_version: REPORT_VERSION,
        tool: &verdict.tool,
        captured_at: verdict.captured_at,
        target: Target {
            name: &verdict.target.name,
            host: &verdict.target.host,
            port: verdict.target.port,
            database: &verdict.target.database,
            databases: &verdict.databases,
            server_version: &server.version,
            is_standby: server.is_standby,
            system_identifier: server.system_identifier.as_deref(),
        },
        window: window(&verdict.window),
        diff: verdict.diff.as_ref().map(diff),
        summary: summary(verdict),
        findings: verdict.findings.iter().map(finding).collect(),
        rules: verdict
            .rules
            .iter()
            .map(|rule| RuleV1 {
                id: &rule.id,
                status: rule.status.name(),
                findings: rule.findings,
                reason: rule.status.reason(),
            })
            .collect(),
        gaps: verdict
            .gaps
            .iter()
            .map(|gap| GapV1 {
                facet: gap.facet,
                database: gap.database.as_deref(),
                partial: gap.partial,
                reason: &gap.reason,
                sqlstate: gap.sqlstate.as_deref(),
                remedy: &gap.remedy,
            })
            .collect(),
        vitals: &verdict.vitals,
    }
}

fn window(window: &verdict::Window) -> Window<'_> {
    Window {
        from: window.from,
        to: window.to,
        seconds: window.seconds(),
        source: if window.is_delta { "delta" } else { "lifetime" },
        from_is_reset: window.from_is_reset,
        resets: window.resets.iter().map(|(what, at)| Reset { what, at: *at }).collect(),
        notes: Some(window.notes.as_slice()).filter(|notes| !notes.is_empty()),
    }
}

fn diff(diff: &verdict::Diff) -> DiffV1<'_> {
    DiffV1 {
        gate: diff.gate,
        base: &diff.base,
        base_version: &diff.base_version,
        base_window: window(&diff.base_window),
        matched: diff.matched,
        rewritten: diff.rewritten,
        new: diff.new,
        gone: diff.gone,
        planned: diff.planned,
    }
}

fn summary(verdict: &Verdict) -> Summary {
    let StatementCounts { seen, judged, below_top, unparsed } = verdict.statements;
    Summary {
        critical: verdict.count(Severity::Critical),
        warning: verdict.count(Severity::Warning),
        info: verdict.count(Severity::Info),
        waived: verdict.waived().count(),
        told_elsewhere: verdict.told_elsewhere().count(),
        hidden: verdict.hidden.len(),
        min_severity: verdict.min_severity,
        new: verdict.new_count(),
        gone: verdict.baseline.map(|baseline| baseline.gone),
        other_cluster: verdict.baseline.map(|baseline| baseline.is_of_other_cluster),
        rules: RuleCounts {
            passed: verdict.rules_that("passed"),
            found: verdict.rules_that("found"),
            waived: verdict.rules_that("waived"),
            skipped: verdict.rules_that("skipped"),
            failed: verdict.rules_that("failed"),
        },
        statements: Statements { seen, judged, below_top, unparsed },
        exit_code: verdict.exit_code(),
    }
}

fn finding(finding: &Finding) -> FindingV1<'_> {
    FindingV1 {
        rule: &finding.rule,
        area: &finding.area,
        title: &finding.title,
        severity: finding.severity,
        confidence: finding.confidence,
        object: object(&finding.object),
        message: &finding.message,
        evidence: finding
            .evidence
            .iter()
            .map(|fact| (fact.name.as_str(), Fact { value: &fact.value, unit: &fact.unit }))
            .collect(),
        why: &finding.why,
        fix: FixV1 { action: &finding.fix.action, text: &finding.fix.text },
        caveats: &finding.caveats,
        references: &finding.references,
        impact: ImpactV1 { value: finding.impact.value, unit: &finding.impact.unit, text: &finding.impact.text },
        fingerprint: finding.fingerprint(),
        waived: finding.waived.as_ref(),
        told_by: finding.told_by.as_ref(),
        new: finding.new,
    }
}

fn object(object: &Object) -> ObjectV1<'_> {
    ObjectV1 {
        kind: object.kind.name(),
        database: object.database.as_deref(),
        schema: object.schema.as_deref(),
        name: &object.name,
        path: object.path(),
        table: object.table.as_deref(),
        column: object.column.as_deref(),
        queryid: object.queryid.as_deref(),
        statement: object.statement.as_deref(),
    }
}
