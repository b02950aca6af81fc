//! What can be typed of `advise`.

use super::args::{LimitArgs, TARGET_HELP};
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WeighArg {
    /// By measured time
    Time,
    /// By calls times planner cost
    Calls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AdviceFormat {
    /// For people at a terminal
    Table,
    /// For programs
    Json,
    /// A script for psql
    Sql,
    /// For pull requests and chats
    Markdown,
}

#[derive(Debug, Args)]
#[command(
    mut_arg("plans", |arg| arg.help("Explain the top N statements by total time, without running them [default: 200]")),
    after_help = "\
Examples:
  pgassay advise shop --budget 2GB -o plan.json   then: pgassay apply plan.json
  pgassay advise shop --explain 1                 a plan before and after
  pgassay advise --from shop.json.zst --what-if postgres://auditor@copy/shop"
)]
pub(super) struct AdviseArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Take the workload from this snapshot; costs are estimated unless --what-if names a planner
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "replica", "sample", "plans", "top"])]
    pub(super) from: Option<PathBuf>,
    /// Ask the planner of this server instead, a copy of the database that has HypoPG
    #[arg(long, value_name = "DSN", help_heading = "Advice")]
    pub(super) what_if: Option<String>,
    /// Room for all new indexes together, as in 2GB, by HypoPG's sizes [default: no limit]
    #[arg(long, value_name = "BYTES", help_heading = "Advice")]
    pub(super) budget: Option<String>,
    /// New indexes per table at most [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Advice")]
    pub(super) max_indexes: Option<u16>,
    /// What makes a statement important [default: time]
    #[arg(long, value_name = "WHAT", help_heading = "Advice")]
    pub(super) weigh_by: Option<WeighArg>,
    /// Also show what smaller and larger sets would save: where more room stops paying
    #[arg(long, help_heading = "Advice")]
    pub(super) curve: bool,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Report")]
    pub(super) format: AdviceFormat,
    /// Show instead the plans of the statement that proposal N helps most, before and after
    #[arg(long, value_name = "N", conflicts_with = "format", help_heading = "Report")]
    pub(super) explain: Option<u32>,
    /// Write the proposals as a plan, for `pgassay apply`
    #[arg(long, short, value_name = "FILE", help_heading = "Report")]
    pub(super) output: Option<PathBuf>,
    /// Write the proposals as a script for psql
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(super) sql: Option<PathBuf>,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}
