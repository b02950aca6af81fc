//! Who is in whose way: one row for each session that others wait for and that waits for nobody.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Lock, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, JsonSchema)]
struct BlockerRow {
    /// Process in the way; none where it could not be told. {number | pg_blocking_pids()}
    blocker_pid: Option<i32>,
    /// Its role. {text | pg_stat_activity.usename}
    blocker_user: Option<String>,
    /// Its application. {text | pg_stat_activity.application_name}
    blocker_application: Option<String>,
    /// Its state. {text | pg_stat_activity.state}
    blocker_state: Option<String>,
    /// Age of its transaction. {seconds | pg_stat_activity.xact_start}
    blocker_transaction_seconds: Option<f64>,
    /// Sessions that wait for it, directly or behind others. {sessions | pg_locks}
    waiting_count: usize,
    /// Their process ids. {numbers | pg_locks.pid}
    waiting_pids: Vec<i32>,
    /// Longest wait among them. {seconds | pg_locks.waitstart}
    wait_seconds: Option<f64>,
    /// What the longest of them waits for: `relation`, `transactionid`, `tuple`, `advisory`, … {text | pg_locks.locktype}
    lock_type: String,
    /// Lock the longest of them waits for. {text | pg_locks.mode}
    mode: String,
    /// Relation the longest of them waits for, where it is one. {object | pg_locks.relation}
    relation: Option<String>,
    /// Query of the longest, literals replaced. {text | pg_stat_activity.query}
    query: Option<String>,
}

fn path(lock: &Lock) -> Option<String> {
    let (schema, name) = (lock.schema.as_ref()?, lock.relation.as_ref()?);
    Some(Object::in_schema(ObjectKind::Table, lock.database.as_deref().unwrap_or_default(), schema, name).path())
}

fn row(mut waiting: Vec<&Lock>) -> (Object, BlockerRow) {
    let wait = |lock: &Lock| lock.wait_seconds.unwrap_or(0.0);
    waiting.sort_by(|a, b| wait(b).total_cmp(&wait(a)).then(a.pid.cmp(&b.pid)));
    let first = waiting[0];
    let name = format!(
        "{}@{} {}",
        first.root_user.as_deref().unwrap_or("?"),
        first.database.as_deref().unwrap_or("?"),
        first.root_application.as_deref().unwrap_or("")
    );
    let object = Object { database: first.database.clone(), ..Object::global(ObjectKind::Session, name.trim()) };
    let fact = BlockerRow {
        blocker_pid: first.root_pid,
        blocker_user: first.root_user.clone(),
        blocker_application: first.root_application.clone(),
        blocker_state: first.root_state.clone(),
        blocker_transaction_seconds: first.root_transaction_seconds,
        waiting_count: waiting.len(),
        waiting_pids: waiting.iter().map(|lock| lock.pid).collect(),
        wait_seconds: first.wait_seconds,
        lock_type: first.lock_type.clone(),
        mode: first.mode.clone(),
        relation: path(first),
        query: first.query.clone(),
    };
    (object, fact)
}

pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    let mut blockers: BTreeMap<Option<i32>, Vec<&Lock>> = BTreeMap::new();
    for lock in &snapshot.locks {
        blockers.entry(lock.root_pid).or_default().push(lock);
    }
    build::table("locks", blockers.into_values().map(row))
}
