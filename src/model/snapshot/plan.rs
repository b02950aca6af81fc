//! How the server would run one statement: its generic plan, never executed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The plan of a statement, or why there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Database. {text | pg_database.datname}
    pub database: String,
    /// Fingerprint of the statement. {text | pg_query fingerprint}
    pub fingerprint: String,
    /// search_path under which its names were resolved. {text | pg_db_role_setting, search_path}
    pub search_path: String,
    /// `EXPLAIN (FORMAT JSON, VERBOSE)` of the generic plan. {json | EXPLAIN}
    pub plan: Option<Value>,
    /// The same with `enable_seqscan` off, where the plan filters a table that it reads whole: an index could serve it or not. {json | EXPLAIN}
    #[serde(default)]
    pub without_seq_scan: Option<Value>,
    /// Why there is no plan: `no_relation`, `ambiguous_name`, `not_plannable`, `no_privilege`, `timeout`, `untyped_parameter` or `other`. {text | SQLSTATE}
    pub unplannable: Option<String>,
    /// The server's words for that. {text | EXPLAIN}
    pub error: Option<String>,
}
