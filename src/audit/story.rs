//! The snapshot of a fixture: an ordinary server, with the story's rows laid over it.

use crate::model::snapshot::{
    Checkpoints, Column, Constraint, Database, Extension, ForeignKey, Index, Io, Lock, Node, Observation, Partition,
    Plan, PoolCounts, PoolLook, PoolTotals, PooledDatabase, Pooler, PoolerSettings, PreparedTransaction, Progress,
    Relation, Replication, Role, Sequence, Session, SessionGroup, SessionLook, SessionSamples, Setting, Slot, Snapshot,
    Statement, StatementsInfo, Tool, Wal,
};
use crate::model::survey::{Manager, PG_PARTMAN};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The story's moment.
const NOW: &str = "2026-06-15T12:00:00Z";

/// An ordinary server: PostgreSQL 16 up for 60 days, counters as old, all facets read.
pub(super) fn snapshot(pieces: &BTreeMap<String, Value>) -> Result<Snapshot, String> {
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
    base.audited = vec!["shop".to_owned()];
    base.statements_info = vec![StatementsInfo {
        database: "shop".to_owned(),
        extension_version: "1.10".to_owned(),
        schema: "public".to_owned(),
        stats_reset: Some(base.server.started_at),
        total_exec_time_ms: 3_600_000.0,
        ..StatementsInfo::default()
    }];
    base.extensions = vec![Extension {
        database: "shop".to_owned(),
        name: "pg_stat_statements".to_owned(),
        version: "1.10".to_owned(),
        ..Extension::default()
    }];
    let mut value = serde_json::to_value(base).map_err(|error| error.to_string())?;
    for (facet, piece) in pieces {
        value[facet] = match facet.as_str() {
            "captured_at" | "gaps" | "audited" => piece.clone(),
            "server" | "target" => object_over(&value[facet], piece)?,
            "statements_info" if piece.is_null() => json!([]),
            "statements_info" => json!([object_over(&value["statements_info"][0], piece)?]),
            "settings" => setting_rows(piece)?,
            "session_samples" => samples(piece)?,
            "pools" => poolers(piece)?,
            own if own.ends_with(".sql") => {
                let rows = custom_rows(own, piece)?;
                value["custom"].as_array_mut().ok_or("custom should be a list")?.push(rows);
                continue;
            }
            "checkpoints" | "wal" => object_over(&default_row(facet)?, piece)?,
            _ => rows_over(&default_row(facet)?, piece)?,
        };
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Settings as `name: value`, or as `name: {value: …, unit: …, boot_value: …, source: …}`.
fn setting_rows(piece: &Value) -> Result<Value, String> {
    let map = piece.as_object().ok_or("settings should be `name: value`")?;
    map.iter().map(|(name, value)| setting_row(name, value)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn setting_row(name: &str, value: &Value) -> Result<Value, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let given = if value.is_object() { value.clone() } else { json!({ "value": value }) };
    let mut row = object_over(&default_row("settings")?, &given)?;
    let own = given.get("value").map(text).ok_or("a setting should have a value")?;
    row["name"] = json!(name);
    row["reset_value"] = given.get("reset_value").cloned().unwrap_or_else(|| json!(own));
    row["value"] = json!(own);
    for key in ["boot_value", "reset_value"] {
        if !row[key].is_null() {
            row[key] = json!(text(&row[key]));
        }
    }
    Ok(row)
}

/// Rows of a pack's own facet, under the name of its file; what a row does not say is none.
fn custom_rows(facet: &str, piece: &Value) -> Result<Value, String> {
    let rows = piece.as_array().ok_or("a facet should be a list of rows")?;
    let mut columns: Vec<&String> = rows.iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    columns.sort();
    columns.dedup();
    Ok(json!({"facet": facet, "columns": columns, "rows": rows}))
}

/// Samples with their observations.
fn samples(piece: &Value) -> Result<Value, String> {
    let mut samples = object_over(&to_value(SessionSamples::default())?, piece)?;
    samples["seen"] = rows_over(&to_value(Observation::default())?, &samples["seen"])?;
    samples["series"] = rows_over(&to_value(SessionLook::default())?, &samples["series"])?;
    for look in samples["series"].as_array_mut().into_iter().flatten() {
        look["groups"] = rows_over(&to_value(SessionGroup::default())?, &look["groups"])?;
    }
    Ok(samples)
}

/// PgBouncers with their databases and looks.
fn poolers(piece: &Value) -> Result<Value, String> {
    let mut all = rows_over(&to_value(Pooler { state: Some("active".to_owned()), ..Pooler::default() })?, piece)?;
    for pooler in all.as_array_mut().into_iter().flatten() {
        pooler["settings"] = object_over(&to_value(PoolerSettings::default())?, &pooler["settings"])?;
        pooler["databases"] = rows_over(&to_value(PooledDatabase::default())?, &pooler["databases"])?;
        pooler["looks"] = rows_over(&to_value(PoolLook::default())?, &pooler["looks"])?;
        for look in pooler["looks"].as_array_mut().into_iter().flatten() {
            look["pools"] = rows_over(&to_value(PoolCounts::default())?, &look["pools"])?;
            look["totals"] = rows_over(&to_value(PoolTotals::default())?, &look["totals"])?;
        }
    }
    Ok(all)
}

fn to_value<T: serde::Serialize>(row: T) -> Result<Value, String> {
    serde_json::to_value(row).map_err(|error| error.to_string())
}

/// The row that a story's rows are laid over.
fn default_row(facet: &str) -> Result<Value, String> {
    let database = || "shop".to_owned();
    match facet {
        "settings" => to_value(Setting { source: "configuration file".to_owned(), ..Setting::default() }),
        "extensions" => to_value(Extension { database: database(), ..Extension::default() }),
        "databases" => to_value(Database { allows_connections: true, connection_limit: -1, ..Database::default() }),
        "statements" => {
            to_value(Statement { database: database(), users: vec!["web".to_owned()], ..Statement::default() })
        }
        "relations" => to_value(Relation {
            database: database(),
            schema: "public".to_owned(),
            is_selectable: true,
            ..Relation::default()
        }),
        "columns" => to_value(Column { database: database(), schema: "public".to_owned(), ..Column::default() }),
        "indexes" => to_value(Index {
            database: database(),
            schema: "public".to_owned(),
            method: "btree".to_owned(),
            is_valid: true,
            is_ready: true,
            is_live: true,
            ..Index::default()
        }),
        "foreign_keys" => to_value(ForeignKey {
            database: database(),
            schema: "public".to_owned(),
            referenced_schema: "public".to_owned(),
            is_validated: true,
            ..ForeignKey::default()
        }),
        "constraints" => {
            to_value(Constraint { database: database(), schema: "public".to_owned(), ..Constraint::default() })
        }
        "sequences" => to_value(Sequence {
            database: database(),
            schema: "public".to_owned(),
            is_readable: true,
            start_value: 1,
            min_value: 1,
            max_value: i64::MAX,
            increment: 1,
            ..Sequence::default()
        }),
        "partitions" => to_value(Partition {
            database: database(),
            parent_schema: "public".to_owned(),
            schema: Some("public".to_owned()),
            strategy: "range".to_owned(),
            is_leaf: true,
            ..Partition::default()
        }),
        "managers" => to_value(Manager { name: PG_PARTMAN.to_owned(), ..Manager::default() }),
        "sessions" => to_value(Session {
            backend_type: Some("client backend".to_owned()),
            database: Some(database()),
            ..Session::default()
        }),
        "replication" => to_value(Replication::default()),
        "locks" => to_value(Lock { database: Some(database()), ..Lock::default() }),
        "slots" => to_value(Slot::default()),
        "io" => to_value(Io::default()),
        "checkpoints" => to_value(Checkpoints::default()),
        "wal" => to_value(Wal::default()),
        "progress" => to_value(Progress { database: Some(database()), ..Progress::default() }),
        "roles" => to_value(Role { connection_limit: -1, ..Role::default() }),
        "prepared_transactions" => {
            to_value(PreparedTransaction { database: database(), ..PreparedTransaction::default() })
        }
        "plans" => to_value(Plan { database: database(), ..Plan::default() }),
        "nodes" => to_value(Node { is_standby: true, ..Node::default() }),
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
