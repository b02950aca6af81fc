//! How long a statement takes, and whether it takes longer there than here. Version 1 of `measure --format json`.

use crate::model::snapshot::{TargetInfo, Tool};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the JSON form.
pub const MEASUREMENT_VERSION: u32 = 1;

/// One run of `measure`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Version of this form, [`MEASUREMENT_VERSION`].
    pub measurement_version: u32,
    /// The program that measured.
    pub tool: Tool,
    /// What was run: one side, or the base and what is compared with it.
    pub sides: Vec<Side>,
    /// The second side beside the first; none where there is one.
    pub comparison: Option<Comparison>,
}

/// One statement on one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Where.
    pub target: TargetInfo,
    /// Version of the server.
    pub server_version: String,
    /// When it began, by the server's clock.
    pub captured_at: DateTime<Utc>,
    /// The statement as it was given.
    pub statement: String,
    /// Its identity: the same for any literals, layout and server.
    pub fingerprint: String,
    /// Sessions that ran it at the same time.
    pub clients: u16,
    /// Executions of each session that went before, and do not count.
    pub warmup: u32,
    /// Executions that were asked for.
    pub iterations: u32,
    /// Why there are fewer; none where there are not.
    pub stopped: Option<String>,
    /// Time of each execution in milliseconds, in the order they ended.
    pub times_ms: Vec<f64>,
    /// Median of each whole round in milliseconds. The executions are done in ten rounds, each by sessions of its own;
    /// these are what is compared.
    pub rounds_ms: Vec<f64>,
    /// Figures of all times.
    pub figures: Figures,
    /// Executions a second, all sessions together; of time in which something ran.
    pub per_second: f64,
    /// Fewest and most rows returned.
    pub rows: Range,
    /// Blocks touched by one execution after the others; none where it was not looked at.
    pub blocks: Option<Blocks>,
    /// Nodes of that execution's plan, each below its parent by two blanks.
    pub plan: Vec<String>,
}

/// Figures of times, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Shortest.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// 95th percentile, between the closest ranks by linear interpolation, as `percentile_cont`.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
    /// Standard deviation of the sample, as `stddev_samp`; 0 of a single one.
    pub deviation: f64,
}

/// From and to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Fewest.
    pub min: u64,
    /// Most.
    pub max: u64,
}

/// Blocks of one execution, by EXPLAIN (ANALYZE, BUFFERS); those of planning left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Found in shared buffers.
    pub shared_hit: u64,
    /// Asked of the operating system.
    pub shared_read: u64,
    /// Of temporary tables.
    pub local: u64,
    /// Of temporary files, read.
    pub temp_read: u64,
    /// Of temporary files, written.
    pub temp_written: u64,
}

/// What the times of two sides say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The second side takes less time.
    Faster,
    /// The second side takes more time.
    Slower,
    /// They differ, but the sides were measured apart and did the same work: the machine may be why.
    Doubtful,
    /// No difference that chance would not make, too.
    NoDifference,
    /// So few rounds that no difference could be told.
    TooFew,
}

impl Outcome {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Doubtful => "doubtful",
            Self::NoDifference => "no_difference",
            Self::TooFew => "too_few",
        }
    }
}

/// The second side beside the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// What the times say, at a level of 0.05.
    pub outcome: Outcome,
    /// How much longer the second side takes: the median of all differences between a round of the second and one of
    /// the first (Hodges and Lehmann), in milliseconds; below 0 it is faster.
    pub difference_ms: f64,
    /// 95 % confidence interval of that difference; none where there are too few rounds for one.
    pub interval_ms: Option<[f64; 2]>,
    /// Median of the second ÷ median of the first; none where that is 0.
    pub ratio: Option<f64>,
    /// Mann and Whitney's U of the second side: pairs of rounds in which it took longer, ties half.
    pub u: f64,
    /// Probability of a U so far from the middle, on either side, if both were the same.
    pub p: f64,
    /// What makes the comparison doubtful, or is worth knowing.
    pub notes: Vec<String>,
}
