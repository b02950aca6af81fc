//! A rule's own tests: a piece of a snapshot, and what the rule must say of it.

use crate::audit::verdict::{Settings, judge};
use crate::model::finding::{Confidence, Finding, Severity};
use crate::model::snapshot::{
    Column, Constraint, Database, Extension, ForeignKey, Index, Partition, Relation, Replication, Sequence, Session,
    Setting, Snapshot, Statement, StatementsInfo, Tool,
};
use crate::model::verdict::RuleStatus;
use crate::rules::{Library, Overrides, Problem, Waiver};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// `fires_*.yaml` or `quiet_*.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// Rows to lay over an ordinary server, facet by facet; a row names only what matters.
    #[serde(default)]
    pub snapshot: BTreeMap<String, Value>,
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
    let verdict = judge(&snapshot, library, &settings, Tool::default());
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
    let found: Vec<&Finding> = verdict.open().filter(|finding| finding.rule == rule).collect();
    compare(&fixture.expect, &found).map_err(FixtureFailure::Differs)
}

fn compare(expected: &[Expected], found: &[&Finding]) -> Result<(), String> {
    let fits = |wanted: &Expected, finding: &Finding| {
        wanted.object == finding.object.path()
            && wanted.severity == finding.severity
            && wanted.confidence.is_none_or(|confidence| confidence == finding.confidence)
            && wanted.message.as_ref().is_none_or(|part| finding.message.contains(part))
    };
    let told = |finding: &&Finding| {
        format!(
            "{} {} ({}) {}",
            finding.severity.name(),
            finding.object.path(),
            finding.confidence.name(),
            finding.message
        )
    };
    let missing: Vec<String> = expected
        .iter()
        .filter(|wanted| !found.iter().any(|finding| fits(wanted, finding)))
        .map(|wanted| format!("not found: {wanted:?}"))
        .collect();
    let extra: Vec<String> = found
        .iter()
        .filter(|finding| !expected.iter().any(|wanted| fits(wanted, finding)))
        .map(|finding| format!("found besides: {}", told(finding)))
        .collect();
    let differences: Vec<String> = missing.into_iter().chain(extra).collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// The story's moment.
const NOW: &str = "2026-06-15T12:00:00Z";

/// An ordinary server: PostgreSQL 16 up for 60 days, counters as old, all facets read.
fn snapshot(pieces: &BTreeMap<String, Value>) -> Result<Snapshot, String> {
    let now = NOW.parse::<DateTime<Utc>>().map_err(|error| error.to_string())?;
    let mut base = Snapshot::empty(Tool::default(), now);
    base.target.database = "shop".to_owned();
    base.target.name = "shop".to_owned();
    base.server.version = "16.4".to_owned();
    base.server.version_num = 160_004;
    base.server.database = "shop".to_owned();
    base.server.started_at = now - chrono::TimeDelta::days(60);
    base.server.now = now;
    base.server.block_bytes = 8192;
    base.server.reads_all_stats = true;
    base.server.statements_available = true;
    base.server.statements_preloaded = Some(true);
    base.databases =
        vec![Database { name: "shop".to_owned(), is_current: true, allows_connections: true, ..Database::default() }];
    base.statements_info = Some(StatementsInfo {
        extension_version: "1.10".to_owned(),
        schema: "public".to_owned(),
        stats_reset: Some(base.server.started_at),
        total_exec_time_ms: 3_600_000.0,
        ..StatementsInfo::default()
    });
    base.extensions =
        vec![Extension { name: "pg_stat_statements".to_owned(), version: "1.10".to_owned(), ..Extension::default() }];
    let mut value = serde_json::to_value(base).map_err(|error| error.to_string())?;
    for (facet, piece) in pieces {
        let whole = match facet.as_str() {
            "server" | "target" | "captured_at" | "gaps" => piece.clone(),
            "statements_info" if piece.is_null() => piece.clone(),
            "statements_info" => object_over(&value["statements_info"], piece)?,
            "settings" => setting_rows(piece)?,
            _ => rows_over(&default_row(facet)?, piece)?,
        };
        let merged =
            if matches!(facet.as_str(), "server" | "target") { object_over(&value[facet], &whole)? } else { whole };
        value[facet] = merged;
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Settings as `name: value`.
fn setting_rows(piece: &Value) -> Result<Value, String> {
    let map = piece.as_object().ok_or("settings should be `name: value`")?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |(name, value): (&String, &Value)| {
        json!({"name": name, "value": text(value), "unit": null, "boot_value": null, "reset_value": text(value),
               "source": "configuration file", "value_type": "string", "is_pending_restart": false})
    };
    Ok(Value::Array(map.iter().map(row).collect()))
}

/// The row that a story's rows are laid over.
fn default_row(facet: &str) -> Result<Value, String> {
    fn row<T: serde::Serialize + DeserializeOwned>(row: T) -> Result<Value, String> {
        serde_json::to_value(row).map_err(|error| error.to_string())
    }
    let database = || "shop".to_owned();
    match facet {
        "settings" => row(Setting::default()),
        "extensions" => row(Extension::default()),
        "databases" => row(Database { allows_connections: true, ..Database::default() }),
        "statements" => row(Statement { database: database(), users: vec!["web".to_owned()], ..Statement::default() }),
        "relations" => row(Relation { database: database(), schema: "public".to_owned(), ..Relation::default() }),
        "columns" => row(Column { database: database(), schema: "public".to_owned(), ..Column::default() }),
        "indexes" => row(Index {
            database: database(),
            schema: "public".to_owned(),
            method: "btree".to_owned(),
            is_valid: true,
            is_ready: true,
            is_live: true,
            ..Index::default()
        }),
        "foreign_keys" => row(ForeignKey {
            database: database(),
            schema: "public".to_owned(),
            referenced_schema: "public".to_owned(),
            is_validated: true,
            ..ForeignKey::default()
        }),
        "constraints" => row(Constraint { database: database(), schema: "public".to_owned(), ..Constraint::default() }),
        "sequences" => row(Sequence {
            database: database(),
            schema: "public".to_owned(),
            is_readable: true,
            start_value: 1,
            min_value: 1,
            max_value: i64::MAX,
            increment: 1,
            ..Sequence::default()
        }),
        "partitions" => row(Partition {
            database: database(),
            parent_schema: "public".to_owned(),
            schema: Some("public".to_owned()),
            strategy: "range".to_owned(),
            is_leaf: true,
            ..Partition::default()
        }),
        "sessions" => row(Session {
            backend_type: Some("client backend".to_owned()),
            database: Some(database()),
            ..Session::default()
        }),
        "replication" => row(Replication::default()),
        _ => Err(format!("no facet `{facet}`")),
    }
}

fn rows_over(base: &Value, piece: &Value) -> Result<Value, String> {
    let rows = piece.as_array().ok_or("a facet should be a list of rows")?;
    rows.iter().map(|row| object_over(base, row)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn object_over(base: &Value, piece: &Value) -> Result<Value, String> {
    let piece = piece.as_object().ok_or("a row should be a map of fields")?;
    let mut merged: Map<String, Value> = base.as_object().cloned().unwrap_or_default();
    for (field, value) in piece {
        if !merged.contains_key(field) {
            return Err(format!(
                "no field `{field}`; known: {}",
                merged.keys().cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        merged.insert(field.clone(), value.clone());
    }
    Ok(Value::Object(merged))
}
