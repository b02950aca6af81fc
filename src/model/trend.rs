//! What became of statements, tables, databases and the server over many runs. Version 1 of `history trend --format json`.

use super::snapshot::Tool;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Version of the form.
pub const TREND_VERSION: u32 = 1;

/// The trends of one target.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Trends {
    /// Version of this form, [`TREND_VERSION`].
    pub trend_version: u32,
    /// The program.
    pub tool: Tool,
    /// The target, `name@host:port`.
    pub target: String,
    /// What was judged by.
    pub terms: Terms,
    /// When the first and the last run were read; none without runs.
    pub span: Option<Span>,
    /// Runs that were looked at.
    pub runs: usize,
    /// Stretches between successive runs whose counters can be compared.
    pub windows: usize,
    /// Stretches whose counters cannot be compared, and why.
    pub dropped: Vec<Dropped>,
    /// How many objects of each kind there are, and how many were looked at.
    pub coverage: Vec<Coverage>,
    /// What a reader should know of all of it.
    pub notes: Vec<String>,
    /// Trends by verdict.
    pub summary: Summary,
    /// By course, what degrades first; then by kind, the heaviest object first, and by metric.
    pub trends: Vec<Trend>,
}

/// What was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Terms {
    /// A smaller change is none, in percent of the value before.
    pub change_pct: f64,
    /// A change is told when it is at least so certain, in percent, counting all that was tested.
    pub confidence_pct: f64,
    /// Windows in which a statement was called less often do not count, in calls.
    pub min_calls: i64,
    /// Objects of each kind that are looked at: statements by their time, tables by their size.
    pub top: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self { change_pct: 5.0, confidence_pct: 95.0, min_calls: 10, top: 100 }
    }
}

/// From the first run to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    /// The first.
    pub from: DateTime<Utc>,
    /// The last.
    pub to: DateTime<Utc>,
}

/// A stretch between two runs whose counters cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Dropped {
    /// When it ended.
    pub to: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Coverage {
    /// Of what.
    pub kind: Kind,
    /// Objects in the runs.
    pub seen: usize,
    /// Objects that were looked at.
    pub judged: usize,
}

/// Trends by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Getting worse.
    pub degrading: usize,
    /// Getting better.
    pub improving: usize,
    /// More than before, which is neither.
    pub rising: usize,
    /// Less than before, which is neither.
    pub falling: usize,
    /// No change that is certain and large enough.
    pub stable: usize,
    /// Too few values to tell.
    pub unknown: usize,
}

/// What a trend is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A statement, by its fingerprint.
    Statement,
    /// A table, its partitions and indexes among it.
    Table,
    /// A database.
    Database,
    /// The server.
    Server,
}

impl Kind {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Table => "table",
            Self::Database => "database",
            Self::Server => "server",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// Getting worse.
    Degrading,
    /// Getting better.
    Improving,
    /// More than before, which is neither.
    Rising,
    /// Less than before, which is neither.
    Falling,
    /// No change that is certain and large enough.
    Stable,
    /// Too few values to tell.
    Unknown,
}

impl Course {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Degrading => "degrading",
            Self::Improving => "improving",
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Stable => "stable",
            Self::Unknown => "unknown",
        }
    }
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Worse {
    /// More of it.
    Up,
    /// Less of it.
    Down,
    /// Neither: it says what is done, not how well.
    Neither,
}

/// One metric of one object over the runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Trend {
    /// What it is of.
    pub kind: Kind,
    /// Its database; none of the server.
    pub database: Option<String>,
    /// Its name: a fingerprint, `schema.table`, a database; empty for the server.
    pub object: String,
    /// The statement's text, literals replaced.
    pub text: Option<String>,
    /// What is measured.
    pub metric: &'static str,
    /// In what.
    pub unit: &'static str,
    /// Which way is worse.
    pub worse: Worse,
    /// What became of it.
    pub course: Course,
    /// The last values beside those before; none where there are too few.
    pub recent: Option<Recent>,
    /// Over all values; none where there are too few.
    pub whole: Option<Whole>,
    /// The values, the oldest first.
    pub points: Vec<Point>,
}

/// A value, at the end of the window it is of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    /// When.
    pub at: DateTime<Utc>,
    /// The value, in the unit of the metric.
    pub value: f64,
}

/// The last values beside as many before them: a step. Medians, rank-sum test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Recent {
    /// Values on each side, ten where there are enough.
    pub values: usize,
    /// The median before.
    pub before: f64,
    /// The median of the last.
    pub after: f64,
    /// The change in percent of before; none where that is 0.
    pub change_pct: Option<f64>,
    /// How certain it is that there is a change, in percent, counting all that was tested.
    pub confidence_pct: f64,
}

/// All values: a drift. Theil–Sen slope, Mann–Kendall test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Whole {
    /// The median slope, in the unit a day.
    pub slope_per_day: f64,
    /// The slope over the whole span in percent of the median; none where that is 0.
    pub change_pct: Option<f64>,
    /// Kendall's tau, −1 to 1.
    pub tau: f64,
    /// How certain it is that there is a trend, in percent, counting all that was tested.
    pub confidence_pct: f64,
}
