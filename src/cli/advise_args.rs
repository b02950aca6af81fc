//! What can be typed of `advise`.

use super::args::{LimitArgs, TARGET_HELP};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WeighArg {
    /// By measured time
    Time,
    /// By calls times planner cost
    Calls,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay advise shop --budget 2GB
  pgassay advise shop --sql indexes.sql")]
pub(super) struct AdviseArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Room for all new indexes together
    #[arg(long, value_name = "BYTES", help_heading = "Advice")]
    pub(super) budget: Option<String>,
    /// New indexes of one table at most
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Advice")]
    pub(super) max_indexes: u16,
    /// What makes a statement important
    #[arg(long, value_name = "WHAT", default_value = "time", help_heading = "Advice")]
    pub(super) weigh_by: WeighArg,
    /// Write the indexes as a script
    #[arg(long, value_name = "FILE")]
    pub(super) sql: Option<PathBuf>,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}
