//! A PgBouncer, watched over its admin console for some seconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A PgBouncer and its series of looks. The pseudo-database `pgbouncer` is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pooler {
    /// Host and port, without secrets.
    pub name: String,
    /// Version, `1.18.0`; none where it was not told.
    pub version: Option<String>,
    /// `active`, `paused` or `suspended`; none before `SHOW STATE` existed.
    pub state: Option<String>,
    /// Its settings that bear on pools.
    pub settings: PoolerSettings,
    /// Its databases.
    pub databases: Vec<PooledDatabase>,
    /// Its users that have limits of their own.
    pub users: Vec<PooledUser>,
    /// Client connections by state, in the beginning. Those of the console are left out.
    pub clients: Vec<SocketCount>,
    /// Server connections by state, in the beginning.
    pub servers: Vec<SocketCount>,
    /// The series.
    pub looks: Vec<PoolLook>,
    /// Time the series was to take, in seconds.
    pub seconds: f64,
    /// Looks that the console did not answer.
    pub missed: usize,
    /// Columns that this program does not know, as `pools.load_balance_hosts`.
    pub unknown_columns: Vec<String>,
    /// Columns that this version does not have, of those that would be read.
    pub missing_columns: Vec<String>,
}

/// Settings of a PgBouncer, from `SHOW CONFIG`. Of limits 0 means none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolerSettings {
    /// session, transaction or statement.
    pub pool_mode: Option<String>,
    /// Server connections of a pool.
    pub default_pool_size: Option<i64>,
    /// Server connections of a pool that are made for clients that have waited for long.
    pub reserve_pool_size: Option<i64>,
    /// How long such a client has waited, in seconds.
    pub reserve_pool_timeout: Option<f64>,
    /// Client connections.
    pub max_client_conn: Option<i64>,
    /// Server connections of a database.
    pub max_db_connections: Option<i64>,
    /// Server connections of a user.
    pub max_user_connections: Option<i64>,
    /// Time after which a waiting client is sent away, in seconds; 0: never.
    pub query_wait_timeout: Option<f64>,
}

/// A row of `SHOW DATABASES`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PooledDatabase {
    /// What clients connect to.
    pub name: String,
    /// The server's host; none: a unix socket.
    pub host: Option<String>,
    /// The server's port.
    pub port: Option<i64>,
    /// The database on the server.
    pub database: Option<String>,
    /// The role that all clients get on the server; none: their own.
    pub force_user: Option<String>,
    /// Server connections of each of its pools.
    pub pool_size: Option<i64>,
    /// And those in reserve.
    pub reserve_pool_size: Option<i64>,
    /// Its own pool mode; none: that of the settings.
    pub pool_mode: Option<String>,
    /// Server connections of all its pools together; 0: no limit.
    pub max_connections: Option<i64>,
    /// Client connections, from 1.24; 0: no limit.
    pub max_client_connections: Option<i64>,
    /// No query is served.
    pub is_paused: bool,
    /// No new client is let in.
    pub is_disabled: bool,
}

/// A row of `SHOW USERS` with a limit of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PooledUser {
    /// Its name.
    pub name: String,
    /// Server connections of each of its pools, from 1.23.
    pub pool_size: Option<i64>,
    /// Server connections of all its pools together, from 1.23; 0: no limit.
    pub max_connections: Option<i64>,
}

/// Connections alike, of `SHOW CLIENTS` or `SHOW SERVERS`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SocketCount {
    /// The pool's database.
    pub database: String,
    /// The pool's user.
    pub user: String,
    /// `active`, `waiting`, `idle`, …
    pub state: String,
    /// How many.
    pub count: i64,
}

/// One look at the console.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolLook {
    /// When, in seconds since the sampling began.
    pub at_seconds: f64,
    /// The connection to the console was made anew before it: PgBouncer may have been restarted.
    pub is_after_loss: bool,
    /// The pools.
    pub pools: Vec<PoolCounts>,
    /// The databases' counters.
    pub totals: Vec<PoolTotals>,
}

/// A row of `SHOW POOLS`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolCounts {
    /// Database, as clients name it.
    pub database: String,
    /// User.
    pub user: String,
    /// Clients that are served or idle.
    pub clients_active: i64,
    /// Clients that wait for a server connection.
    pub clients_waiting: i64,
    /// Server connections that serve a client.
    pub servers_active: i64,
    /// All server connections: active, idle, used, tested, in login, in the course of cancelling.
    pub servers: i64,
    /// Of those, in login.
    pub servers_login: i64,
    /// How long the first in the queue has waited, in milliseconds. May be 0 while clients wait for a login.
    pub max_wait_ms: f64,
    /// session, transaction or statement.
    pub pool_mode: Option<String>,
}

/// A row of `SHOW STATS`: counters since PgBouncer's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolTotals {
    /// Database, as clients name it.
    pub database: String,
    /// Transactions ended.
    pub transactions: i64,
    /// Queries ended.
    pub queries: i64,
    /// Time of transactions, in milliseconds, with the wait for a server connection.
    pub transaction_ms: f64,
    /// Time of queries, in milliseconds, with the wait for a server connection.
    pub query_ms: f64,
    /// Time that clients waited for a server connection, in milliseconds; counted when they get one.
    pub wait_ms: f64,
}
