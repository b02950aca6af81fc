//! One long-running command and how far it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of a `pg_stat_progress_…` view. Columns of `sql/progress*.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Process. {number | pg_stat_progress_*.pid}
    pub pid: i32,
    /// `VACUUM`, `ANALYZE`, `CREATE INDEX CONCURRENTLY`, `REINDEX`, `CLUSTER`, `COPY FROM`, `BASE BACKUP`, … {text | the view's name, command}
    pub command: String,
    /// It is autovacuum's. {bool | pg_stat_activity.backend_type}
    pub is_automatic: bool,
    /// Database. {text | pg_stat_progress_*.datname}
    pub database: Option<String>,
    /// Schema of the relation, where it is of this database. {text | pg_stat_progress_*.relid}
    pub schema: Option<String>,
    /// The relation. {text | pg_stat_progress_*.relid}
    pub relation: Option<String>,
    /// Phase. {text | pg_stat_progress_*.phase}
    pub phase: Option<String>,
    /// Share done of the current phase, where the view says a total. {pct | blocks, tuples or bytes done ÷ total}
    pub done_pct: Option<f64>,
    /// Time since the command began. {seconds | pg_stat_activity.query_start}
    pub running_seconds: Option<f64>,
}
