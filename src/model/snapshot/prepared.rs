//! One prepared transaction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_prepared_xacts`. Columns of `sql/prepared_transactions.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreparedTransaction {
    /// Global identifier. {text | pg_prepared_xacts.gid}
    pub name: String,
    /// Role. {text | pg_prepared_xacts.owner}
    pub owner: String,
    /// Database. {text | pg_prepared_xacts.database}
    pub database: String,
    /// Time since it was prepared. {seconds | pg_prepared_xacts.prepared}
    pub age_seconds: f64,
    /// How far it holds back the xmin horizon. {xids | age(pg_prepared_xacts.transaction)}
    pub xid_age: i64,
}
