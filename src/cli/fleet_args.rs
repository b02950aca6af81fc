//! What can be typed of many targets.

use crate::model::fleet::Shard;
use clap::Args;

/// Targets of the config, many in one run.
#[derive(Debug, Default, Args)]
pub(super) struct FleetArgs {
    /// Audit these targets of the config, with * and ? as wildcards; repeatable or comma-separated
    #[arg(long, value_name = "GLOB", value_delimiter = ',', help_heading = "Many targets",
        conflicts_with_all = ["target", "from", "since", "replica", "pgbouncer"])]
    pub(super) targets: Vec<String>,
    /// Audit only the I-th of N parts of them, as in 3/16, by a hash of the name
    #[arg(long, value_name = "I/N", help_heading = "Many targets", requires = "targets")]
    pub(super) shard: Option<Shard>,
    /// Servers to audit at a time; targets on one server take turns [default: 4]
    #[arg(long, value_name = "N", help_heading = "Many targets", requires = "targets",
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) servers_at_once: Option<u16>,
    /// Give up on a target after this time, and go on with the next [default: 5min]
    #[arg(long, value_name = "TIME", help_heading = "Many targets", requires = "targets")]
    pub(super) target_timeout: Option<String>,
}
