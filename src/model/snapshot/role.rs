//! One role that may log in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_roles`. Columns of `sql/roles.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Name. {text | pg_roles.rolname}
    pub name: String,
    /// Superuser. {bool | pg_roles.rolsuper}
    pub is_superuser: bool,
    /// It connects for replication. {bool | pg_roles.rolreplication}
    pub is_replication: bool,
    /// Connections allowed, -1 for no limit. {connections | pg_roles.rolconnlimit}
    pub connection_limit: i64,
    /// Its own settings of timeouts, memory and planner, for all databases or this one, `statement_timeout=5s`. {texts | pg_db_role_setting}
    pub settings: Vec<String>,
}
