//! One replication slot.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_replication_slots`. Columns of `sql/slots*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Name. {text | pg_replication_slots.slot_name}
    pub name: String,
    /// It decodes WAL logically. {bool | pg_replication_slots.slot_type}
    pub is_logical: bool,
    /// Output plugin of a logical slot. {text | pg_replication_slots.plugin}
    pub plugin: Option<String>,
    /// Database of a logical slot. {text | pg_replication_slots.database}
    pub database: Option<String>,
    /// It goes when its session ends. {bool | pg_replication_slots.temporary}
    pub is_temporary: bool,
    /// A receiver is connected. {bool | pg_replication_slots.active}
    pub is_active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`; none when it holds no WAL. {text | pg_replication_slots.wal_status}
    pub wal_status: Option<String>,
    /// WAL that is kept for it. {bytes | pg_current_wal_lsn() − restart_lsn}
    pub retained_bytes: Option<i64>,
    /// WAL that can still be written before the slot is lost; none without max_slot_wal_keep_size. {bytes | pg_replication_slots.safe_wal_size}
    pub safe_wal_bytes: Option<i64>,
    /// How far it holds back the xmin horizon. {xids | age(pg_replication_slots.xmin)}
    pub xmin_age: Option<i64>,
    /// How far it holds back the horizon of the catalogs. {xids | age(pg_replication_slots.catalog_xmin)}
    pub catalog_xmin_age: Option<i64>,
    /// Since when it is not in use, from 17. {time | pg_replication_slots.inactive_since}
    pub inactive_since: Option<DateTime<Utc>>,
}
