//! What can be typed of `pgassay history`.

use super::change_args::PlainFormat;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay audit shop --history /var/lib/pgassay --format json > report.json
  pgassay history list --history /var/lib/pgassay")]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    pub(super) command: HistoryCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum HistoryCommand {
    /// List the runs: target, time, what was found, size
    List(ListArgs),
    /// Tell of one run, and write its snapshot for `audit --from`
    Show(ShowArgs),
    /// Remove runs that are older than what is kept
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay history list --history /var/lib/pgassay
  pgassay history list shop --history /var/lib/pgassay --format json | jq '.runs[].findings.critical'")]
pub(super) struct ListArgs {
    /// Only runs of this target, as the list names it: shop, or shop@db1:5432
    #[arg(value_name = "TARGET")]
    pub(super) target: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: PlainFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay history show 20261120T0730 --history /var/lib/pgassay
  pgassay history show 20261120T073000Z_shop_0a1b2c3d -o then.json.zst && pgassay audit --from then.json.zst")]
pub(super) struct ShowArgs {
    /// The run, as the list names it; its beginning is enough where no other begins so
    #[arg(value_name = "RUN")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Write its snapshot; `.json` is written plain, anything else compressed with zstd
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay history prune --history /var/lib/pgassay --keep 90d
  23 4 * * 0  pgassay --quiet history prune --history /var/lib/pgassay --keep 90d --yes

The first only says what would go. The second is a line for crontab.")]
pub(super) struct PruneArgs {
    /// What is kept, counted back from the newest run of each target, as in 90d
    #[arg(long, value_name = "TIME")]
    pub(super) keep: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Remove them without asking
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Only say what would go
    #[arg(long, conflicts_with = "yes")]
    pub(super) dry_run: bool,
}

/// Where the runs are.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The history: the folder that `audit --history` was given; without it `history.store` of the config
    #[arg(long, value_name = "DIR")]
    pub(super) history: Option<String>,
}
