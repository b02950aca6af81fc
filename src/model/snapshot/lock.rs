//! One session that waits for a lock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A lock that is not granted, with who waits and who is in the way. Columns of `sql/locks*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Process that waits. {number | pg_locks.pid}
    pub pid: i32,
    /// Its role. {text | pg_stat_activity.usename}
    pub user: Option<String>,
    /// Its application. {text | pg_stat_activity.application_name}
    pub application: Option<String>,
    /// Its database. {text | pg_stat_activity.datname}
    pub database: Option<String>,
    /// What is locked: `relation`, `transactionid`, `tuple`, `advisory`, … {text | pg_locks.locktype}
    pub lock_type: String,
    /// Mode it waits for, `AccessExclusiveLock`. {text | pg_locks.mode}
    pub mode: String,
    /// Schema of the relation, where one of this database is locked. {text | pg_locks.relation}
    pub schema: Option<String>,
    /// The relation. {text | pg_locks.relation}
    pub relation: Option<String>,
    /// Time it has waited: since the wait began from 14, since its query began before. {seconds | pg_locks.waitstart, pg_stat_activity.query_start}
    pub wait_seconds: Option<f64>,
    /// Its query, literals replaced; none where hidden or not parsable. {text | pg_stat_activity.query}
    pub query: Option<String>,
    /// Processes in its way, 0 being a prepared transaction. {numbers | pg_blocking_pids()}
    pub blockers: Vec<i32>,
    /// The one of them that waits for nobody itself, 0 being a prepared transaction. {number | pg_blocking_pids()}
    pub root_pid: Option<i32>,
    /// Role of that one. {text | pg_stat_activity.usename}
    pub root_user: Option<String>,
    /// Application of that one. {text | pg_stat_activity.application_name}
    pub root_application: Option<String>,
    /// State of that one. {text | pg_stat_activity.state}
    pub root_state: Option<String>,
    /// Age of that one's transaction. {seconds | pg_stat_activity.xact_start}
    pub root_transaction_seconds: Option<f64>,
}
