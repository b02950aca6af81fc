//! What active sessions waited for, sampled for some seconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A series of looks at `pg_stat_activity`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionSamples {
    /// Looks taken.
    pub looks: i64,
    /// Time they span, in seconds.
    pub seconds: f64,
    /// What was seen, alike taken together.
    pub seen: Vec<Observation>,
}

/// Active client backends that were alike, counted over all looks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Database. {text | pg_stat_activity.datname}
    pub database: Option<String>,
    /// Role. {text | pg_stat_activity.usename}
    pub user: Option<String>,
    /// Class of what they waited for; none: on the CPU. {text | pg_stat_activity.wait_event_type}
    pub wait_event_type: Option<String>,
    /// What they waited for. {text | pg_stat_activity.wait_event}
    pub wait_event: Option<String>,
    /// Times seen. {observations | pg_stat_activity}
    pub count: i64,
}
