//! Arguments of `diff`.

use super::args::{FailOnArg, FormatArg, LimitArgs, RuleChoice, SeverityArg};
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay diff base.json.zst head.json.zst
  pgassay diff main-1.json branch-1.json --base-since main-0.json --head-since branch-0.json
  pgassay diff friday.json.zst shop    what the server did since Friday, compared with before")]
pub(super) struct DiffArgs {
    /// The earlier snapshot
    #[arg(value_name = "BASE")]
    pub(super) base: PathBuf,
    /// The later snapshot, or a server: URL, `key=value` pairs, or a name from the config
    #[arg(value_name = "HEAD")]
    pub(super) head: String,
    /// Count BASE from this earlier snapshot of its server, not from its counters' reset
    #[arg(long, value_name = "SNAPSHOT", help_heading = "Windows")]
    pub(super) base_since: Option<PathBuf>,
    /// Count HEAD from this earlier snapshot of its server, not from BASE or its counters' reset
    #[arg(long, value_name = "SNAPSHOT", help_heading = "Windows")]
    pub(super) head_since: Option<PathBuf>,
    /// Which changes are judged [default: work]
    #[arg(long, value_name = "GATE", help_heading = "Rules")]
    pub(super) gate: Option<GateArg>,
    /// Format on standard output [default: table]
    #[arg(long, value_name = "FORMAT", help_heading = "Report")]
    pub(super) format: Option<FormatArg>,
    /// Also write the report to a file, as in json=report.json; repeatable
    #[arg(long, value_name = "FORMAT=FILE", help_heading = "Report")]
    pub(super) output: Vec<String>,
    /// Show changes of this severity or above [default: info]
    #[arg(long, value_name = "SEVERITY", help_heading = "Report")]
    pub(super) min_severity: Option<SeverityArg>,
    /// Exit with 1 on changes of this severity or above [default: warning]
    #[arg(long, value_name = "SEVERITY", help_heading = "Report")]
    pub(super) fail_on: Option<FailOnArg>,
    #[command(flatten)]
    pub(super) choice: RuleChoice,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum GateArg {
    /// What does not depend on the machine: blocks, rows, temporary files, WAL, calls, plans
    Work,
    /// That, and milliseconds
    Time,
    /// Whether an index can serve each statement, which holds on little data too
    Plan,
}
