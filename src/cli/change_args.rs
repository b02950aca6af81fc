//! What can be typed of the commands that change a server.

use super::args::{LimitArgs, RuleChoice, TARGET_HELP};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay plan shop -o plan.json --sql plan.sql
  pgassay plan shop --from-report report.json --only index --dry-run")]
pub(super) struct PlanArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Plan for this snapshot instead of a server; cannot be carried out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "yes", "dry_run"])]
    pub(super) from: Option<PathBuf>,
    /// Take the findings from this JSON report instead of auditing now
    #[arg(long, value_name = "REPORT")]
    pub(super) from_report: Option<PathBuf>,
    #[command(flatten)]
    pub(super) files: FileArgs,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
    #[command(flatten)]
    pub(super) choice: RuleChoice,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  pgassay apply plan.json shop --dry-run
  pgassay apply plan.json shop --step 1,2 --max-wait 2min --yes
  pgassay apply status
  pgassay apply resume shop

Exit codes: 0 done, 2 could not run, 4 refused, nothing done, 5 stopped half-way (`apply status`)."
)]
pub(super) struct ApplyArgs {
    #[command(subcommand)]
    pub(super) command: Option<ApplyCommand>,
    /// The plan, as `pgassay plan -o` wrote it
    #[arg(value_name = "PLAN", required = true)]
    pub(super) plan: Option<PathBuf>,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ApplyCommand {
    /// List the runs on this machine, or show one in full
    #[command(after_help = "Examples:\n  pgassay apply status\n  pgassay apply status 20261120T073000Z-4711-9c0f21ab")]
    Status {
        /// The run, as the list names it
        run: Option<String>,
        /// Folder of the journals [default: pgassay in the XDG state folder]
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
    },
    /// Continue a run that stopped half-way
    #[command(
        after_help = "Examples:\n  pgassay apply resume shop\n  pgassay apply resume shop --run 20261120T073000Z-4711-9c0f21ab"
    )]
    Resume(RunArgs),
    /// Undo a run, last step first
    #[command(
        after_help = "Examples:\n  pgassay apply undo shop\n  pgassay apply undo shop --run 20261120T073000Z-4711-9c0f21ab --yes"
    )]
    Undo(RunArgs),
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// The run [default: the last one in this database that can be resumed or undone]
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

/// A format for people and one for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PlainFormat {
    /// For people at a terminal
    Table,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay verify plan.json shop
  pgassay verify plan.json shop --min-calls 1000 --format json

Exit codes: 0 nothing harmful, 1 a change did harm, 2 could not run.")]
pub(super) struct VerifyArgs {
    /// The plan that was applied from this machine
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Compare with this later snapshot instead of the server as it is now
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    pub(super) from: Option<PathBuf>,
    /// Say nothing of a table that was called less often since the change
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
    pub(super) min_calls: i64,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: PlainFormat,
    /// Folder of the journals [default: pgassay in the XDG state folder]
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
}

/// How a change is carried out.
#[derive(Debug, Default, Args)]
pub(super) struct ChangeArgs {
    /// Carry it out without asking
    #[arg(long, short, help_heading = "Change")]
    pub(super) yes: bool,
    /// Run all checks in read-only transactions, and say what would be done
    #[arg(long, help_heading = "Change", conflicts_with = "yes")]
    pub(super) dry_run: bool,
    /// Carry out only these steps; repeatable or comma-separated
    #[arg(long, value_name = "N", value_delimiter = ',', help_heading = "Change")]
    pub(super) step: Vec<u32>,
    /// Folder of the journals [default: pgassay in the XDG state folder]
    #[arg(long, value_name = "DIR", help_heading = "Change")]
    pub(super) state: Option<PathBuf>,
    /// Wait at most this long per statement for locks and older transactions [default: 10min]
    #[arg(long, value_name = "TIME", help_heading = "Change")]
    pub(super) max_wait: Option<String>,
    /// Free space on the server's disk, which SQL cannot see: a plan that needs more is refused [default: not checked]
    #[arg(long, value_name = "BYTES", help_heading = "Change")]
    pub(super) free_disk: Option<String>,
    /// Start no step while a standby lags further behind than this [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Change")]
    pub(super) max_replica_lag: Option<String>,
    /// Start no step while a replication slot retains more WAL than this [default: 10GB]
    #[arg(long, value_name = "BYTES", help_heading = "Change")]
    pub(super) max_slot_wal: Option<String>,
    /// maintenance_work_mem of the session that builds [default: the server's]
    #[arg(long, value_name = "BYTES", help_heading = "Change")]
    pub(super) maintenance_work_mem: Option<String>,
    /// max_parallel_maintenance_workers of the session that builds [default: the server's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=64), help_heading = "Change")]
    pub(super) parallel_workers: Option<u16>,
}

/// Where a plan is written besides.
#[derive(Debug, Default, Args)]
pub(super) struct FileArgs {
    /// Write the plan, for `pgassay apply`
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write the plan as a script for psql
    #[arg(long, value_name = "FILE")]
    pub(super) sql: Option<PathBuf>,
}

impl FileArgs {
    /// Some is asked for.
    pub(super) fn is_any(&self) -> bool {
        self.output.is_some() || self.sql.is_some()
    }
}
