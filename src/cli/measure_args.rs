//! What can be typed of `measure`.

use super::args::TARGET_HELP;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MeasureFormat {
    /// For people at a terminal
    Table,
    /// For programs, with every time
    Json,
    /// For pull requests and chats
    Markdown,
    /// RFC 4180, one side a row
    Csv,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay measure shop --sql 'select * from orders where user_id = 42' --save before.json
  pgassay measure shop --file q.sql --baseline before.json
  pgassay measure postgres://db1/shop --against postgres://db2/shop --file q.sql --clients 8

Exit codes: 0 measured, 2 could not run or refused, 3 fewer executions than asked for.")]
pub(super) struct MeasureArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// The statement: one SELECT that only reads
    #[arg(long, value_name = "SQL", group = "statement", required = true)]
    pub(super) sql: Option<String>,
    /// The file with the statement
    #[arg(long, value_name = "FILE", group = "statement")]
    pub(super) file: Option<PathBuf>,
    /// Executions to time, over all clients together
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) iterations: u32,
    /// Executions of each session that do not count; each of ten rounds has fresh sessions
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(super) warmup: u32,
    /// Sessions that run it concurrently
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) clients: u16,
    /// Also measure this server, in turn with the target, and compare the two
    #[arg(long, value_name = "TARGET", help_heading = "Comparison")]
    pub(super) against: Option<String>,
    /// Compare with an earlier run, kept with --save
    #[arg(long, value_name = "FILE", help_heading = "Comparison", conflicts_with = "against")]
    pub(super) baseline: Option<PathBuf>,
    /// Save all times, for --baseline
    #[arg(long, value_name = "FILE", help_heading = "Comparison", conflicts_with = "against")]
    pub(super) save: Option<PathBuf>,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Report")]
    pub(super) format: MeasureFormat,
    /// Cancel an execution after this time [default: 15s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) statement_timeout: Option<String>,
    /// Give up waiting for a lock after this time [default: 100ms]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) lock_timeout: Option<String>,
    /// Give up connecting after this time [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) connect_timeout: Option<String>,
}
