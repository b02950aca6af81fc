//! What can be typed of `init`.

use super::args::{SeverityArg, TARGET_HELP};
use super::diff_args::GateArg;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay init role postgres://postgres@db1/shop | psql postgres://postgres@db1/shop
  pgassay init config > pgassay.yaml
  pgassay init ci --github --setup 'make migrate seed' --workload 'make test'")]
pub(super) struct InitArgs {
    #[command(subcommand)]
    pub(super) command: InitCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum InitCommand {
    /// The SQL of a role that may read what an audit needs, and no more
    Role(RoleArgs),
    /// A config with every key, explained
    #[command(
        after_help = "Examples:\n  pgassay init config > pgassay.yaml\n  pgassay init config | grep -A 8 '#waivers'"
    )]
    Config,
    /// A daily audit: a script, its crontab line, a systemd service and timer
    Cron(CronArgs),
    /// A CI job that runs the workload before and after a change, and fails on regressions
    Ci(CiArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay init role postgres://postgres@db1/shop > role.sql
  pgassay init role shop --role pgassay --by-schema | psql -v ON_ERROR_STOP=1")]
pub(super) struct RoleArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Name of the role
    #[arg(long, value_name = "NAME", default_value = "auditor")]
    pub(super) role: String,
    /// Grant SELECT schema by schema, as on 13, instead of pg_read_all_data
    #[arg(long)]
    pub(super) by_schema: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay init cron shop --mail ops@example.com --into /etc/pgassay
  pgassay init cron 'host=/run/postgresql dbname=shop' --keep 30d --hook './page-the-dba'")]
pub(super) struct CronArgs {
    /// What to audit: URL, `key=value` pairs, or a name from the config; without a password
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
    /// Folder of the reports
    #[arg(long, value_name = "DIR", default_value = "/var/lib/pgassay")]
    pub(super) dir: PathBuf,
    /// How long to keep reports
    #[arg(long, value_name = "TIME", default_value = "90d")]
    pub(super) keep: String,
    /// Time of day
    #[arg(long, value_name = "HH:MM", default_value = "03:17")]
    pub(super) at: String,
    /// Report new findings of this severity or above
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(super) fail_on: SeverityArg,
    /// Mail the report to this address when there is something new
    #[arg(long, value_name = "ADDRESS", conflicts_with = "hook")]
    pub(super) mail: Option<String>,
    /// Run this command when there is something new; the report is its standard input
    #[arg(long, value_name = "COMMAND")]
    pub(super) hook: Option<String>,
    /// Write the files to this folder instead of printing them; existing ones are left alone
    #[arg(long, value_name = "DIR")]
    pub(super) into: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay init ci --github --setup 'make seed' --workload 'make test' > .github/workflows/perf.yml
  pgassay init ci --gitlab --setup ./bin/setup --workload ./bin/load --gate plan --major 16")]
pub(super) struct CiArgs {
    /// For GitHub Actions
    #[arg(long, group = "forge", required = true)]
    pub(super) github: bool,
    /// For GitLab CI
    #[arg(long, group = "forge")]
    pub(super) gitlab: bool,
    /// Command that creates the schema and loads data, in a database of its own
    #[arg(long, value_name = "COMMAND")]
    pub(super) setup: String,
    /// Command that runs the application's queries
    #[arg(long, value_name = "COMMAND")]
    pub(super) workload: String,
    /// Which changes fail the job
    #[arg(long, value_name = "GATE", default_value = "work")]
    pub(super) gate: GateArg,
    /// Major of the scratch server
    #[arg(long, value_name = "N", default_value_t = 18, value_parser = clap::value_parser!(u16).range(13..=18))]
    pub(super) major: u16,
}
