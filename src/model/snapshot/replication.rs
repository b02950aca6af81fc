//! One receiver of this server's WAL.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_stat_replication`. Columns of `sql/replication.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replication {
    /// Application name, usually the standby's. {text | pg_stat_replication.application_name}
    pub application: String,
    /// Address of the receiver; none for unix sockets. {text | pg_stat_replication.client_addr}
    pub client_address: Option<String>,
    /// `streaming`, `catchup`, `backup`, …; none where hidden from the role. {text | pg_stat_replication.state}
    pub state: Option<String>,
    /// `sync`, `async`, `quorum` or `potential`. {text | pg_stat_replication.sync_state}
    pub sync_state: Option<String>,
    /// It decodes WAL logically, so it is not a copy of this server. {bool | pg_replication_slots.slot_type of the receiver's slot}
    pub is_logical: bool,
    /// WAL not yet sent. {bytes | pg_current_wal_lsn() − sent_lsn}
    pub sent_lag_bytes: Option<i64>,
    /// WAL not yet replayed. {bytes | pg_current_wal_lsn() − replay_lsn}
    pub replay_lag_bytes: Option<i64>,
    /// Time from local flush to replay there; none when idle. {seconds | pg_stat_replication.replay_lag}
    pub replay_lag_seconds: Option<f64>,
}
