//! What can be typed of `pgassay partition`.

use super::args::TARGET_HELP;
use super::change_args::PlainFormat;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition list shop
  pgassay partition list --from shop.json.zst --format json")]
pub(super) struct PartitionArgs {
    #[command(subcommand)]
    pub(super) command: PartitionCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum PartitionCommand {
    /// Show what each partitioned table holds, month by month, and how far it reaches
    List(Box<ListArgs>),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition list postgres://auditor@db1/shop
  pgassay partition list shop --table public.events --format json | jq '.tables[].months_ahead'")]
pub(super) struct ListArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Read this snapshot instead of a server
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    pub(super) from: Option<PathBuf>,
    /// Only this table, as in public.events; repeatable
    #[arg(long, value_name = "TABLE")]
    pub(super) table: Vec<String>,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: PlainFormat,
}
