//! What can be typed of `pgassay partition`.

use super::args::{LimitArgs, TARGET_HELP};
use super::change_args::{ChangeArgs, FileArgs, PlainFormat};
use crate::partition::{Keep, Month, Unit, Zone, allowances};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Months that may be made ahead: ten years.
pub(super) const MAX_MONTHS: u16 = 120;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition list shop
  pgassay partition create public.events shop --months 6 --dry-run
  pgassay partition maintain shop --yes --quiet")]
pub(super) struct PartitionArgs {
    #[command(subcommand)]
    pub(super) command: PartitionCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum PartitionCommand {
    /// Show what each partitioned table holds, month by month, and how far ahead it reaches
    List(Box<ListArgs>),
    /// Say which plain tables would gain from monthly partitions, and what stands in the way
    Advise(Box<PartitionAdviseArgs>),
    /// Print the DDL of a new partitioned table, modelled on an existing or a described one
    New(Box<NewArgs>),
    /// Create a table's missing months; only a DEFAULT partition is locked against reads, for --window at most
    Create(Box<CreateArgs>),
    /// Create the missing months of all tables in the config: for cron
    Maintain(Box<MaintainArgs>),
    /// Turn a plain table into the first partition of a partitioned one, without copying rows
    Convert(Box<ConvertArgs>),
    /// Split the partition that holds the past into months, while it stays readable and writable
    Split(Box<SplitArgs>),
    /// Detach months past their retention, and drop them days later when asked
    Retire(Box<RetireArgs>),
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

#[derive(Debug, Args)]
#[command(
    mut_arg("plans", |arg| arg.help("Explain the top N statements by total time, without running them [default: 200]")),
    after_help = "\
Examples:
  pgassay partition advise shop --min-size 1GiB
  pgassay partition advise --from monday.json.zst --since sunday.json.zst

Exit codes: 0 done, 2 could not run, 3 something could not be read in full.")]
pub(super) struct PartitionAdviseArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Read this snapshot instead of a server
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    pub(super) from: Option<PathBuf>,
    /// Measure growth since this earlier snapshot of the same database
    #[arg(long, value_name = "FILE")]
    pub(super) since: Option<PathBuf>,
    /// Judge tables of this size or larger, with TOAST and without indexes
    #[arg(long, value_name = "SIZE", default_value = "10GiB")]
    pub(super) min_size: String,
    /// Format on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: PlainFormat,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition create public.events shop --months 6 -o plan.json --sql plan.sql
  pgassay partition create public.events shop --to 2027-03 --drain-default --window 5s --yes

Exit codes: 0 done, 2 could not run, 3 a month was left out, 4 refused, nothing done,
5 stopped half-way.")]
pub(super) struct CreateArgs {
    /// The partitioned table, as in public.events
    #[arg(value_name = "TABLE")]
    pub(super) table: String,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Months to have beyond the current one
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_MONTHS)))]
    pub(super) months: u16,
    /// The first month to have, as in 2026-03 [default: the current one]
    #[arg(long, value_name = "MONTH")]
    pub(super) from: Option<Month>,
    /// The last month to have, as in 2026-05, instead of --months
    #[arg(long, value_name = "MONTH", conflicts_with = "months")]
    pub(super) to: Option<Month>,
    /// The IANA time zone whose months they are [default: that of the bounds; UTC where there are none]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(super) zone: Option<Zone>,
    #[command(flatten)]
    pub(super) default: DefaultArgs,
    #[command(flatten)]
    pub(super) files: FileArgs,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition maintain shop --dry-run
  17 3 * * *  pgassay --config /etc/pgassay.yaml partition maintain shop --yes --quiet

The second is a line for crontab: it says nothing while there is nothing to do.

Exit codes: 0 done or nothing to do, 2 could not run, 3 a table or month was left out,
4 refused, nothing done, 5 stopped half-way.")]
pub(super) struct MaintainArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Only this table, as in public.events; repeatable
    #[arg(long, value_name = "TABLE")]
    pub(super) table: Vec<String>,
    #[command(flatten)]
    pub(super) default: DefaultArgs,
    #[command(flatten)]
    pub(super) files: FileArgs,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition convert public.events shop --by created_at --dry-run
  pgassay partition convert public.events shop --by created_at --allow primary_key --sql plan.sql
  pgassay partition convert public.events shop --by created_at --allow primary_key --step 1 --yes
  pgassay partition convert public.events shop --by created_at --allow primary_key --rehearse

The third prepares the table while it is in use; the fourth tries the rest and rolls it back.

Exit codes: 0 done, 2 could not run or something stands in the way, 4 refused, nothing done,
5 stopped half-way.")]
pub(super) struct ConvertArgs {
    /// The plain table, as in public.events
    #[arg(value_name = "TABLE")]
    pub(super) table: String,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// The column to partition by: a date, a timestamp, a number with --epoch, or a version 7 uuid
    #[arg(long, value_name = "COLUMN")]
    pub(super) by: String,
    /// The unit in which a numeric key counts from 1970
    #[arg(long, value_name = "UNIT")]
    pub(super) epoch: Option<EpochArg>,
    /// What may be lost or change, as the refusal names it; repeatable or comma-separated
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(allowances()))]
    pub(super) allow: Vec<String>,
    /// The first month with a partition of its own, as in 2026-12 [default: the first that is two weeks ahead]
    #[arg(long, value_name = "MONTH")]
    pub(super) from: Option<Month>,
    /// Months to create at once, from that one on
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_MONTHS)))]
    pub(super) months: u16,
    /// The IANA time zone whose months they are [default: UTC]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(super) zone: Option<Zone>,
    /// Try the conversion of a prepared table, under its short lock, and roll it back
    #[arg(long, conflicts_with_all = ["yes", "dry_run", "step", "output", "sql"])]
    pub(super) rehearse: bool,
    #[command(flatten)]
    pub(super) files: FileArgs,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition split public.events shop --dry-run
  pgassay partition split public.events shop --max-replica-lag 10s --yes

Exit codes: 0 done, 2 could not run or something stands in the way, 4 refused, nothing done,
5 stopped half-way.")]
pub(super) struct SplitArgs {
    /// The partitioned table, as in public.events
    #[arg(value_name = "TABLE")]
    pub(super) table: String,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// The IANA time zone whose months they are [default: that of the bounds]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(super) zone: Option<Zone>,
    /// Split off at most this many of the newest months; what is older stays together for another run [default: 60]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=120))]
    pub(super) months: Option<u16>,
    #[command(flatten)]
    pub(super) files: FileArgs,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition retire public.events shop --keep '24 months' --dry-run
  pgassay partition retire public.events shop --keep '2 years' --drop --yes

Exit codes: 0 done or nothing to do, 2 could not run, 4 refused, nothing done, 5 stopped half-way.")]
pub(super) struct RetireArgs {
    /// The partitioned table, as in public.events
    #[arg(value_name = "TABLE")]
    pub(super) table: String,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Months or years to keep besides the current month, as in '24 months' [default: the config's]
    #[arg(long, value_name = "TIME")]
    pub(super) keep: Option<Keep>,
    /// Also drop tables that an earlier run from this machine detached
    #[arg(long)]
    pub(super) drop: bool,
    /// Drop nothing that was detached more recently than this [default: 7d]
    #[arg(long, value_name = "TIME", requires = "drop")]
    pub(super) quarantine: Option<String>,
    #[command(flatten)]
    pub(super) files: FileArgs,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay partition new --table public.events --by created_at shop --as public.events_new > new.sql
  pgassay partition new --table public.calls --by at --from 2026-12 \\
    --column 'id bigint generated always as identity' --column 'at timestamptz not null'

It prints, and changes nothing. Run it with psql --single-transaction.")]
pub(super) struct NewArgs {
    /// The table to model it on, as in public.events; with --column, the new table
    #[arg(long, value_name = "TABLE")]
    pub(super) table: String,
    /// The column to partition by
    #[arg(long, value_name = "COLUMN")]
    pub(super) by: String,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// The new table's name, as in public.events_by_month [default: the same]
    #[arg(long = "as", value_name = "TABLE", conflicts_with = "column")]
    pub(super) name: Option<String>,
    /// A column as in CREATE TABLE, without asking a server; repeatable
    #[arg(long, value_name = "DEFINITION", conflicts_with = "target", requires = "from")]
    pub(super) column: Vec<String>,
    /// Columns of the primary key; the partition key is added to them [default: the identity column]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "column")]
    pub(super) primary_key: Vec<String>,
    /// The unit in which a numeric key counts from 1970
    #[arg(long, value_name = "UNIT")]
    pub(super) epoch: Option<EpochArg>,
    /// The first month, as in 2026-12 [default: the current one in UTC, by the server's clock]
    #[arg(long, value_name = "MONTH")]
    pub(super) from: Option<Month>,
    /// Months to create beyond the first
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_MONTHS)))]
    pub(super) months: u16,
}

impl From<EpochArg> for Unit {
    fn from(unit: EpochArg) -> Self {
        match unit {
            EpochArg::S => Self::Seconds,
            EpochArg::Ms => Self::Millis,
            EpochArg::Us => Self::Micros,
            EpochArg::Ns => Self::Nanos,
        }
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EpochArg {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
}

/// What may be done to the DEFAULT partition.
#[derive(Debug, Default, Args)]
pub(super) struct DefaultArgs {
    /// Move a month's rows out of the DEFAULT partition, in the transaction that creates the month; needs --window
    #[arg(long, requires = "window", help_heading = "DEFAULT partition")]
    pub(super) drain_default: bool,
    /// Lock the DEFAULT partition for at most this long, else leave the month out [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = "DEFAULT partition")]
    pub(super) window: Option<String>,
}

fn zone(text: &str) -> Result<Zone, String> {
    Zone::named(text).ok_or_else(|| "no time zone of the IANA database, as in Europe/Berlin".to_owned())
}
