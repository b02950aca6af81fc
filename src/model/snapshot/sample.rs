//! What active sessions waited for, sampled for some seconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A series of looks at `pg_stat_activity`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionSamples {
    /// Looks taken.
    pub looks: i64,
    /// Time they span, in seconds.
    pub seconds: f64,
    /// What was seen, alike taken together.
    pub seen: Vec<Observation>,
    /// Looks that the server did not answer.
    pub missed: i64,
    /// The series.
    pub series: Vec<SessionLook>,
    /// Counters of the databases over the sample.
    pub databases: Vec<DatabaseInterval>,
}

/// Client backends at one moment, our own left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionLook {
    /// When, in seconds since the sampling began.
    pub at_seconds: f64,
    /// By database and role.
    pub groups: Vec<SessionGroup>,
}

/// Client backends of one role on one database at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionGroup {
    /// Database.
    pub database: Option<String>,
    /// Role.
    pub user: Option<String>,
    /// All of them.
    pub sessions: i64,
    /// Executing.
    pub active: i64,
    /// Executing, and waiting for nothing: on the processor, or ready for it.
    pub on_cpu: i64,
    /// Executing, and waiting for a heavyweight lock.
    pub on_lock: i64,
    /// Executing, and waiting for storage or a lightweight lock.
    pub on_io: i64,
    /// Idle in a transaction, a failed one too.
    pub idle_in_transaction: i64,
    /// In a transaction.
    pub in_transaction: i64,
    /// Ages of those transactions, added up, in seconds.
    pub transaction_seconds: f64,
    /// Age of the oldest of them, in seconds.
    pub oldest_transaction_seconds: Option<f64>,
}

/// What the counters of a database rose by from the first look to the last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseInterval {
    /// Database. {text | pg_stat_database.datname}
    pub database: String,
    /// Length of the interval, in seconds.
    pub seconds: f64,
    /// Commits and rollbacks. {transactions | pg_stat_database.xact_commit, xact_rollback}
    pub transactions: i64,
    /// Time of sessions, from 14. {ms | pg_stat_database.session_time}
    pub session_ms: Option<f64>,
    /// Time of sessions executing, from 14. {ms | pg_stat_database.active_time}
    pub active_ms: Option<f64>,
    /// Time of sessions idle in transaction, from 14. {ms | pg_stat_database.idle_in_transaction_time}
    pub idle_in_transaction_ms: Option<f64>,
    /// Sessions begun, from 14. {sessions | pg_stat_database.sessions}
    pub sessions: Option<i64>,
}

/// Active client backends that were alike, counted over all looks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Database. {text | pg_stat_activity.datname}
    pub database: Option<String>,
    /// Role. {text | pg_stat_activity.usename}
    pub user: Option<String>,
    /// Class of what they waited for; none: on the CPU. {text | pg_stat_activity.wait_event_type}
    pub wait_event_type: Option<String>,
    /// What they waited for. {text | pg_stat_activity.wait_event}
    pub wait_event: Option<String>,
    /// Times seen. {observations | pg_stat_activity}
    pub count: i64,
}
