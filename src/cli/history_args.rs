//! What can be typed of `pgassay history`.

use super::change_args::PlainFormat;
use super::partition_args::MAX_MONTHS;
use clap::{Args, Subcommand, ValueEnum};
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
    /// List the runs: target, time, findings, size
    List(ListArgs),
    /// Show one run, and write its snapshot for `audit --from`
    Show(ShowArgs),
    /// Say what improves, degrades or is stable over the runs: statements, tables, databases, the server
    Trend(Box<TrendArgs>),
    /// Remove runs past their retention
    Prune(PruneArgs),
    /// Prepare a database for a history: print the SQL, or run it
    Init(InitArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay history list --history /var/lib/pgassay
  pgassay history list shop --history runs --format json | jq '.runs[].findings.critical'")]
pub(super) struct ListArgs {
    /// List only this target's runs, named as in the list: shop, or shop@db1:5432
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
  pgassay history show 20261120T0730 -o then.json.zst && pgassay audit --from then.json.zst")]
pub(super) struct ShowArgs {
    /// The run, as the list names it; a unique prefix will do
    #[arg(value_name = "RUN")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Write its snapshot: plain JSON if it ends in `.json`, else compressed with zstd
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
    /// How much to keep, as in 90d: in a folder counted back from each target's newest run, in a database rounded up
    /// to whole months
    #[arg(long, value_name = "TIME")]
    pub(super) keep: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Remove them without asking
    #[arg(long, short)]
    pub(super) yes: bool,
    /// For a history in a database: folder of the journals [default: pgassay in the XDG state folder]
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay history init --writer auditor --reader grafana > history.sql
  pgassay history init --history postgres://owner@db0/ops --writer auditor --yes

Exit codes: 0 printed or done, 2 could not run, 4 refused, 5 stopped half-way.")]
pub(super) struct InitArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Let this role keep runs; repeatable
    #[arg(long, value_name = "ROLE")]
    pub(super) writer: Vec<String>,
    /// Let this role read runs; repeatable
    #[arg(long, value_name = "ROLE")]
    pub(super) reader: Vec<String>,
    /// Months to have beyond the current one
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_MONTHS)))]
    pub(super) months: u16,
    /// Run the SQL instead of printing it
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Folder of the journals [default: pgassay in the XDG state folder]
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay history trend shop --history /var/lib/pgassay
  pgassay history trend shop --metric ms_per_call --every 1d --fail-on degrading
  pgassay history trend shop --of table --object 'public.*' --format json | jq '.summary'

Exit codes: 0 done, 1 something degrades and --fail-on degrading was said, 2 could not run.")]
pub(super) struct TrendArgs {
    /// The target, as `history list` names it; not needed where there is only one
    #[arg(value_name = "TARGET")]
    pub(super) target: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Only these kinds; repeatable or comma-separated
    #[arg(long, value_name = "KIND", value_delimiter = ',', help_heading = "Scope")]
    pub(super) of: Vec<KindArg>,
    /// Only these metrics, as in ms_per_call; repeatable or comma-separated
    #[arg(long, value_name = "METRIC", value_delimiter = ',', help_heading = "Scope")]
    pub(super) metric: Vec<String>,
    /// Only these objects: fingerprint, schema.table or database, with * and ? as wildcards; repeatable or comma-separated
    #[arg(long, value_name = "GLOB", value_delimiter = ',', help_heading = "Scope")]
    pub(super) object: Vec<String>,
    /// The last N runs
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(2..=1000), help_heading = "Scope")]
    pub(super) last: u16,
    /// Take one run per such period, as in 1d or 7d, so that like is compared with like
    #[arg(long, value_name = "TIME", help_heading = "Scope")]
    pub(super) every: Option<String>,
    /// Follow this many statements, by time, and tables, by size
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Scope")]
    pub(super) top: u16,
    /// Ignore smaller changes, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent, help_heading = "Judgement")]
    pub(super) change: f64,
    /// Report a change only when at least this certain, in percent, adjusted for all tests made
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = percent, help_heading = "Judgement")]
    pub(super) confidence: f64,
    /// Ignore a statement in windows with fewer calls
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..), help_heading = "Judgement")]
    pub(super) min_calls: i64,
    /// Exit with 1 when something degrades
    #[arg(long, value_name = "COURSE", default_value = "never", help_heading = "Judgement")]
    pub(super) fail_on: TrendGate,
    /// Also show what is stable
    #[arg(long, help_heading = "Report")]
    pub(super) all: bool,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Report")]
    pub(super) format: TrendFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KindArg {
    Statement,
    Table,
    Database,
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TrendGate {
    Degrading,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TrendFormat {
    /// For people at a terminal
    Table,
    /// For programs
    Json,
    /// For pull requests and chats
    Markdown,
    /// RFC 4180, one trend a row
    Csv,
    /// Gauges, for node_exporter's textfiles
    Prometheus,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.trim_end_matches('%').parse().ok().filter(|percent| (0.0..100.0).contains(percent));
    percent.ok_or_else(|| "a number from 0 to less than 100".to_owned())
}

/// Where the runs are.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The history: the folder or database of `audit --history`; without it `history.store` of the config
    #[arg(long, value_name = "DIR|URL")]
    pub(super) history: Option<String>,
}
