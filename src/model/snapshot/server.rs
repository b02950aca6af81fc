//! The instance, the reading role, and where the snapshot came from.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The program that wrote a snapshot or report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `pgassay`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where a snapshot was read from. Holds no password and no user's data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetInfo {
    /// The target's name in the config, or the database's.
    pub name: String,
    /// Host name, address or socket directory.
    pub host: String,
    /// TCP port or socket number.
    pub port: u16,
    /// The audited database.
    pub database: String,
}

/// The instance and the role that reads it. Columns of `sql/server.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Version as people write it, `16.4`. {text | server_version}
    pub version: String,
    /// Version as a number, 160004. {number | server_version_num}
    pub version_num: i32,
    /// The database the reading session is connected to. {text | current_database()}
    pub database: String,
    /// The role that reads. {text | current_user}
    pub role: String,
    /// That role is a superuser. {bool | pg_roles.rolsuper}
    pub is_superuser: bool,
    /// That role sees every session and statement. {bool | pg_has_role(pg_read_all_stats)}
    pub reads_all_stats: bool,
    /// The server is a standby in recovery. {bool | pg_is_in_recovery()}
    pub is_standby: bool,
    /// Identifies the cluster and all its physical copies. {text | pg_control_system().system_identifier}
    pub system_identifier: Option<String>,
    /// When the server started. {time | pg_postmaster_start_time()}
    pub started_at: DateTime<Utc>,
    /// When the instance's own counters were last reset; a crash does that too. {time | pg_stat_bgwriter.stats_reset}
    pub counters_reset: Option<DateTime<Utc>>,
    /// The server's clock when it was read. {time | clock_timestamp()}
    pub now: DateTime<Utc>,
    /// Size of a block. {bytes | block_size}
    pub block_bytes: i64,
    /// The files of `pg_stat_statements` are on the server's machine. {bool | pg_available_extensions}
    pub statements_available: bool,
    /// `pg_stat_statements` is loaded at server start; none when the role may not see the setting. {bool | shared_preload_libraries}
    pub statements_preloaded: Option<bool>,
}

impl Server {
    /// The major version, 16 for 16.4.
    #[must_use]
    pub fn major(&self) -> i32 {
        self.version_num / 10_000
    }
}
