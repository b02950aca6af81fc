//! One server process at the moment of reading.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_stat_activity`; our own sessions are left out. Columns of `sql/sessions.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Process id. {number | pg_stat_activity.pid}
    pub pid: i32,
    /// `client backend`, `autovacuum worker`, …; none where hidden from the role. {text | pg_stat_activity.backend_type}
    pub backend_type: Option<String>,
    /// Database. {text | pg_stat_activity.datname}
    pub database: Option<String>,
    /// Role. {text | pg_stat_activity.usename}
    pub user: Option<String>,
    /// Application. {text | pg_stat_activity.application_name}
    pub application: Option<String>,
    /// Address of the client; none for unix sockets. {text | pg_stat_activity.client_addr}
    pub client_address: Option<String>,
    /// `active`, `idle`, `idle in transaction`, …; none where hidden from the role. {text | pg_stat_activity.state}
    pub state: Option<String>,
    /// Class of what it waits for. {text | pg_stat_activity.wait_event_type}
    pub wait_event_type: Option<String>,
    /// What it waits for. {text | pg_stat_activity.wait_event}
    pub wait_event: Option<String>,
    /// When it connected. {time | pg_stat_activity.backend_start}
    pub connected_at: Option<DateTime<Utc>>,
    /// When its transaction began. {time | pg_stat_activity.xact_start}
    pub transaction_started_at: Option<DateTime<Utc>>,
    /// When its current or last query began. {time | pg_stat_activity.query_start}
    pub query_started_at: Option<DateTime<Utc>>,
    /// When its state last changed. {time | pg_stat_activity.state_change}
    pub state_changed_at: Option<DateTime<Utc>>,
    /// Age of its transaction id. {xids | age(pg_stat_activity.backend_xid)}
    pub xid_age: Option<i64>,
    /// How far it holds back the xmin horizon. {xids | age(pg_stat_activity.backend_xmin)}
    pub xmin_age: Option<i64>,
    /// Its current or last query, literals replaced; none where hidden or not parsable. {text | pg_stat_activity.query}
    pub query: Option<String>,
}
