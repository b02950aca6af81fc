//! What can be typed of `init`.

use super::args::TARGET_HELP;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay init role postgres://postgres@db1/shop | psql postgres://postgres@db1/shop
  pgassay init config > pgassay.yaml")]
pub(super) struct InitArgs {
    #[command(subcommand)]
    pub(super) command: InitCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum InitCommand {
    /// The SQL of a role that may read what audits want, and no more
    Role(RoleArgs),
    /// A config with every key there is, and what it does
    #[command(
        after_help = "Examples:\n  pgassay init config > pgassay.yaml\n  pgassay init config | grep -A 8 '#waivers'"
    )]
    Config,
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
