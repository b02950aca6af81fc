//! What can be typed of `pool`.

use super::args::TARGET_HELP;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PoolFormat {
    /// For people at a terminal
    Table,
    /// For programs
    Json,
    /// Text exposition format, for a textfile collector
    Prometheus,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay pool postgres://auditor@db1/shop --pgbouncer postgres://stats@db1:6432
  pgassay pool --pgbouncer 'host=/run/postgresql user=stats' --until-saturated || page the DBA

Exit codes: 0 done, 1 saturated (--until-saturated), 2 could not run, 3 something was not read.")]
pub(super) struct PoolArgs {
    #[arg(value_name = "TARGET", help = format!("{TARGET_HELP}; with --pgbouncer and none of these, the console alone is watched"))]
    pub(super) target: Option<String>,
    /// Admin console of a PgBouncer, as a user in stats_users; port 6432 by default; repeatable
    #[arg(long, value_name = "DSN", help_heading = "Sample")]
    pub(super) pgbouncer: Vec<String>,
    /// Judge what this snapshot holds instead of watching a server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "pgbouncer", "sample", "watch", "until_saturated"])]
    pub(super) from: Option<PathBuf>,
    /// Watch for this long, with four samples a second [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Sample")]
    pub(super) sample: Option<String>,
    /// Repeat until interrupted
    #[arg(long, help_heading = "Sample")]
    pub(super) watch: bool,
    /// Repeat until clients wait or a limit is near, report that, and exit with 1
    #[arg(long, conflicts_with = "watch", help_heading = "Sample")]
    pub(super) until_saturated: bool,
    /// The mean wait for a server connection to aim for [default: 10ms]
    #[arg(long, value_name = "TIME", help_heading = "Sizing")]
    pub(super) target_wait: Option<String>,
    /// Processors of the server, which bound the size [default: this machine's, on a local socket]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Sizing")]
    pub(super) cores: Option<u32>,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Report")]
    pub(super) format: PoolFormat,
    /// Cancel a query of pgassay's after this time [default: 15s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) statement_timeout: Option<String>,
    /// Give up connecting after this time [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) connect_timeout: Option<String>,
}
